// Which of the issuer's tokens this node obeys. The signature is the verifier's; here are the claims: for this node, for this use, in
// time by the issuer's clock, and for an opening: bound to this very challenge.

import { checkClaims } from "../../../src/auth/claims.ts";
import { DavitError } from "../../../src/core/model/errors.ts";
import type { Epoch } from "../../../src/core/model/lease.ts";
import type { Claims, Verifier } from "../../../src/ports/signer.ts";
import type { IssuerTime } from "./issuer-time.ts";

/** Tokens are cut to the second, and travel. */
const LEEWAY_SECONDS = 2;

export type Opening = { readonly epoch: Epoch; readonly issuedAtMs: number };

/** The epoch of an opening. Throws `unauthenticated` or `forbidden`. Expiry is not judged: the fresh challenge binds it to now. */
export async function checkOpening(
  verifier: Verifier,
  token: string,
  nodeId: string,
  challenge: string,
): Promise<Opening> {
  const claims = await verifier.verify(token);
  checkClaims(claims, { audience: nodeId, scope: "agent:work", challenge });
  const { epoch, epochNonce } = claims;
  if (typeof epoch !== "number" || typeof epochNonce !== "string") {
    throw new DavitError("unauthenticated", "check token: it names no epoch");
  }
  return { epoch: { epoch, nonce: epochNonce }, issuedAtMs: claims.iat * 1_000 };
}

export type RequestContext = {
  readonly verifier: Verifier;
  readonly nodeId: string;
  /** What this node obeys; undefined before its first session. */
  readonly newest: Epoch | undefined;
  readonly issuerTime: IssuerTime;
};

/** The claims of a token for one request. Throws `unauthenticated` or `forbidden`, and `not_yet` when no coordinator has spoken since the agent started. */
export async function checkRequest(context: RequestContext, token: string, scope: string): Promise<Claims> {
  const { newest } = context;
  const claims = await context.verifier.verify(token);
  const nowMs = context.issuerTime.nowMs();
  if (nowMs === undefined || newest === undefined) {
    throw new DavitError("not_yet", "check token: no coordinator has opened a session since the agent started", {
      wayOut: "try again in a few seconds",
    });
  }
  const nowSeconds = Math.floor(nowMs / 1_000);
  checkClaims(claims, { audience: context.nodeId, scope, epoch: newest, nowSeconds, leewaySeconds: LEEWAY_SECONDS });
  return claims;
}
