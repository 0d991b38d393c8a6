// Virtual time. Events lie in a heap by time and order of making; one is taken out, run, and all that it set going runs to its end before
// the next: JSC's `drainMicrotasks` empties the queue of promise reactions, at once and to the last, without a turn of the real event loop.
// So nothing of the process's own timers or threads can come in between, and the same events always happen in the same order.

import { drainMicrotasks } from "bun:jsc";
import type { Timer } from "../../../src/ports/clock.ts";

/** A process, or a machine with its processes. What it was to do after its end is never done; while it is paused, later. */
export class Life {
  readonly name: string;
  readonly #parent: Life | undefined;
  #isEnded = false;
  #pausedUntilMs = 0;

  constructor(name: string, parent?: Life) {
    this.name = name;
    this.#parent = parent;
  }

  get isAlive(): boolean {
    return !this.#isEnded && (this.#parent?.isAlive ?? true);
  }

  get pausedUntilMs(): number {
    return Math.max(this.#pausedUntilMs, this.#parent?.pausedUntilMs ?? 0);
  }

  end(): void {
    this.#isEnded = true;
  }

  pauseUntil(atMs: number): void {
    this.#pausedUntilMs = Math.max(this.#pausedUntilMs, atMs);
  }

  /** Whatever holds it up is over. */
  unpause(): void {
    this.#pausedUntilMs = 0;
  }
}

/** So many events in so little time are a loop that waits for nothing. */
const MAX_EVENTS = 100_000;
const STANDSTILL_MS = 100;

type Event = {
  atMs: number;
  readonly order: number;
  readonly life: Life | undefined;
  run: (() => void) | undefined;
  /** Its time has come while its process was paused. */
  isPostponed: boolean;
};

export class Scheduler {
  readonly #heap: Event[] = [];
  #sinceMs = 0;
  #events = 0;
  #order = 0;
  /** True time in milliseconds since the beginning. */
  nowMs = 0;
  /** Events that were run. */
  count = 0;
  /** Called after each event, when all that it set going has come to rest. */
  afterEach: () => void = () => {};

  /** Runs something later. `life`: whose doing it is; undefined for the world's. */
  after(delayMs: number, life: Life | undefined, run: () => void): Timer {
    const event: Event = {
      atMs: this.nowMs + Math.max(0, delayMs),
      order: this.#order++,
      life,
      run,
      isPostponed: false,
    };
    this.#push(event);
    return { cancel: () => void (event.run = undefined) };
  }

  /** A promise of a port: it is kept only if `life` is there to see it. `work` runs at that time and may throw. */
  later<Result>(delayMs: number, life: Life | undefined, work: () => Result): Promise<Result> {
    return new Promise((resolve, reject) => {
      this.after(delayMs, life, () => {
        try {
          resolve(work());
        } catch (error) {
          reject(error);
        }
      });
    });
  }

  /** Somebody is paused no longer: what waited for that happens now, in its order, before anything that comes after it. */
  resumed(): void {
    for (const event of this.#heap)
      if (event.isPostponed && (event.life?.pausedUntilMs ?? 0) <= this.nowMs) event.atMs = this.nowMs;
    // a sorted list is a heap
    this.#heap.sort((a, b) => a.atMs - b.atMs || a.order - b.order);
  }

  /** Runs events until that time; false once `stop` says so. */
  runUntil(atMs: number, stop: () => boolean = () => false): boolean {
    drainMicrotasks();
    for (let next = this.#heap[0]; next !== undefined && next.atMs <= atMs; next = this.#heap[0]) {
      this.#pop();
      this.#run(next);
      if (stop()) return false;
    }
    this.nowMs = Math.max(this.nowMs, atMs);
    return true;
  }

  #run(event: Event): void {
    const { life, run } = event;
    if (run === undefined || life?.isAlive === false) return;
    const pausedUntilMs = life?.pausedUntilMs ?? 0;
    if (pausedUntilMs > event.atMs) {
      event.atMs = pausedUntilMs;
      event.isPostponed = true;
      this.#push(event);
      return;
    }
    this.#events = event.atMs - this.#sinceMs < STANDSTILL_MS ? this.#events + 1 : 0;
    if (this.#events === 0) this.#sinceMs = event.atMs;
    if (this.#events > MAX_EVENTS) throw new Error(`${MAX_EVENTS} events within ${STANDSTILL_MS} ms: something spins`);
    this.nowMs = event.atMs;
    this.count += 1;
    run();
    drainMicrotasks();
    this.afterEach();
  }

  #push(event: Event): void {
    const heap = this.#heap;
    let at = heap.length;
    heap.push(event);
    while (at > 0) {
      const up = (at - 1) >> 1;
      const parent = heap[up];
      if (parent === undefined || isBefore(parent, event)) break;
      heap[at] = parent;
      at = up;
    }
    heap[at] = event;
  }

  #pop(): void {
    const heap = this.#heap;
    const last = heap.pop();
    if (last === undefined || heap.length === 0) return;
    let at = 0;
    for (;;) {
      const left = heap[2 * at + 1];
      const right = heap[2 * at + 2];
      const isRight = left !== undefined && right !== undefined && isBefore(right, left);
      const child = isRight ? right : left;
      if (child === undefined || isBefore(last, child)) break;
      heap[at] = child;
      at = isRight ? 2 * at + 2 : 2 * at + 1;
    }
    heap[at] = last;
  }
}

function isBefore(a: Event, b: Event): boolean {
  return a.atMs < b.atMs || (a.atMs === b.atMs && a.order < b.order);
}
