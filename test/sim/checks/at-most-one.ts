// S3: of a service that must never run twice no slot runs on two hosts, at any moment, by what truly runs. A machine that stood still could not
// stop anything: such overlaps are counted apart. And nothing is left to the fence that an agent could have stopped itself.

import type { Box } from "../fakes/machine-engine.ts";
import type { Cluster } from "../world/cluster.ts";
import type { Host } from "../world/host.ts";
import { Bystander } from "../world/universe.ts";
import type { EngineChecks } from "./engine-checks.ts";
import type { Findings } from "./violation.ts";

/** A frozen machine's fence has had its turn so long after it went on. */
const THAWED_MS = 2_000;
/** What an engine that did not answer may still be about: its longest call but starts and pulls. */
const UNTROUBLED_MS = 60_000;

export class AtMostOne extends Bystander {
  readonly #findings: Findings;
  readonly #cluster: Cluster;
  readonly #engines: EngineChecks;
  /** Containers that an agent has asked to be stopped. */
  readonly #stopping = new Set<Box>();
  /** How often two ran while one of their machines stood still. */
  frozen = 0;
  /** How often a task was made anew elsewhere, and how often a fence was needed. */
  handovers = 0;
  fences = 0;
  readonly #lastOn = new Map<string, Host>();

  constructor(findings: Findings, cluster: Cluster, engines: EngineChecks) {
    super();
    this.#findings = findings;
    this.#cluster = cluster;
    this.#engines = engines;
  }

  override started(host: Host, box: Box): void {
    const work = box.request?.task;
    if (work?.leaseMs === undefined || work.slot === 0) return;
    const slot = slotOf(box);
    const before = this.#lastOn.get(slot);
    if (before !== undefined && before !== host) this.handovers += 1;
    this.#lastOn.set(slot, host);
    if (this.#engines.givenUp.has(host)) return;
    for (const other of this.#cluster.nodes) {
      if (other === host || this.#engines.givenUp.has(other)) continue;
      const twin = other.engine.running.find((one) => one.request?.task.leaseMs !== undefined && slotOf(one) === slot);
      if (twin === undefined) continue;
      if (this.#stoodStill(host) || this.#stoodStill(other)) this.frozen += 1;
      else
        this.#findings.report(
          "S3",
          `${box.name} starts on ${host.name}, and ${twin.name} runs on ${other.name}: one of the two at most may`,
        );
    }
  }

  #stoodStill({ frozenMs }: Host): boolean {
    return this.#cluster.universe.nowMs < frozenMs + THAWED_MS;
  }

  override asked(_host: Host, what: string, box: Box): void {
    if (what === "stop" || what === "kill") this.#stopping.add(box);
  }

  override fenced(host: Host, box: Box, leaseEndedBootMs: number): void {
    this.fences += 1;
    const { nowMs } = this.#cluster.universe;
    const sinceMs = nowMs - (host.clock.bootMs() - leaseEndedBootMs) / host.clock.rate;
    // it must have been about its work since some time before, on an engine that answers
    const isFree =
      host.core !== undefined &&
      host.core.held.position !== undefined &&
      host.engine.daemon.isAlive &&
      Math.max(host.disturbedMs, host.frozenMs, host.engine.troubledMs, box.startedMs ?? 0) + UNTROUBLED_MS < sinceMs;
    this.#findings.check(
      "S3",
      !isFree || this.#stopping.has(box),
      () => `the lease of ${box.name} on ${host.name} was over, and its agent did not stop it`,
    );
  }
}

function slotOf(box: Box): string {
  return `${box.labels["davit.service.id"]}/${box.labels["davit.slot"]}`;
}
