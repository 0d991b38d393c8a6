// The way through an ACME server, against one on loopback that checks what it is sent: signatures, nonces, the proof; and what is said when it
// refuses, or is not there.

import { createHash } from "node:crypto";
import { calculateJwkThumbprint, flattenedVerify, importJWK, type JWK } from "jose";
import { afterEach, expect, test } from "vitest";
import { createAcmeIssuer } from "../../src/certificates/acme.ts";
import { newAuthority, newCertificate, newKey } from "../../src/certificates/x509.ts";
import { reasonOf } from "../../src/core/model/errors.ts";
import type { Proof } from "../../src/ports/certificate-issuer.ts";
import { FakeClock } from "../fakes/fake-clock.ts";

const HOST = "shop.example.com";

type Spoken = { readonly payload: string; readonly nonce: string; readonly jwk?: JWK };

/** An ACME server for one account and one name. */
class Server {
  /** Nonces that it refuses, though it gave them. */
  badNonces = 0;
  /** What it says of the proof; absent: it is fine. */
  refusal: { readonly type: string; readonly detail: string } | undefined;
  accounts = 0;
  readonly #server = Bun.serve({ port: 0, hostname: "127.0.0.1", fetch: (request) => this.#answer(request) });
  readonly #nonces = new Set<string>();
  #accountKey: JWK | undefined;
  #isProved = false;
  #isFinal = false;

  get url(): string {
    return `http://127.0.0.1:${this.#server.port}`;
  }

  stop(): Promise<void> {
    return this.#server.stop(true);
  }

  /** What must be found at the name, or in its DNS record. */
  async answerTo(token: string): Promise<string> {
    return `${token}.${await calculateJwkThumbprint(this.#accountKey ?? {})}`;
  }

  async #answer(request: Request): Promise<Response> {
    const { pathname } = new URL(request.url);
    const at = (path: string): string => `${this.url}${path}`;
    if (pathname === "/directory")
      return this.#json({ newNonce: at("/nonce"), newAccount: at("/account"), newOrder: at("/order") });
    if (pathname === "/missing") return new Response("nothing here", { status: 404 });
    if (request.method !== "POST") return this.#json({});
    const spoken = await this.#read(request);
    if (!this.#nonces.delete(spoken.nonce) || this.badNonces-- > 0)
      return this.#json({ type: "urn:ietf:params:acme:error:badNonce" }, 400);
    return await this.#state(pathname, spoken);
  }

  async #state(pathname: string, { payload }: Spoken): Promise<Response> {
    const at = (path: string): string => `${this.url}${path}`;
    const status = this.#isFinal ? "valid" : this.#isProved ? "ready" : "pending";
    const order = { status, authorizations: [at("/proof")], finalize: at("/final"), certificate: at("/chain") };
    switch (pathname) {
      case "/account":
        this.accounts += 1;
        return this.#json({}, 201, { location: at("/account/1") });
      case "/order":
        return this.#json(order, payload === "" ? 200 : 201, { location: at("/order") });
      case "/proof": {
        const { refusal } = this;
        const error = refusal === undefined ? {} : { error: refusal };
        const kinds = ["http-01", "dns-01"];
        const challenges = kinds.map((type) => ({ type, url: at("/look"), token: "token1", ...error }));
        const state = this.#isProved ? (refusal === undefined ? "valid" : "invalid") : "pending";
        return this.#json({ status: state, challenges });
      }
      case "/look":
        this.#isProved = true;
        return this.#json({});
      case "/final":
        expect(JSON.parse(payload)).toMatchObject({ csr: expect.stringMatching(/^[\w-]+$/) });
        this.#isFinal = true;
        return this.#json({ status: "processing" });
      default:
        return new Response(chain(), { headers: this.#headers() });
    }
  }

  async #read(request: Request): Promise<Spoken> {
    const jws = (await request.json()) as Parameters<typeof flattenedVerify>[0];
    const head = JSON.parse(Buffer.from(jws.protected ?? "", "base64url").toString()) as Record<string, unknown>;
    expect(head["url"]).toBe(request.url);
    if (head["jwk"] !== undefined) this.#accountKey = head["jwk"] as JWK;
    else expect(head["kid"]).toBe(`${this.url}/account/1`);
    const { payload } = await flattenedVerify(jws, await importJWK(this.#accountKey ?? {}, "ES256"));
    return { payload: Buffer.from(payload).toString(), nonce: String(head["nonce"]) };
  }

  #headers(): Record<string, string> {
    const nonce = crypto.randomUUID();
    this.#nonces.add(nonce);
    return { "replay-nonce": nonce };
  }

  #json(value: unknown, status = 200, headers: Record<string, string> = {}): Response {
    return Response.json(value, { status, headers: { ...this.#headers(), ...headers } });
  }
}

function chain(): string {
  const [authorityKey, keyPem] = [newKey(), newKey()];
  const authority = { certificatePem: newAuthority("acme", authorityKey, 0, 1e12), keyPem: authorityKey };
  return newCertificate({ hosts: [HOST], keyPem, authority, nowMs: 0, lifetimeMs: 1e12 });
}

let server = new Server();
afterEach(async () => {
  await server.stop();
  server = new Server();
});

async function issue(byDns: boolean, directoryUrl = `${server.url}/directory`) {
  const proofs: Proof[] = [];
  const clock = new FakeClock();
  const issuer = createAcmeIssuer({ directoryUrl, byDns, email: "ops@example.com" }, clock);
  const accounts: string[] = [];
  const chainPem = await issuer.issue({
    host: HOST,
    keyPem: newKey(),
    account: { keyPem: newKey(), registered: async (url) => void accounts.push(url) },
    prove: async (proof) => void proofs.push(proof),
  });
  return { chainPem, accounts, proofs };
}

test("a certificate is had by an account, a proof over HTTP, and a request, also when nonces are refused in between", async () => {
  server.badNonces = 2;
  const { chainPem, accounts, proofs } = await issue(false);
  expect(proofs).toEqual([{ kind: "http", token: "token1", answer: await server.answerTo("token1") }]);
  expect(chainPem).toContain("BEGIN CERTIFICATE");
  expect(accounts).toEqual([`${server.url}/account/1`]);
  expect(server.accounts).toBe(1);
});

test("a proof by DNS is the digest of the answer, at the name's own record", async () => {
  const { proofs } = await issue(true);
  const value = createHash("sha256")
    .update(await server.answerTo("token1"))
    .digest("base64url");
  expect(proofs).toEqual([{ kind: "dns", name: `_acme-challenge.${HOST}`, value }]);
});

test("a proof that the server does not find is told in its own words, with the name", async () => {
  server.refusal = { type: "urn:ietf:params:acme:error:dns", detail: "no A record for shop.example.com" };
  const reason = await issue(false).then(() => "none", reasonOf);
  expect(reason).toContain(`get a certificate for ${HOST} from 127.0.0.1`);
  expect(reason).toContain("no A record for shop.example.com (dns)");
});

test("a server that is not there, or is none, is told by its name", async () => {
  const { url } = server;
  const wrong = `${url}/nonce`;
  expect(await issue(false, wrong).then(() => "none", reasonOf)).toContain(`${wrong} is not the directory of an ACME`);
  const missing = await issue(false, `${url}/missing`).then(() => "none", reasonOf);
  expect(missing).toMatch(/^get a certificate for shop\.example\.com from 127\.0\.0\.1:\d+: status 404/);
  await server.stop();
  const reason = await issue(false, `${url}/directory`).then(() => "none", reasonOf);
  expect(reason).toMatch(/^get a certificate for shop\.example\.com from 127\.0\.0\.1:\d+: it does not answer: /);
});
