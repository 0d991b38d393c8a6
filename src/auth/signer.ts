// The Signer port on jose: compact JWTs by the newest of the issuer's keys. Keys are read at each use, so rotation needs no restart.

import { importJWK, type JWK, SignJWT } from "jose";
import { DavitError } from "../core/model/errors.ts";
import type { Claims, Signer } from "../ports/signer.ts";
import { ALGORITHM } from "./keys.ts";

export type SigningKey = {
  readonly kid: string;
  readonly privateJwk: string;
  readonly createdAtMs: number;
};

/** A signer by the newest of `keys()`; rejects with `unavailable` when there is none. */
export function createSigner(keys: () => readonly SigningKey[]): Signer {
  const imported = new Map<string, ReturnType<typeof importJWK>>();
  return {
    async sign(claims: Claims) {
      const newest = keys().toSorted((a, b) => b.createdAtMs - a.createdAtMs)[0];
      if (newest === undefined) throw new DavitError("unavailable", "sign token: there is no signing key");
      let key = imported.get(newest.kid);
      if (key === undefined) {
        key = importJWK(JSON.parse(newest.privateJwk) as JWK, ALGORITHM);
        imported.set(newest.kid, key);
      }
      return await new SignJWT({ ...claims })
        .setProtectedHeader({ alg: ALGORITHM, typ: "JWT", kid: newest.kid })
        .sign(await key);
    },
  };
}
