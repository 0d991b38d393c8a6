// The Verifier port on jose: whether a token was signed by one of the known public keys. It judges the signature only, with one
// algorithm; claims are judged in claims.ts. Every refusal is the same `unauthenticated`, whatever the reason was.

import { compactVerify, decodeProtectedHeader, importJWK, type JWK } from "jose";
import { DavitError } from "../core/model/errors.ts";
import type { Claims, Verifier } from "../ports/signer.ts";
import { ALGORITHM } from "./keys.ts";

/** The longest token that is looked at: ours are under 1 KiB. */
const MAX_TOKEN_LENGTH = 4_096;

/** A verifier by the keys that `publicJwks` gives at each use (JWK texts, Ed25519). A token with a key id is tried with that key only. */
export function createVerifier(publicJwks: () => readonly string[]): Verifier {
  const imported = new Map<string, ReturnType<typeof importJWK>>();
  const keyOf = (text: string): ReturnType<typeof importJWK> => {
    let key = imported.get(text);
    if (key === undefined) {
      key = importJWK(JSON.parse(text) as JWK, ALGORITHM);
      imported.set(text, key);
    }
    return key;
  };
  return {
    async verify(token: string) {
      const known = publicJwks();
      forgetOthers(imported, known);
      for (const text of candidates(token, known)) {
        const payload = await payloadOf(token, keyOf(text));
        if (payload !== undefined) return payload;
      }
      throw new DavitError("unauthenticated", "verify token: not signed by a known key");
    },
  };
}

/** A key that is no longer known must not stay in memory. */
function forgetOthers(imported: Map<string, unknown>, known: readonly string[]): void {
  if (imported.size <= known.length) return;
  for (const text of imported.keys()) if (!known.includes(text)) imported.delete(text);
}

function candidates(token: string, known: readonly string[]): readonly string[] {
  if (token.length > MAX_TOKEN_LENGTH) return [];
  try {
    const { alg, kid } = decodeProtectedHeader(token);
    if (alg !== ALGORITHM) return [];
    if (kid === undefined) return known;
    return known.filter((text) => {
      const own = (JSON.parse(text) as JWK).kid;
      return own === undefined || own === kid;
    });
  } catch {
    return [];
  }
}

async function payloadOf(token: string, key: ReturnType<typeof importJWK>): Promise<Claims | undefined> {
  try {
    const { payload } = await compactVerify(token, await key, { algorithms: [ALGORITHM] });
    const claims: unknown = JSON.parse(new TextDecoder().decode(payload));
    return isClaims(claims) ? claims : undefined;
  } catch {
    return undefined;
  }
}

function isClaims(value: unknown): value is Claims {
  if (typeof value !== "object" || value === null) return false;
  const { iss, sub, aud, scope, iat, exp } = value as Record<string, unknown>;
  return (
    [iss, sub, aud, scope].every((text) => typeof text === "string") &&
    [iat, exp].every((time) => typeof time === "number")
  );
}
