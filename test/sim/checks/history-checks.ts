// S1: each commit carries the store's newest epoch, and epochs grow. S2: an agent obeys one chain, and what it holds never gets older. S5: what
// was acknowledged is durable, and no agent holds what is not committed. They read the true log and the agents' true files.

import type { Epoch, EpochChain } from "../../../src/core/model/lease.ts";
import type { Change } from "../../../src/core/model/records.ts";
import type { WorkPosition } from "../../../src/core/model/work.ts";
import type { Commit } from "../../../src/ports/store.ts";
import type { Coordinating, CoordinatorMachine } from "../world/coordinator-machine.ts";
import type { Host } from "../world/host.ts";
import { Bystander, type Universe } from "../world/universe.ts";
import type { Findings } from "./violation.ts";

const POSITION = /^\{"position":\{"epoch":(\d+),"generation":(\d+)\}/;

type Remembered = { core: Host["core"]; work: WorkPosition | undefined; routes: WorkPosition | undefined };

export class HistoryChecks extends Bystander {
  readonly #findings: Findings;
  readonly #universe: Universe;
  /** What each life of an agent held last, in memory. */
  readonly #remembered = new Map<Host, Remembered>();
  /** The chain that each start presents, by its nonce. */
  readonly #chains = new Map<string, EpochChain>();
  readonly #revisions = new Map<CoordinatorMachine, number>();
  /** Durable revision of the data that a start works on, by its nonce. */
  readonly #durable = new Map<string, number>();
  readonly #acknowledged = new Map<CoordinatorMachine, number>();
  readonly #changes = new Map<CoordinatorMachine, Map<number, readonly Change[]>>();

  constructor(findings: Findings, universe: Universe) {
    super();
    this.#findings = findings;
    this.#universe = universe;
  }

  override epochBegun(chain: EpochChain): void {
    const newest = chain.at(-1);
    const before = chain.at(-2);
    if (newest === undefined) return;
    this.#findings.check(
      "S1",
      newest.epoch > (before?.epoch ?? 0),
      () => `epoch ${newest.epoch} follows ${before?.epoch}`,
    );
    this.#chains.set(newest.nonce, chain);
  }

  override coordinatorStarted({ machine, nonce }: Coordinating): void {
    const acknowledged = this.#acknowledged.get(machine) ?? 0;
    const found = machine.file.revision;
    this.#findings.check(
      "S5",
      found >= acknowledged,
      () => `revision ${acknowledged} was acknowledged, and ${found} is there`,
    );
    this.#durable.set(nonce, found);
    this.#revisions.set(machine, found);
  }

  override durable({ machine, nonce }: Coordinating, commit: Commit, revision: number): void {
    const newest = machine.file.chain.at(-1)?.epoch;
    this.#findings.check(
      "S1",
      commit.epoch === newest,
      () => `a commit of epoch ${commit.epoch} in a store of epoch ${newest}`,
    );
    const before = this.#revisions.get(machine) ?? 0;
    this.#findings.check("S1", revision > before, () => `revision ${revision} follows ${before}`);
    this.#revisions.set(machine, revision);
    this.#durable.set(nonce, revision);
    const changes = this.#changes.get(machine) ?? new Map<number, readonly Change[]>();
    this.#changes.set(machine, changes.set(revision, commit.changes));
    if (changes.size > 500) for (const old of [...changes.keys()].slice(0, 250)) changes.delete(old);
  }

  /** A user was told that a change is done. */
  acknowledged(machine: CoordinatorMachine, revision: number, changes: readonly Change[]): void {
    if (changes.length === 0) return;
    const kept = this.#changes.get(machine)?.get(revision);
    const isThere = kept !== undefined && changes.every((change) => kept.includes(change));
    this.#findings.check(
      "S5",
      isThere,
      () => `revision ${revision} was acknowledged, and its changes are not on the disk`,
    );
    this.#acknowledged.set(machine, Math.max(revision, this.#acknowledged.get(machine) ?? 0));
  }

  override wrote(host: Host, file: string, before: string | undefined, text: string): void {
    if (file === "epoch.json") this.#obeyed(host, before, text);
    if (file === "work.json") this.#held(host, text);
    if (file === "work.json" || file === "routes.json") this.#goesOn(host, file, before, text);
  }

  #obeyed(host: Host, before: string | undefined, text: string): void {
    if (before === undefined) return;
    const last = JSON.parse(before) as Epoch;
    const next = JSON.parse(text) as Epoch;
    const chain = this.#chains.get(next.nonce) ?? [];
    const isKnown = chain.some((epoch) => epoch.epoch === last.epoch && epoch.nonce === last.nonce);
    this.#findings.check(
      "S2",
      isKnown,
      () => `${host.name} obeyed epoch ${last.epoch}, and now one that does not know of it`,
    );
  }

  #goesOn(host: Host, file: string, before: string | undefined, text: string): void {
    this.#isNoOlder(`${file} of ${host.name}`, positionIn(before ?? ""), positionIn(text));
  }

  /** After each event: a file may be right, and what is acted on be older; and nothing is acted on that the file has not. */
  look(): void {
    for (const host of this.#universe.hosts) {
      const { core } = host;
      if (core === undefined) continue;
      let last = this.#remembered.get(host);
      if (last?.core !== core) this.#remembered.set(host, (last = { core, work: undefined, routes: undefined }));
      const { work, routes } = last;
      const [newWork, newRoutes] = [core.held.position, core.routes.position];
      if (newWork === work && newRoutes === routes) continue;
      [last.work, last.routes] = [newWork, newRoutes];
      if (newWork !== work) this.#actsOn(host, "work.json", work, newWork);
      if (newRoutes !== routes) this.#actsOn(host, "routes.json", routes, newRoutes);
    }
  }

  #actsOn({ name, files }: Host, file: string, before: WorkPosition | undefined, now: WorkPosition | undefined): void {
    if (now === undefined) return;
    this.#isNoOlder(`what ${name} acts on`, before, now);
    const kept = positionIn(files.text(file) ?? "");
    const isKept = kept !== undefined && isNoOlder(kept, now);
    this.#findings.check("S5", isKept, () => `${name} acts on ${inWords(now)}, which ${file} has not`);
  }

  #isNoOlder(what: string, before: WorkPosition | undefined, now: WorkPosition | undefined): void {
    if (before === undefined || now === undefined) return;
    this.#findings.check(
      "S2",
      isNoOlder(now, before),
      () => `${what} goes back from ${inWords(before)} to ${inWords(now)}`,
    );
  }

  #held(host: Host, text: string): void {
    const generation = positionIn(text)?.generation ?? 0;
    const obeyed = host.files.text("epoch.json");
    if (obeyed === undefined) return this.#findings.report("S2", `${host.name} holds work and obeys nobody`);
    const { nonce } = JSON.parse(obeyed) as Epoch;
    const durable = this.#durable.get(nonce) ?? -1;
    this.#findings.check(
      "S5",
      generation <= durable,
      () => `${host.name} holds revision ${generation}; durable is ${durable}`,
    );
  }
}

function isNoOlder(one: WorkPosition, other: WorkPosition): boolean {
  return one.epoch > other.epoch || (one.epoch === other.epoch && one.generation >= other.generation);
}

function inWords({ epoch, generation }: WorkPosition): string {
  return `${generation} of epoch ${epoch}`;
}

function positionIn(text: string): WorkPosition | undefined {
  const found = POSITION.exec(text);
  return found === null ? undefined : { epoch: Number(found[1]), generation: Number(found[2]) };
}
