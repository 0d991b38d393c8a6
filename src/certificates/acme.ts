// Certificates from an ACME server (RFC 8555): an account, an order for one name, a proof, a request, the certificate. Every refusal is told in
// the server's own words, with the name that it is about.

import { calculateJwkThumbprint, exportJWK, FlattenedSign, importPKCS8, type JWK } from "jose";
import { createHash, createPublicKey } from "node:crypto";
import { DavitError, reasonOf } from "../core/model/errors.ts";
import type { CertificateIssuer, IssueRequest, Proof } from "../ports/certificate-issuer.ts";
import type { Clock } from "../ports/clock.ts";
import { certificateRequest } from "./x509.ts";

const REQUEST_TIMEOUT_MS = 30_000;
/** Validation by far-away servers takes seconds; an order that hangs is tried again later. */
const PATIENCE_MS = 120_000;
const LOOK_MS = 1_000;
/** A server may refuse a nonce at any time, and gives a new one with it. */
const NONCE_TRIES = 4;

export type AcmeSettings = {
  readonly directoryUrl: string;
  readonly email?: string | undefined;
  /** PEM of what the server's own certificate is signed by, where the world's authorities did not. */
  readonly caPem?: string | undefined;
  /** Proofs are DNS records. */
  readonly byDns: boolean;
};

type Directory = { readonly newNonce: string; readonly newAccount: string; readonly newOrder: string };
type Problem = { readonly type?: string; readonly detail?: string };
type Order = {
  readonly status: string;
  readonly authorizations: readonly string[];
  readonly finalize: string;
  readonly certificate?: string;
  readonly error?: Problem;
};
type Challenge = { readonly type: string; readonly url: string; readonly token: string; readonly error?: Problem };
type Authorization = { readonly status: string; readonly challenges: readonly Challenge[] };
type Answer = { readonly headers: Headers; readonly text: string };

/** An issuer that speaks to one server. */
export function createAcmeIssuer(settings: AcmeSettings, clock: Clock): CertificateIssuer {
  return {
    directoryUrl: settings.directoryUrl,
    proofKind: () => (settings.byDns ? "dns" : "http"),
    issue: (request) => new Exchange(settings, clock, request).run(),
  };
}

/** One certificate's way through the server. */
class Exchange {
  readonly #settings: AcmeSettings;
  readonly #clock: Clock;
  readonly #request: IssueRequest;
  #nonce: string | undefined;
  #directory: Directory | undefined;
  #accountUrl: string | undefined;

  constructor(settings: AcmeSettings, clock: Clock, request: IssueRequest) {
    this.#settings = settings;
    this.#clock = clock;
    this.#request = request;
    this.#accountUrl = request.account.url;
  }

  async run(): Promise<string> {
    const { host, keyPem } = this.#request;
    const directory = await this.#readDirectory();
    this.#directory = directory;
    const made = await this.#order(directory, host);
    const orderUrl = made.headers.get("location") ?? "";
    const order = JSON.parse(made.text) as Order;
    for (const url of order.authorizations) await this.#authorize(url);
    await this.#until(orderUrl, ["ready", "valid"]);
    const csr = Buffer.from(certificateRequest([host], keyPem)).toString("base64url");
    await this.#post(order.finalize, { csr });
    const { certificate = "" } = await this.#until(orderUrl, ["valid"]);
    return (await this.#post(certificate)).text;
  }

  async #readDirectory(): Promise<Directory> {
    const { directoryUrl } = this.#settings;
    const answer = await this.#fetch(directoryUrl, {}).catch((error: unknown) => {
      throw error instanceof Refused ? this.#failure(told(error.problem, "")) : error;
    });
    try {
      const directory = JSON.parse(answer.text) as Partial<Directory>;
      const { newNonce, newAccount, newOrder } = directory;
      if ([newNonce, newAccount, newOrder].every((url) => typeof url === "string")) return directory as Directory;
    } catch {
      // what is no JSON is no directory either
    }
    throw this.#failure(`${directoryUrl} is not the directory of an ACME server`);
  }

  /** The first request in an account's name: the server may have forgotten it. */
  async #order(directory: Directory, host: string): Promise<Answer> {
    const wanted = { identifiers: [{ type: "dns", value: host }] };
    const isKnown = this.#accountUrl !== undefined;
    if (!isKnown) await this.#register(directory);
    try {
      return await this.#post(directory.newOrder, wanted);
    } catch (error) {
      const isForgotten = error instanceof Refused && error.problem.type?.endsWith(":accountDoesNotExist") === true;
      if (!isKnown || !isForgotten) throw error;
      await this.#register(directory);
      return await this.#post(directory.newOrder, wanted);
    }
  }

  async #register(directory: Directory): Promise<void> {
    this.#accountUrl = undefined;
    const { email } = this.#settings;
    const contact = email === undefined ? {} : { contact: [`mailto:${email}`] };
    const answer = await this.#post(directory.newAccount, { termsOfServiceAgreed: true, ...contact });
    const url = answer.headers.get("location");
    if (url === null) throw this.#failure("it gave no account");
    await this.#request.account.registered(url);
    this.#accountUrl = url;
  }

  async #authorize(url: string): Promise<void> {
    const authorization = JSON.parse((await this.#post(url)).text) as Authorization;
    if (authorization.status === "valid") return;
    const type = this.#settings.byDns ? "dns-01" : "http-01";
    const challenge = authorization.challenges.find((each) => each.type === type);
    if (challenge === undefined) {
      const offered = authorization.challenges.map((each) => each.type).join(", ");
      throw this.#failure(`it offers no proof by ${type}, only ${offered}`);
    }
    await this.#request.prove(await this.#proof(challenge));
    await this.#post(challenge.url, {});
    const endMs = this.#clock.bootMs() + PATIENCE_MS;
    for (;;) {
      const { status, challenges } = JSON.parse((await this.#post(url)).text) as Authorization;
      if (status === "valid") return;
      if (status !== "pending")
        throw this.#failure(told(challenges.find(({ error }) => error !== undefined)?.error, status));
      if (this.#clock.bootMs() > endMs) throw this.#failure("it did not look at the proof in time");
      await this.#clock.sleep(LOOK_MS);
    }
  }

  async #proof({ token }: Challenge): Promise<Proof> {
    const answer = `${token}.${await calculateJwkThumbprint(await this.#publicJwk())}`;
    if (!this.#settings.byDns) return { kind: "http", token, answer };
    const value = createHash("sha256").update(answer).digest("base64url");
    return { kind: "dns", name: `_acme-challenge.${this.#request.host.replace(/^\*\./, "")}`, value };
  }

  async #until(url: string, wanted: readonly string[]): Promise<Order> {
    const endMs = this.#clock.bootMs() + PATIENCE_MS;
    for (;;) {
      const order = JSON.parse((await this.#post(url)).text) as Order;
      if (wanted.includes(order.status)) return order;
      if (order.status === "invalid") throw this.#failure(told(order.error, order.status));
      if (this.#clock.bootMs() > endMs) throw this.#failure(`its order is still ${order.status}`);
      await this.#clock.sleep(LOOK_MS);
    }
  }

  /** Signed with the account's key; without a payload it asks only. */
  async #post(url: string, payload?: unknown): Promise<Answer> {
    for (let tries = 1; ; tries++) {
      const nonce = this.#nonce ?? (await this.#newNonce());
      this.#nonce = undefined;
      const key = await importPKCS8(this.#request.account.keyPem, "ES256");
      const who = this.#accountUrl === undefined ? { jwk: await this.#publicJwk() } : { kid: this.#accountUrl };
      const text = payload === undefined ? "" : JSON.stringify(payload);
      const jws = await new FlattenedSign(new TextEncoder().encode(text))
        .setProtectedHeader({ alg: "ES256", nonce, url, ...who })
        .sign(key);
      const headers = { "content-type": "application/jose+json" };
      try {
        return await this.#fetch(url, { method: "POST", headers, body: JSON.stringify(jws) });
      } catch (error) {
        const isNonce = error instanceof Refused && error.problem.type?.endsWith(":badNonce") === true;
        if (!isNonce || tries >= NONCE_TRIES) throw error;
      }
    }
  }

  async #newNonce(): Promise<string> {
    const url = this.#directory?.newNonce ?? "";
    await this.#fetch(url, { method: "HEAD" });
    if (this.#nonce === undefined) throw this.#failure("it gave no nonce");
    return this.#nonce;
  }

  async #fetch(url: string, init: RequestInit): Promise<Answer> {
    const { caPem } = this.#settings;
    const signal = AbortSignal.timeout(REQUEST_TIMEOUT_MS);
    let answer: Response;
    let text: string;
    try {
      answer = await fetch(url, { ...init, signal, ...(caPem === undefined ? {} : { tls: { ca: caPem } }) });
      text = await answer.text();
    } catch (error) {
      throw this.#failure(`it does not answer: ${reasonOf(error)}`);
    }
    this.#nonce = answer.headers.get("replay-nonce") ?? this.#nonce;
    if (answer.ok) return { headers: answer.headers, text };
    throw new Refused(this.#failure("").message, problemIn(text, answer.status));
  }

  async #publicJwk(): Promise<JWK> {
    return await exportJWK(createPublicKey(this.#request.account.keyPem));
  }

  #failure(reason: string): DavitError {
    const { host } = new URL(this.#settings.directoryUrl);
    return new DavitError("unavailable", `get a certificate for ${this.#request.host} from ${host}: ${reason}`);
  }
}

/** An answer with a problem document (RFC 7807). */
class Refused extends DavitError {
  readonly problem: Problem;

  constructor(about: string, problem: Problem) {
    super("unavailable", `${about}${told(problem, "")}`);
    this.problem = problem;
  }
}

function problemIn(text: string, status: number): Problem {
  try {
    return JSON.parse(text) as Problem;
  } catch {
    return { detail: `status ${status} ${text.slice(0, 200)}` };
  }
}

/** "DNS problem: NXDOMAIN looking up A for shop.example.com (dns)". */
function told(problem: Problem | undefined, status: string): string {
  if (problem === undefined) return `the proof is ${status}`;
  const kind = problem.type?.replace("urn:ietf:params:acme:error:", "");
  return `${problem.detail ?? "no reason given"}${kind === undefined ? "" : ` (${kind})`}`;
}
