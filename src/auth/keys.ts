// Key pairs of the cluster's issuer: Ed25519, as JWK texts with a key id. The private half leaves this process only sealed.

import { calculateJwkThumbprint, exportJWK, generateKeyPair, type JWK } from "jose";

export const ALGORITHM = "EdDSA";

/** Both halves as JWK texts; `kid` is the RFC 7638 thumbprint. */
export type IssuerKeyPair = {
  readonly kid: string;
  readonly publicJwk: string;
  readonly privateJwk: string;
};

/** A new Ed25519 key pair. */
export async function createIssuerKey(): Promise<IssuerKeyPair> {
  const pair = await generateKeyPair(ALGORITHM, { crv: "Ed25519", extractable: true });
  const [publicKey, privateKey] = await Promise.all([exportJWK(pair.publicKey), exportJWK(pair.privateKey)]);
  const kid = await calculateJwkThumbprint(publicKey);
  const text = (key: JWK): string => JSON.stringify({ ...key, kid, alg: ALGORITHM, use: "sig" });
  return { kid, publicJwk: text(publicKey), privateJwk: text(privateKey) };
}
