// Which tokens open the agent's logs and terminals: judged by the issuer's time as it was last told, never by the node's own clock.

import { beforeAll, describe, expect, test } from "vitest";
import { createIssuerKey, type IssuerKeyPair } from "../../src/auth/keys.ts";
import { createSigner } from "../../src/auth/signer.ts";
import { createVerifier } from "../../src/auth/verifier.ts";
import type { Claims } from "../../src/ports/signer.ts";
import { checkRequest, type RequestContext } from "../../workers/agent/trust/check-token.ts";
import { IssuerTime } from "../../workers/agent/trust/issuer-time.ts";
import { FakeClock } from "../fakes/fake-clock.ts";
import { NODE_ID } from "./agent-world.ts";

const ISSUER_MS = 1_900_000_000_000;
const EPOCH = { epoch: 4, nonce: "d" };
const CLAIMS: Claims = {
  iss: "cluster",
  sub: "coordinator",
  aud: NODE_ID,
  scope: "agent:logs",
  iat: ISSUER_MS / 1_000,
  exp: ISSUER_MS / 1_000 + 60,
  epoch: EPOCH.epoch,
  epochNonce: EPOCH.nonce,
};

let key: IssuerKeyPair;
beforeAll(async () => {
  key = await createIssuerKey();
});

function tokenOf(claims: Partial<Claims> = {}, by = key): Promise<string> {
  return createSigner(() => [{ ...by, createdAtMs: 0 }]).sign({ ...CLAIMS, ...claims });
}

function nodeAt(clock: FakeClock): RequestContext {
  const issuerTime = new IssuerTime(clock);
  issuerTime.learn(ISSUER_MS);
  return { verifier: createVerifier(() => [key.publicJwk]), nodeId: NODE_ID, newest: EPOCH, issuerTime };
}

describe("a request's token", () => {
  test("by the issuer, for this node, this use, this epoch and in time is taken", async () => {
    expect(await checkRequest(nodeAt(new FakeClock()), await tokenOf(), "agent:logs")).toMatchObject({ aud: NODE_ID });
  });

  test.each([
    ["for another node", { aud: "m".repeat(25) }, "unauthenticated", "another audience"],
    ["for another use", { scope: "agent:exec" }, "forbidden", "lacks the scope agent:logs"],
    ["of an earlier epoch", { epoch: 3 }, "unauthenticated", "another epoch"],
    ["of another start with the same number", { epochNonce: "x" }, "unauthenticated", "another epoch"],
    ["that has expired", { exp: ISSUER_MS / 1_000 - 10 }, "unauthenticated", "expired"],
  ])("%s is refused", async (_, claims, code, words) => {
    const checking = checkRequest(nodeAt(new FakeClock()), await tokenOf(claims), "agent:logs");
    await expect(checking).rejects.toMatchObject({ code, message: expect.stringContaining(words) });
  });

  test("by a stranger, or changed on the way, is refused", async () => {
    const node = nodeAt(new FakeClock());
    const strange = await tokenOf({}, await createIssuerKey());
    await expect(checkRequest(node, strange, "agent:logs")).rejects.toMatchObject({ code: "unauthenticated" });
    const [header, , signature] = (await tokenOf()).split(".");
    const claims = Buffer.from(JSON.stringify({ ...CLAIMS, scope: "agent:exec" })).toString("base64url");
    const forged = `${header}.${claims}.${signature}`;
    await expect(checkRequest(node, forged, "agent:exec")).rejects.toMatchObject({ code: "unauthenticated" });
    const unsigned = `${Buffer.from('{"alg":"none"}').toString("base64url")}.${claims}.`;
    await expect(checkRequest(node, unsigned, "agent:exec")).rejects.toMatchObject({ code: "unauthenticated" });
  });

  test("expires as time passes on the node, though its wall clock is set back", async () => {
    const clock = new FakeClock();
    const node = nodeAt(clock);
    const token = await tokenOf();
    clock.stepWall(3_600_000);
    await clock.advance(55_000);
    expect(await checkRequest(node, token, "agent:logs")).toBeDefined();
    clock.stepWall(-7_200_000);
    await clock.advance(10_000);
    await expect(checkRequest(node, token, "agent:logs")).rejects.toThrow("expired");
  });

  test("must wait until a coordinator has spoken, so that an old one is not taken after a restart", async () => {
    const node = { ...nodeAt(new FakeClock()), issuerTime: new IssuerTime(new FakeClock()) };
    await expect(checkRequest(node, await tokenOf(), "agent:logs")).rejects.toMatchObject({ code: "not_yet" });
  });
});
