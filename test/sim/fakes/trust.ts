// Signatures without cryptography: a token says in clear which key signed it, and a key is whoever's id is known. What tokens must claim is
// judged by the real code on both sides.

import { DavitError } from "../../../src/core/model/errors.ts";
import type { Hasher } from "../../../src/ports/hasher.ts";
import type { Claims, Signer, Verifier } from "../../../src/ports/signer.ts";

/** A public key as the real code knows it: a JWK text with a key id. */
export function publicKey(kid: string): string {
  return JSON.stringify({ kid });
}

export function signerBy(kid: () => string): Signer {
  return { sign: async (claims) => `${kid()}|${JSON.stringify(claims)}` };
}

/** Accepts what any of these keys (JWK texts) signed. */
export function verifierOf(keys: () => readonly string[]): Verifier {
  return {
    verify: async (token) => {
      const [kid = "", ...rest] = token.split("|");
      if (!keys().includes(publicKey(kid)))
        throw new DavitError("unauthenticated", "verify token: not signed by a known key");
      return JSON.parse(rest.join("|")) as Claims;
    },
  };
}

/** Not SHA-256: only equality counts here. */
export const simHasher: Hasher = {
  hash: (text) => Bun.hash(text).toString(16).padStart(64, "0"),
  hashBytes: (bytes) => Bun.hash(bytes).toString(16).padStart(64, "0"),
};
