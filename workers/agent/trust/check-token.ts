// Which of the issuer's tokens this node obeys. The signature is the verifier's; here are the claims: for this node, for this use, in
// time by the issuer's clock, and for an opening: bound to this very challenge.

import { DavitError } from "../../../src/core/model/errors.ts";
import type { Epoch } from "../../../src/core/model/lease.ts";
import type { Claims, Verifier } from "../../../src/ports/signer.ts";
import type { IssuerTime } from "./issuer-time.ts";

/** Tokens are cut to the second, and travel. */
const LEEWAY_MS = 2_000;

/** The epoch of an opening. Throws `unauthenticated`. Expiry is not judged: the fresh challenge binds it to now. */
export async function checkOpening(
  verifier: Verifier,
  token: string,
  nodeId: string,
  challenge: string,
): Promise<{ readonly epoch: Epoch; readonly issuedAtMs: number }> {
  const claims = await verifier.verify(token);
  checkUse(claims, nodeId, "agent:work");
  if (claims.challenge !== challenge) throw refused("it answers another challenge");
  if (typeof claims.epoch !== "number" || typeof claims.epochNonce !== "string") throw refused("it names no epoch");
  return { epoch: { epoch: claims.epoch, nonce: claims.epochNonce }, issuedAtMs: claims.iat * 1_000 };
}

/** The claims of a token for one request. Throws `unauthenticated`, or `not_yet` when no coordinator has spoken since the agent started. */
export async function checkRequest(
  verifier: Verifier,
  token: string,
  nodeId: string,
  scope: string,
  newest: Epoch | undefined,
  time: IssuerTime,
): Promise<Claims> {
  const claims = await verifier.verify(token);
  checkUse(claims, nodeId, scope);
  const nowMs = time.nowMs();
  if (nowMs === undefined)
    throw new DavitError("not_yet", "check token: no coordinator has opened a session since the agent started", {
      wayOut: "try again in a few seconds",
    });
  if (claims.exp * 1_000 + LEEWAY_MS < nowMs) throw refused("it has expired");
  if (newest === undefined || claims.epoch !== newest.epoch)
    throw refused(`it is of epoch ${String(claims.epoch)}, this node obeys ${newest?.epoch ?? "none yet"}`);
  return claims;
}

function checkUse(claims: Claims, nodeId: string, scope: string): void {
  if (claims.aud !== nodeId) throw refused("it is for another node");
  if (!claims.scope.split(" ").includes(scope)) throw refused(`it lacks the scope ${scope}`);
}

function refused(why: string): DavitError {
  return new DavitError("unauthenticated", `check token: ${why}`);
}
