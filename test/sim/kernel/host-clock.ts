// The clock of one machine: it runs a little fast or slow, its wall time may jump, and it begins anew at each boot.

import type { Clock, Timer } from "../../../src/ports/clock.ts";
import type { Life, Scheduler } from "./scheduler.ts";

/** What the wall shows at the beginning: some day in 2027. */
const WALL_START_MS = 1_800_000_000_000;
/** A timer may not fire before its time by the clock that set it, whatever is lost in rounding. */
const ROUNDING_MS = 0.01;

export class HostClock {
  readonly #scheduler: Scheduler;
  /** Milliseconds of this clock in a true one. */
  readonly rate: number;
  #bootedMs: number;
  #wallOffsetMs = 0;
  #boots = 0;
  #believedMs = 0;

  constructor(scheduler: Scheduler, rate: number, uptimeMs: number) {
    this.#scheduler = scheduler;
    this.rate = rate;
    this.#bootedMs = scheduler.nowMs - uptimeMs;
  }

  reboot(): void {
    this.#bootedMs = this.#scheduler.nowMs - 1;
    this.#boots += 1;
  }

  stepWall(byMs: number): void {
    this.#wallOffsetMs += byMs;
  }

  /** Its wall clock is right again. */
  setWall(): void {
    this.#wallOffsetMs = 0;
  }

  bootMs(): number {
    return Math.floor((this.#scheduler.nowMs - this.#bootedMs) * this.rate);
  }

  nowMs(): number {
    return Math.floor(WALL_START_MS + this.#scheduler.nowMs * this.rate + this.#wallOffsetMs);
  }

  bootId(): string {
    return `boot ${this.#boots}`;
  }

  /** What its wall would show if nobody had ever set it, but for what nobody could know any more. */
  steadyMs(): number {
    return Math.floor(WALL_START_MS + this.#scheduler.nowMs * this.rate + this.#believedMs);
  }

  /** It was set by so much, and boots before anybody noticed: that counts as time that passed. */
  believe(byMs: number): void {
    this.#believedMs += byMs;
  }

  /** As one process sees it: its timers end with it. */
  portOf(life: Life): Clock {
    const after = (delayMs: number, run: () => void): Timer =>
      this.#scheduler.after(Math.max(0, delayMs) / this.rate + ROUNDING_MS, life, run);
    return {
      nowMs: () => this.nowMs(),
      bootMs: () => this.bootMs(),
      bootId: () => this.bootId(),
      after,
      sleep: (delayMs) => new Promise((resolve) => void after(delayMs, resolve)),
    };
  }
}
