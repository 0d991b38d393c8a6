// Speaking with an ACME server that refuses, forgets or answers in words: what of it is kept, what is tried again, and what is told.

import { decodeProtectedHeader } from "jose";
import { afterEach, describe, expect, test } from "vitest";
import { createAcmeIssuer } from "../../src/certificates/acme.ts";
import { newKey } from "../../src/certificates/x509.ts";
import { FakeClock } from "../fakes/fake-clock.ts";

type Problem = { readonly status: number; readonly type: string; readonly detail: string };

/** Keeps accounts and refuses every order of those that it knows; a nonce is good once. */
class AcmeServer {
  readonly accounts: string[] = [];
  readonly #known = new Set<string>();
  readonly #nonces = new Set<string>();
  /** Nonces that it takes back before they are used. */
  lostNonces = 0;
  readonly #server = Bun.serve({ hostname: "127.0.0.1", port: 0, fetch: (request) => this.#answer(request) });

  get url(): string {
    return `http://127.0.0.1:${this.#server.port}`;
  }

  forgetAll(): void {
    this.#known.clear();
  }

  async stop(): Promise<void> {
    await this.#server.stop(true);
  }

  async #answer(request: Request): Promise<Response> {
    const { pathname } = new URL(request.url);
    const { url } = this;
    if (pathname === "/directory")
      return Response.json({ newNonce: `${url}/nonce`, newAccount: `${url}/account`, newOrder: `${url}/order` });
    if (pathname === "/nonce") return this.#say(200, {});
    const { protected: header } = (await request.json()) as { readonly protected: string };
    const { nonce, kid } = decodeProtectedHeader({ protected: header }) as { nonce: string; kid?: string };
    if (!this.#nonces.delete(nonce) || this.lostNonces-- > 0)
      return this.#refuse({ status: 400, type: "badNonce", detail: "used before" });
    if (pathname === "/account") {
      const account = `${url}/account/${this.accounts.length + 1}`;
      this.accounts.push(account);
      this.#known.add(account);
      return this.#say(201, { status: "valid" }, { location: account });
    }
    if (!this.#known.has(kid ?? "")) return this.#refuse({ status: 400, type: "accountDoesNotExist", detail: "who?" });
    return this.#refuse({ status: 429, type: "rateLimited", detail: "too many certificates" });
  }

  #refuse({ status, type, detail }: Problem): Response {
    return this.#say(status, { type: `urn:ietf:params:acme:error:${type}`, detail });
  }

  #say(status: number, body: object, headers: Readonly<Record<string, string>> = {}): Response {
    const nonce = `nonce${Math.random()}`;
    this.#nonces.add(nonce);
    return Response.json(body, { status, headers: { ...headers, "replay-nonce": nonce } });
  }
}

const server = new AcmeServer();
afterEach(() => server.forgetAll());

/** Asks once; tells the accounts that were to be kept, and why there is no certificate. */
async function ask(url?: string): Promise<{ readonly kept: readonly string[]; readonly reason: string }> {
  const settings = { directoryUrl: `${server.url}/directory`, byDns: false };
  const issuer = createAcmeIssuer(settings, new FakeClock());
  const kept: string[] = [];
  const account = {
    keyPem: newKey(),
    ...(url === undefined ? {} : { url }),
    registered: async (made: string) => void kept.push(made),
  };
  const prove = (): Promise<void> => Promise.reject(new Error("nothing is to be proved"));
  const reason = await issuer.issue({ host: "shop.example.com", keyPem: newKey(), account, prove }).then(
    () => "",
    (error: Error) => error.message,
  );
  return { kept, reason };
}

describe("an account", () => {
  test("is kept although its first certificate is refused: servers count accounts", async () => {
    const { kept, reason } = await ask();
    expect(kept).toEqual([server.accounts.at(-1)]);
    expect(reason).toContain("get a certificate for shop.example.com from 127.0.0.1");
    expect(reason).toContain("too many certificates (rateLimited)");
    const before = server.accounts.length;
    expect((await ask(kept[0])).kept).toEqual([]);
    expect(server.accounts).toHaveLength(before);
  });

  test("that the server forgot is made anew, and kept", async () => {
    const { kept, reason } = await ask(`${server.url}/account/gone`);
    expect(kept).toEqual([server.accounts.at(-1)]);
    expect(reason).toContain("rateLimited");
  });
});

describe("a nonce", () => {
  test("that the server takes no more is asked for again, a few times", async () => {
    server.lostNonces = 2;
    expect((await ask()).reason).toContain("rateLimited");
    server.lostNonces = 100;
    expect((await ask()).reason).toContain("used before (badNonce)");
    server.lostNonces = 0;
  });
});

test("a server that does not answer is told by its name", async () => {
  await server.stop();
  expect((await ask()).reason).toContain("it does not answer");
});
