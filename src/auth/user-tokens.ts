// Tokens of users: a signed statement that points (jti) to a record, which is looked up at each use. So a revoked token ends at once,
// and a token without its record is worth nothing.

import { DavitError } from "../core/model/errors.ts";
import type { UserToken } from "../core/model/records.ts";
import type { Claims, Signer, Verifier } from "../ports/signer.ts";
import { checkClaims } from "./claims.ts";
import { scopesOfRole } from "./roles.ts";

export const COORDINATOR_AUDIENCE = "coordinator";

/** Tokens whose signature was checked; the claims are judged each time. */
const MAX_KNOWN = 1_000;

/** The text of a token for its record; `issuer` is the cluster's id. */
export function issueUserToken(signer: Signer, issuer: string, record: UserToken): Promise<string> {
  return signer.sign({
    iss: issuer,
    sub: record.name,
    aud: COORDINATOR_AUDIENCE,
    scope: scopesOfRole(record.role, record.stack).join(" "),
    iat: Math.floor(record.createdAtMs / 1_000),
    exp: Math.ceil(record.expiresAtMs / 1_000),
    jti: record.id,
  });
}

export type UserTokenCheck = {
  readonly verifier: Verifier;
  readonly issuer: string;
  readonly nowMs: number;
  readonly find: (id: string) => UserToken | undefined;
};

/** Signatures that were found right, by token: verifying one anew for each request would cost more than the request. Bounded. */
export class KnownTokens {
  readonly #claims = new Map<string, Claims>();

  /** The record behind a token. Throws `unauthenticated`, with one message whatever the reason. */
  async check(token: string, { verifier, issuer, nowMs, find }: UserTokenCheck): Promise<UserToken> {
    const claims = this.#claims.get(token) ?? (await verifier.verify(token).catch(() => undefined));
    const record = claims?.jti === undefined ? undefined : find(claims.jti);
    if (claims === undefined || record === undefined || !isGood(claims, record, issuer, nowMs)) {
      this.#claims.delete(token);
      throw refusedToken();
    }
    if (this.#claims.size >= MAX_KNOWN) this.#claims.clear();
    this.#claims.set(token, claims);
    return record;
  }

  /** Keys have changed: signatures count only if the keys that made them still do. */
  forget(): void {
    this.#claims.clear();
  }
}

function isGood(claims: Claims, record: UserToken, issuer: string, nowMs: number): boolean {
  if (record.revokedAtMs !== undefined || record.expiresAtMs <= nowMs) return false;
  if (claims.scope !== scopesOfRole(record.role, record.stack).join(" ")) return false;
  try {
    checkClaims(claims, { audience: COORDINATOR_AUDIENCE, issuer, nowSeconds: nowMs / 1_000 });
    return true;
  } catch {
    return false;
  }
}

/** The one answer to a token that is missing, forged, expired, revoked or meant for something else. */
export function refusedToken(): DavitError {
  return new DavitError("unauthenticated", "this needs a valid token", {
    wayOut: "an admin makes one with `davit token create`; on the coordinator's own machine its socket needs none",
  });
}
