// Tokens: what is signed, what is refused, and keys that change.

import { describe, expect, test } from "vitest";
import { checkClaims, type Expected } from "../../src/auth/claims.ts";
import { createIssuerKey } from "../../src/auth/keys.ts";
import { isAllowed, mayDeploySomething, scopesOfRole } from "../../src/auth/roles.ts";
import { seal, unseal } from "../../src/auth/seal.ts";
import { createSigner } from "../../src/auth/signer.ts";
import { createVerifier } from "../../src/auth/verifier.ts";
import { DavitError } from "../../src/core/model/errors.ts";
import type { Claims } from "../../src/ports/signer.ts";

const CLAIMS: Claims = {
  iss: "cluster",
  sub: "coordinator",
  aud: "n1",
  scope: "agent:work agent:logs",
  iat: 100,
  exp: 160,
  epoch: 3,
  epochNonce: "abc",
  challenge: "q",
};

async function keys(count: number) {
  return await Promise.all(
    Array.from({ length: count }, async (_, at) => ({ ...(await createIssuerKey()), createdAtMs: at })),
  );
}

function encode(value: unknown): string {
  return Buffer.from(JSON.stringify(value)).toString("base64url");
}

async function isRefused(act: Promise<unknown>): Promise<boolean> {
  return await act.then(
    () => false,
    (error: unknown) => error instanceof DavitError && error.code === "unauthenticated",
  );
}

describe("signatures", () => {
  test("what was signed comes back as it was", async () => {
    const [key] = await keys(1);
    if (key === undefined) return expect.fail();
    const token = await createSigner(() => [key]).sign(CLAIMS);
    expect(await createVerifier(() => [key.publicJwk]).verify(token)).toEqual(CLAIMS);
  });

  test("altered, foreign, unsigned and re-labelled tokens are refused", async () => {
    const [key, other] = await keys(2);
    if (key === undefined || other === undefined) return expect.fail();
    const verifier = createVerifier(() => [key.publicJwk]);
    const [header, , signature] = (await createSigner(() => [key]).sign(CLAIMS)).split(".");
    const altered = `${header}.${encode({ ...CLAIMS, aud: "n2" })}.${signature}`;
    const foreign = await createSigner(() => [other]).sign(CLAIMS);
    const borrowedKid = await createSigner(() => [{ ...other, kid: key.kid }]).sign(CLAIMS);
    const unsigned = `${encode({ alg: "none" })}.${encode(CLAIMS)}.`;
    const symmetric = `${encode({ alg: "HS256" })}.${encode(CLAIMS)}.${signature}`;
    for (const token of [altered, foreign, borrowedKid, unsigned, symmetric, "", "a.b", "x".repeat(10_000)])
      expect(await isRefused(verifier.verify(token))).toBe(true);
  });

  test("a payload that is no set of claims is refused though it is signed", async () => {
    const [key] = await keys(1);
    if (key === undefined) return expect.fail();
    const token = await createSigner(() => [key]).sign({ iss: "cluster" } as unknown as Claims);
    expect(await isRefused(createVerifier(() => [key.publicJwk]).verify(token))).toBe(true);
  });

  test("the newest key signs; tokens of older ones count until their key is taken away", async () => {
    const [old, young] = await keys(2);
    if (old === undefined || young === undefined) return expect.fail();
    const signing = [old];
    let known = [old.publicJwk];
    const signer = createSigner(() => signing);
    const verifier = createVerifier(() => known);
    const before = await signer.sign(CLAIMS);
    signing.push(young);
    const after = await signer.sign(CLAIMS);
    expect(await isRefused(verifier.verify(after))).toBe(true);
    known = [old.publicJwk, young.publicJwk];
    expect(await verifier.verify(before)).toEqual(CLAIMS);
    expect(await verifier.verify(after)).toEqual(CLAIMS);
    known = [young.publicJwk];
    expect(await isRefused(verifier.verify(before))).toBe(true);
  });

  test("a key without an id verifies, as a node's own does", async () => {
    const [key] = await keys(1);
    if (key === undefined) return expect.fail();
    const { kid: _kid, ...bare } = JSON.parse(key.publicJwk) as Record<string, string>;
    const token = await createSigner(() => [key]).sign(CLAIMS);
    expect(await createVerifier(() => [JSON.stringify(bare)]).verify(token)).toEqual(CLAIMS);
  });

  test("without a key nothing is signed", async () => {
    await expect(createSigner(() => []).sign(CLAIMS)).rejects.toMatchObject({ code: "unavailable" });
  });
});

describe("claims", () => {
  const right: Expected = {
    audience: "n1",
    issuer: "cluster",
    scope: "agent:work",
    nowSeconds: 159,
    epoch: { epoch: 3, nonce: "abc" },
    challenge: "q",
  };
  const wrong: readonly (readonly [string, Partial<Expected>, string])[] = [
    ["for another audience", { audience: "n2" }, "unauthenticated"],
    ["from another issuer", { issuer: "other" }, "unauthenticated"],
    ["at the second of its expiry", { nowSeconds: 160 }, "unauthenticated"],
    ["of another epoch", { epoch: { epoch: 4, nonce: "abc" } }, "unauthenticated"],
    ["of another chain with the same number", { epoch: { epoch: 3, nonce: "xyz" } }, "unauthenticated"],
    ["that answers another challenge", { challenge: "z" }, "unauthenticated"],
    ["without the scope", { scope: "agent:exec" }, "forbidden"],
  ];
  test("the right ones pass, and leeway counts after expiry", () => {
    expect(() => checkClaims(CLAIMS, right)).not.toThrow();
    expect(() => checkClaims(CLAIMS, { ...right, nowSeconds: 161, leewaySeconds: 2 })).not.toThrow();
  });
  for (const [what, change, code] of wrong) {
    test(`a token ${what} is ${code}`, () => {
      expect(() => checkClaims(CLAIMS, { ...right, ...change })).toThrow(expect.objectContaining({ code }) as Error);
    });
  }
  test("a scope is a whole word", () => {
    expect(() => checkClaims({ ...CLAIMS, scope: "agent:workshop" }, right)).toThrow("lacks the scope agent:work");
  });
});

describe("roles", () => {
  test("a bound deployer deploys its own stack and no other", () => {
    const bound = scopesOfRole("deployer", "shop");
    expect([
      isAllowed(bound, "api:deploy", "shop"),
      isAllowed(bound, "api:deploy", "blog"),
      isAllowed(bound, "api:deploy"),
      mayDeploySomething(bound),
    ]).toEqual([true, false, false, true]);
  });
  test("only an admin administrates, and a viewer deploys nothing", () => {
    expect(
      (["admin", "deployer", "viewer"] as const).map((role) => isAllowed(scopesOfRole(role), "api:admin")),
    ).toEqual([true, false, false]);
    expect(mayDeploySomething(scopesOfRole("viewer"))).toBe(false);
  });
});

describe("sealing", () => {
  const key = new Uint8Array(32).fill(7);
  test("what was sealed opens with its key, and never looks the same twice", () => {
    const [first, second] = [seal(key, "pässword"), seal(key, "pässword")];
    expect(first).not.toBe(second);
    expect([unseal(key, first), unseal(key, second)]).toEqual(["pässword", "pässword"]);
  });
  test("another key, an altered text and rubbish do not open", () => {
    const sealed = seal(key, "secret");
    const altered = `${sealed.slice(0, -2)}${sealed.endsWith("AA") ? "BB" : "AA"}`;
    for (const [tried, text] of [
      [new Uint8Array(32).fill(8), sealed],
      [key, altered],
      [key, "v2.abc"],
      [key, ""],
    ] as const) {
      expect(() => unseal(tried, text)).toThrow(expect.objectContaining({ code: "storage_failed" }) as Error);
    }
  });
});
