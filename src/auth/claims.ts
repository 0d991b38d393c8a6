// Whether claims that are known to be authentic allow what is asked: for whom, by whom, for what, until when, for which epoch, and
// answering which challenge. Times are given, never read. Every refusal is `unauthenticated`, a missing scope is `forbidden`. Pure.

import { DavitError } from "../core/model/errors.ts";
import type { Epoch } from "../core/model/lease.ts";
import type { Claims } from "../ports/signer.ts";

/** What the claims must say. What is absent is not judged. */
export type Expected = {
  /** A node's id, or "coordinator". */
  readonly audience: string;
  readonly issuer?: string;
  /** One scope that must be among the claimed ones. */
  readonly scope?: string;
  /** Seconds since 1970 by the clock that counts; absent where a fresh challenge binds the token to now. */
  readonly nowSeconds?: number;
  /** How much later than `exp` is still accepted: the sum of what tokens lose in rounding and travel. Default 0. */
  readonly leewaySeconds?: number;
  readonly epoch?: Epoch;
  readonly challenge?: string;
};

/** Throws `unauthenticated`, or `forbidden` when only the scope is missing. */
export function checkClaims(claims: Claims, expected: Expected): void {
  if (claims.aud !== expected.audience) throw refused("it is for another audience");
  if (expected.issuer !== undefined && claims.iss !== expected.issuer) throw refused("it is from another issuer");
  if (expected.nowSeconds !== undefined && claims.exp + (expected.leewaySeconds ?? 0) <= expected.nowSeconds)
    throw refused("it has expired");
  if (expected.challenge !== undefined && claims.challenge !== expected.challenge)
    throw refused("it answers another challenge");
  if (
    expected.epoch !== undefined &&
    (claims.epoch !== expected.epoch.epoch || claims.epochNonce !== expected.epoch.nonce)
  ) {
    throw refused("it is of another epoch");
  }
  if (expected.scope !== undefined && !scopesOf(claims).includes(expected.scope)) {
    throw new DavitError("forbidden", `check token: it lacks the scope ${expected.scope}`);
  }
}

/** The claimed scopes. */
export function scopesOf(claims: Claims): readonly string[] {
  return claims.scope.split(" ").filter((scope) => scope !== "");
}

function refused(why: string): DavitError {
  return new DavitError("unauthenticated", `check token: ${why}`);
}
