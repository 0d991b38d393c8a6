// Sees to it that every host name of a route has its certificate: the cluster's own at once, an ACME server's one at a time, each renewed
// before it ends. What is due is decided by a pure plan over the state; what became of it is a record, so a restart goes on from there.

import { certificateKeyOf, failed, forgotten, issued, proving, type Sealed } from "../core/ingress/changes.ts";
import { type CertificateNeed, planCertificates } from "../core/ingress/plan-certificates.ts";
import { reasonOf } from "../core/model/errors.ts";
import type { AcmeAccount, Authority } from "../core/model/certificate.ts";
import type { Change } from "../core/model/records.ts";
import type { CertificateIssuer, CertificateMaker, DnsHook, Proof } from "../ports/certificate-issuer.ts";
import type { Clock, Timer } from "../ports/clock.ts";
import type { Log } from "../ports/log.ts";
import type { CommitDoor } from "./commit-door.ts";

const DAY_MS = 86_400_000;
const AUTHORITY_LIFE_MS = 3_650 * DAY_MS;
const OWN_LIFE_MS = 90 * DAY_MS;
/** A node that has not taken over a challenge by then is asked in vain. */
const IN_FORCE_WITHIN_MS = 10_000;
const LOOK_MS = 100;
/** After a look that failed, say because the disk was full. */
const RETRY_MS = 30_000;
/** Timers bear no more; and a clock that was set is noticed. */
const MAX_SLEEP_MS = 3_600_000;

export type CertificateContext = {
  readonly door: CommitDoor;
  readonly clock: Clock;
  readonly log: Log;
  readonly issuer: CertificateIssuer;
  readonly maker: CertificateMaker;
  readonly dnsHook?: DnsHook | undefined;
  readonly seal: (text: string) => string;
  readonly unseal: (sealed: string) => string;
  /** A number from 0 to 1, always the same for a name. */
  readonly unitOf: (name: string) => number;
  /** Names of the nodes in reach that have not applied the routes of a revision. */
  readonly lagging: (revision: number) => readonly string[];
  /** Why nodes do not serve HTTP, by name. */
  readonly troubles: () => ReadonlyMap<string, string>;
};

export class CertificateLoop {
  readonly #context: CertificateContext;
  #timer: Timer | undefined;
  #isLooking = false;
  #again = false;
  #isAsking = false;
  #isStopped = false;

  constructor(context: CertificateContext) {
    this.#context = context;
    context.door.onCommit((changes) => {
      if (changes.some(isOfInterest)) this.wake();
    });
  }

  /** Look again. Any number of calls before that are one. */
  wake(): void {
    this.#again = true;
    if (this.#isLooking || this.#isStopped) return;
    this.#isLooking = true;
    this.#look()
      .catch((error: unknown) => {
        this.#context.log.error("see to certificates", { reason: reasonOf(error) });
        this.#lookIn(RETRY_MS);
      })
      .finally(() => {
        this.#isLooking = false;
        // asked for while the last look was on its way out
        if (this.#again) this.wake();
      });
  }

  #lookIn(delayMs: number): void {
    this.#timer?.cancel();
    this.#timer = this.#context.clock.after(delayMs, () => this.wake());
  }

  stop(): void {
    this.#isStopped = true;
    this.#timer?.cancel();
  }

  async #look(): Promise<void> {
    const { door, clock, unitOf } = this.#context;
    while (this.#again && !this.#isStopped) {
      this.#again = false;
      const { get, forget, nextMs } = planCertificates(door.state, clock.nowMs(), unitOf);
      if (forget.length > 0) await door.commit((state) => forgotten(state, forget));
      for (const need of get.filter(({ source }) => source === "internal")) await this.#vouch(need);
      const [first] = get.filter(({ source }) => source === "acme");
      if (first !== undefined && !this.#isAsking) this.#ask(first);
      this.#timer?.cancel();
      if (nextMs !== undefined) this.#lookIn(Math.min(Math.max(nextMs - clock.nowMs(), 0), MAX_SLEEP_MS));
    }
  }

  /** A certificate of the cluster's own authority. */
  async #vouch(need: CertificateNeed): Promise<void> {
    const { door, clock, maker, seal, unseal } = this.#context;
    const authority = await this.#authority();
    const keyPem = maker.newKey();
    const chainPem = maker.newCertificate({
      hosts: [need.name],
      keyPem,
      authority: { certificatePem: authority.certificatePem, keyPem: unseal(authority.sealedKey) },
      nowMs: clock.nowMs(),
      lifetimeMs: OWN_LIFE_MS,
    });
    const sealed: Sealed = { ...maker.describe(chainPem), sealedPem: seal(`${chainPem}${keyPem}`) };
    await door.commit((state) => issued(state, need, sealed));
  }

  async #authority(): Promise<Authority> {
    const { door, clock, maker, seal } = this.#context;
    const known = door.state.authority.get("internal");
    if (known !== undefined) return known;
    const keyPem = maker.newKey();
    const [cluster] = door.state.cluster.values();
    const name = `davit ${cluster?.name ?? "cluster"} ${cluster?.id.slice(0, 8) ?? ""}`.trim();
    const record: Authority = {
      id: "internal",
      certificatePem: maker.newAuthority(name, keyPem, clock.nowMs(), AUTHORITY_LIFE_MS),
      sealedKey: seal(keyPem),
      notAfterMs: clock.nowMs() + AUTHORITY_LIFE_MS,
    };
    await door.commit(() => ({ changes: [{ op: "put", kind: "authority", record }], result: undefined }));
    return record;
  }

  /** One at a time: a public server counts how often it is asked. */
  #ask(need: CertificateNeed): void {
    this.#isAsking = true;
    this.#issue(need)
      .catch((error: unknown) => this.#context.log.error("keep a certificate", { reason: reasonOf(error) }))
      .finally(() => {
        this.#isAsking = false;
        this.wake();
      });
  }

  async #issue(need: CertificateNeed): Promise<void> {
    const { door, clock, log, issuer, maker, seal, unseal } = this.#context;
    const { directoryUrl } = issuer;
    const account = door.state.acmeAccount.get(directoryUrl);
    const accountKey = account === undefined ? maker.newKey() : unseal(account.sealedKey);
    const cleanups: (() => Promise<void>)[] = [];
    let hint = "";
    try {
      const keyPem = maker.newKey();
      const chainPem = await issuer.issue({
        host: need.name,
        keyPem,
        account: {
          keyPem: accountKey,
          ...(account === undefined ? {} : { url: account.url }),
          registered: async (url) => {
            const record: AcmeAccount = { id: directoryUrl, url, sealedKey: seal(accountKey) };
            await door.commit(() => ({ changes: [{ op: "put", kind: "acmeAccount", record }], result: undefined }));
          },
        },
        prove: async (proof) => {
          hint = await this.#prove(need, proof, cleanups);
        },
      });
      const sealed: Sealed = { ...maker.describe(chainPem), sealedPem: seal(`${chainPem}${keyPem}`) };
      await door.commit((state) => issued(state, need, sealed));
      log.info("a certificate was issued", { host: need.name });
    } catch (error) {
      const reason = `${reasonOf(error)}${hint}`;
      log.warn("no certificate", { host: need.name, reason });
      await door.commit((state) => failed(state, need, reason, clock.nowMs()));
    } finally {
      for (const cleanup of cleanups)
        await cleanup().catch((error: unknown) => log.warn("take a proof away", { reason: reasonOf(error) }));
    }
  }

  /** Resolves when it can be looked at, with what may be in its way. */
  async #prove(need: CertificateNeed, proof: Proof, cleanups: (() => Promise<void>)[]): Promise<string> {
    const { door, clock, lagging, troubles, dnsHook } = this.#context;
    if (proof.kind === "dns") {
      cleanups.push(async () => dnsHook?.("cleanup", proof.name, proof.value));
      await dnsHook?.("present", proof.name, proof.value);
      return "";
    }
    const { revision } = await door.commit((state) => proving(state, need, proof));
    const endMs = clock.bootMs() + IN_FORCE_WITHIN_MS;
    while (lagging(revision).length > 0 && clock.bootMs() < endMs) await clock.sleep(LOOK_MS);
    const late = lagging(revision).map((node) => `${node} has not taken over what to answer`);
    const broken = [...troubles()].map(([node, why]) => `${node}: ${why}`);
    return [...late, ...broken].map((each) => `; on ${each}`).join("");
  }
}

function isOfInterest(change: Change): boolean {
  if (change.kind === "certificate") return change.op === "delete" || certificateKeyOf(change.record) === "asked";
  return change.kind === "service" || change.kind === "serviceVersion";
}
