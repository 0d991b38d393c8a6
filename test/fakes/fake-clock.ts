// A clock that stands still until it is moved. Timers fire in order of their time, ties in order of their making.

import type { Clock, Timer } from "../../src/ports/clock.ts";

type Waiting = { readonly atMs: number; readonly seq: number; readonly run: () => void };

export class FakeClock implements Clock {
  #bootMs: number;
  #wallOffsetMs: number;
  #seq = 0;
  #timers: Waiting[] = [];

  constructor(bootMs = 1_000_000, wallMs = 1_800_000_000_000) {
    this.#bootMs = bootMs;
    this.#wallOffsetMs = wallMs - bootMs;
  }

  nowMs(): number {
    return this.#bootMs + this.#wallOffsetMs;
  }

  bootMs(): number {
    return this.#bootMs;
  }

  bootId(): string {
    return "boot";
  }

  after(delayMs: number, run: () => void): Timer {
    const timer = { atMs: this.#bootMs + Math.max(0, delayMs), seq: this.#seq++, run };
    this.#timers.push(timer);
    return { cancel: () => void (this.#timers = this.#timers.filter((other) => other !== timer)) };
  }

  sleep(delayMs: number): Promise<void> {
    return new Promise((resolve) => void this.after(delayMs, resolve));
  }

  /** Wall time jumps; boot time goes on. */
  stepWall(byMs: number): void {
    this.#wallOffsetMs += byMs;
  }

  /** Moves time on, firing what becomes due and letting promises settle after each. */
  async advance(byMs: number): Promise<void> {
    const untilMs = this.#bootMs + byMs;
    await settle();
    for (;;) {
      const due = this.#timers
        .filter((timer) => timer.atMs <= untilMs)
        .sort((a, b) => a.atMs - b.atMs || a.seq - b.seq)[0];
      if (due === undefined) break;
      this.#timers = this.#timers.filter((timer) => timer !== due);
      this.#bootMs = Math.max(this.#bootMs, due.atMs);
      due.run();
      await settle();
    }
    this.#bootMs = untilMs;
  }
}

/** Lets every promise that can go on do so. */
export async function settle(): Promise<void> {
  for (let turn = 0; turn < 50; turn++) await Promise.resolve();
}
