// Who may do what over the API: tokens, roles, the owner's socket.

import { describe, expect, test } from "vitest";
import { createIssuerKey } from "../../src/auth/keys.ts";
import { createSigner } from "../../src/auth/signer.ts";
import { createClient } from "../../src/client/client.ts";
import { DavitError } from "../../src/core/model/errors.ts";
import type { Claims } from "../../src/ports/signer.ts";
import { serviceOf, stackOf } from "../fakes/stacks.ts";
import { serve, type Serving } from "./serving.ts";

const SHOP = stackOf("shop", [serviceOf("shop", "web")]);
const BLOG = stackOf("blog", [serviceOf("blog", "web")]);

async function codeOf(act: Promise<unknown>): Promise<string> {
  return await act.then(
    () => "ok",
    (error: unknown) => (error instanceof DavitError ? error.code : expect.fail(String(error))),
  );
}

/** Status and body of a read with this token, or none. */
async function ask(
  { url }: Serving,
  token?: string,
  headers: Record<string, string> = {},
): Promise<readonly [number, string]> {
  const response = await fetch(`${url}/v1/nodes`, {
    headers: { ...headers, ...(token === undefined ? {} : { authorization: `Bearer ${token}` }) },
  });
  return [response.status, await response.text()];
}

describe("roles", () => {
  test("a viewer reads, and changes nothing", async () => {
    const serving = await serve();
    await serving.client.deploy(SHOP);
    const viewer = await serving.clientOf("viewer");
    expect((await viewer.services()).length).toBe(1);
    for (const act of [
      viewer.deploy(SHOP),
      viewer.scale("shop_web", 3),
      viewer.removeStack("shop"),
      viewer.updateNode("n1", {}),
      viewer.tokens(),
      viewer.audit(),
      viewer.createToken({ name: "x", role: "admin" }),
    ]) {
      expect(await codeOf(act)).toBe("forbidden");
    }
    expect(
      serving.backend.entries.filter((entry) => entry.outcome === "refused").map((entry) => entry.action),
    ).toContain("createToken");
  });

  test("a deployer deploys, and cannot change nodes or tokens", async () => {
    const serving = await serve();
    const deployer = await serving.clientOf("deployer");
    await deployer.deploy(SHOP);
    expect(await codeOf(deployer.updateNode("n1", {}))).toBe("forbidden");
    expect(await codeOf(deployer.createToken({ name: "x", role: "admin" }))).toBe("forbidden");
    expect(serving.backend.entries.at(1)).toMatchObject({ actor: "deployer 1", action: "stack.deploy", outcome: "ok" });
  });

  test("a deployer of one stack changes that stack only, whatever way is tried", async () => {
    const serving = await serve();
    await serving.client.deploy(BLOG);
    const deployer = await serving.clientOf("deployer", "shop");
    await deployer.deploy(SHOP);
    expect(await codeOf(deployer.scale("shop_web", 1))).toBe("ok");
    for (const act of [
      deployer.deploy(BLOG),
      deployer.scale("blog_web", 1),
      deployer.removeStack("blog"),
      deployer.removeService("blog_web"),
      deployer.rollback("blog_web"),
    ]) {
      expect(await codeOf(act)).toBe("forbidden");
    }
  });

  test("an admin does everything over TCP that the owner does on the socket", async () => {
    const serving = await serve();
    const admin = await serving.clientOf("admin");
    const made = await admin.createToken({ name: "ci", role: "viewer", expiresInSeconds: 60 });
    expect(made.token.split(".").length).toBe(3);
    expect((await admin.tokens()).map((token) => [token.name, token.lastUsedAt !== undefined])).toEqual([
      ["admin 1", true],
      ["ci", false],
    ]);
    expect(await codeOf(admin.createToken({ name: "ci", role: "viewer" }))).toBe("already_exists");
    await admin.revokeToken("ci");
    expect(await codeOf(createClient({ kind: "url", url: serving.url, token: made.token }).nodes())).toBe(
      "unauthenticated",
    );
    expect(await codeOf(admin.createToken({ name: "ci", role: "viewer" }))).toBe("ok");
  });
});

describe("tokens that do not count", () => {
  test("missing, malformed, forged, expired, revoked and misdirected tokens get the very same answer", async () => {
    const serving = await serve();
    const { backend, signer } = serving;
    const token = await serving.tokenOf("admin");
    const [record] = backend.model.state.userToken.values();
    const claims = JSON.parse(Buffer.from(token.split(".")[1] ?? "", "base64url").toString()) as Claims;
    const foreign = await createIssuerKey();
    const stranger = createSigner(() => [{ kid: foreign.kid, privateJwk: foreign.privateJwk, createdAtMs: 0 }]);
    const unsigned = `${Buffer.from(JSON.stringify({ alg: "none" })).toString("base64url")}.${token.split(".")[1]}.`;
    const bad = [
      undefined,
      "rubbish",
      unsigned,
      `${token.slice(0, -4)}AAAA`,
      await stranger.sign(claims),
      await signer.sign({ ...claims, aud: "a-node" }),
      await signer.sign({ ...claims, iss: "another-cluster" }),
      await signer.sign({ ...claims, exp: 1 }),
      await signer.sign({ ...claims, jti: "0".repeat(25) }),
      await signer.sign({ ...claims, scope: "api:read api:deploy api:admin peer:ready" }),
    ];
    expect((await ask(serving, token))[0]).toBe(200);
    const answers = [];
    for (const one of bad) answers.push(await ask(serving, one));
    expect(new Set(answers.map(([status]) => status))).toEqual(new Set([401]));
    expect(new Set(answers.map(([, body]) => body)).size).toBe(1);
    backend.model.nowMs = (record?.expiresAtMs ?? 0) + 1;
    expect(await ask(serving, token)).toEqual(answers[0]);
  });

  test("a request under another host's name is refused before anything else", async () => {
    const serving = await serve();
    const token = await serving.tokenOf("admin");
    const [status, body] = await ask(serving, token, { host: "evil.example:7373" });
    expect([status, body]).toEqual([403, expect.stringContaining("Host header") as string]);
  });

  test("health and the OpenAPI document need no token, nothing else is open", async () => {
    const { url } = await serve();
    const statusOf = async (path: string): Promise<number> => (await fetch(`${url}${path}`)).status;
    expect([
      await statusOf("/v1/health"),
      await statusOf("/v1/openapi.json"),
      await statusOf("/v1/version"),
      await statusOf("/v1/nothing"),
    ]).toEqual([200, 200, 401, 401]);
  });
});
