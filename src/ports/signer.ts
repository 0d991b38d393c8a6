// Signing and verifying of claims. Which claims are right is decided in auth (real code everywhere); only the signature is behind these ports.

export type Claims = {
  readonly iss: string;
  readonly sub: string;
  readonly aud: string;
  /** Space-separated scopes. */
  readonly scope: string;
  /** Seconds since 1970. */
  readonly iat: number;
  readonly exp: number;
  readonly jti?: string;
  readonly epoch?: number;
  readonly epochNonce?: string;
  readonly challenge?: string;
  readonly [name: string]: unknown;
};

export interface Signer {
  /** A compact JWT over the claims, by the newest key. */
  sign(claims: Claims): Promise<string>;
}

export interface Verifier {
  /** The claims of a token whose signature is by a known key; throws DavitError `unauthenticated`. Checks no claim. */
  verify(token: string): Promise<Claims>;
}
