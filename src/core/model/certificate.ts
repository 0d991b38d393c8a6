// The records of certificates: of host names, of the accounts that they come by, and of the cluster's own authority. Private keys are sealed.
// Times are wall-clock milliseconds since 1970. Pure.

/**
 * What a host name is served with. Key: the host, or the name that its user gave it. `own` ones are written by the API's commands, the others
 * by the certificate loop.
 */
export type Certificate = {
  readonly id: string;
  readonly index: number;
  readonly source: "acme" | "internal" | "own";
  /** Names that it is good for. */
  readonly hosts: readonly string[];
  /** PEM of the certificate, its chain and its key, sealed; absent until there is one. */
  readonly sealedPem?: string;
  readonly issuer?: string;
  readonly notBeforeMs?: number;
  readonly notAfterMs?: number;
  /** What an authority asks for while it looks, over HTTP. */
  readonly challenges?: readonly { readonly token: string; readonly answer: string }[];
  /** How often in a row it could not be had; why; and when it is tried again. */
  readonly failures?: number;
  readonly trouble?: string;
  readonly nextTryAtMs?: number;
  /** Its user wants a new one now. */
  readonly isAsked?: true;
};

/** An account with an ACME server. Key: the URL of its directory. Written by the certificate loop. */
export type AcmeAccount = { readonly id: string; readonly url: string; readonly sealedKey: string };

/** The cluster's own certificate authority. One record, key "internal". Written by the certificate loop. */
export type Authority = {
  readonly id: string;
  readonly certificatePem: string;
  readonly sealedKey: string;
  readonly notAfterMs: number;
};
