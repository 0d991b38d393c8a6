// When to probe which container, and what the answers add up to. Times come from the Clock port, answers from the ProbeRunner port.
//
// A fresh container is also looked at early, soon after its start and then at growing distances up to its interval: an early success
// counts, an early failure does not. So a service that is up in 100 ms is known to be, whatever its interval.

import type { HealthSpec } from "../../../src/core/model/service-spec.ts";
import type { Clock, Timer } from "../../../src/ports/clock.ts";
import type { ProbeTarget, Verdict } from "../plan/types.ts";

/**
 * The first look at a fresh container, and the next ones after this part of its age: who asks over the network, which costs nearly nothing, finds
 * it at most a quarter late. A command costs a process in it.
 */
const EARLY = {
  network: { firstMs: 10, share: 0.25 },
  process: { firstMs: 50, share: 1 },
} as const;
/** What is kept of a probe's answer. */
export const MAX_ANSWER_CHARS = 4 * 1024;

export type ProbeResult = { readonly ok: boolean; readonly answer: string };

/** Asks once. Never rejects; `answer` says what came back, or why nothing did. */
export interface ProbeRunner {
  probe(target: ProbeTarget): Promise<ProbeResult>;
}

type Watch = {
  readonly target: ProbeTarget;
  readonly sinceMs: number;
  timer: Timer;
  failures: number;
  hasSucceeded: boolean;
};

export class Prober {
  readonly #runner: ProbeRunner;
  readonly #clock: Clock;
  readonly #onVerdict: () => void;
  readonly #watches = new Map<string, Watch>();
  readonly #verdicts = new Map<string, Verdict>();

  constructor(runner: ProbeRunner, clock: Clock, onVerdict: () => void) {
    this.#runner = runner;
    this.#clock = clock;
    this.#onVerdict = onVerdict;
  }

  /** By container id; a container without an entry has no verdict yet. */
  get verdicts(): ReadonlyMap<string, Verdict> {
    return this.#verdicts;
  }

  /** Probes exactly these from now on. */
  sync(targets: readonly ProbeTarget[]): void {
    const wanted = new Map(targets.map((target) => [target.containerId, target]));
    for (const [id, watch] of this.#watches) {
      if (wanted.has(id)) continue;
      watch.timer.cancel();
      this.#watches.delete(id);
      this.#verdicts.delete(id);
    }
    for (const target of targets) if (!this.#watches.has(target.containerId)) this.#begin(target);
  }

  #begin(target: ProbeTarget): void {
    const id = target.containerId;
    const timer = this.#clock.after(earlyOf(target).firstMs, () => void this.#look(id));
    this.#watches.set(id, {
      target,
      sinceMs: this.#clock.bootMs(),
      timer,
      failures: 0,
      hasSucceeded: false,
    });
  }

  async #look(id: string): Promise<void> {
    const watch = this.#watches.get(id);
    if (watch === undefined) return;
    const result = await this.#runner.probe(watch.target);
    // it may have been stopped, or replaced by a watch of the same id, in the meantime
    if (this.#watches.get(id) !== watch) return;
    const before = this.#verdicts.get(id)?.healthy;
    this.#count(watch, result);
    watch.timer = this.#clock.after(this.#nextDelayMs(watch), () => void this.#look(id));
    if (this.#verdicts.get(id)?.healthy !== before) this.#onVerdict();
  }

  #count(watch: Watch, result: ProbeResult): void {
    const { health, containerId } = watch.target;
    if (result.ok) {
      watch.failures = 0;
      watch.hasSucceeded = true;
      this.#verdicts.set(containerId, { healthy: true, answer: "" });
      return;
    }
    if (!watch.hasSucceeded && this.#isExcused(watch)) return;
    watch.failures++;
    if (watch.failures >= Math.max(1, health.retries))
      this.#verdicts.set(containerId, { healthy: false, answer: result.answer.slice(0, MAX_ANSWER_CHARS) });
  }

  #ageMs(watch: Watch): number {
    return this.#clock.bootMs() - watch.sinceMs;
  }

  #isExcused(watch: Watch): boolean {
    return this.#ageMs(watch) < watch.target.health.startPeriodMs || this.#isEarly(watch);
  }

  #isEarly(watch: Watch): boolean {
    return this.#ageMs(watch) < 2 * startDistanceMs(watch.target.health);
  }

  #nextDelayMs(watch: Watch): number {
    const { health } = watch.target;
    if (watch.hasSucceeded) return health.intervalMs;
    const distanceMs = startDistanceMs(health);
    if (!this.#isEarly(watch)) return distanceMs;
    const { firstMs, share } = earlyOf(watch.target);
    return Math.min(distanceMs, Math.max(firstMs, Math.round(this.#ageMs(watch) * share)));
  }
}

function earlyOf({ health }: ProbeTarget): (typeof EARLY)[keyof typeof EARLY] {
  return health.probe.kind === "http" || health.probe.kind === "tcp" ? EARLY.network : EARLY.process;
}

/** Distance between probes until the first success. */
function startDistanceMs(health: HealthSpec): number {
  return Math.min(health.startIntervalMs > 0 ? health.startIntervalMs : health.intervalMs, health.intervalMs);
}
