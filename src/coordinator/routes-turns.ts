// Who is sent routes when. At once, as long as that takes a moment; where there are many nodes and much to say, some at a time, so that beats
// and users get their turn in between, and then a rest as long as the work: what is committed meanwhile is sent as one change.

import type { Clock } from "../ports/clock.ts";
import type { NodeSession } from "./node-session.ts";

/** Sending for longer than this is noticed by whoever waits for an answer. */
const TURN_MS = 10;

export class RoutesTurns {
  readonly #clock: Clock;
  readonly #waiting = new Set<Pick<NodeSession, "sendRoutes">>();
  #isUnderWay = false;
  #spentMs = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** These may have news to be sent: now or soon. */
  add(sessions: readonly Pick<NodeSession, "sendRoutes">[]): void {
    for (const session of sessions) this.#waiting.add(session);
    if (!this.#isUnderWay) this.#turn();
  }

  #turn(): void {
    this.#isUnderWay = true;
    const startedMs = this.#clock.bootMs();
    let tookMs = 0;
    for (const session of this.#waiting) {
      this.#waiting.delete(session);
      session.sendRoutes();
      tookMs = this.#clock.bootMs() - startedMs;
      if (tookMs >= TURN_MS) break;
    }
    this.#spentMs += tookMs;
    const isLong = this.#spentMs >= TURN_MS;
    if (this.#waiting.size > 0) this.#clock.after(1, () => this.#turn());
    else if (isLong) {
      this.#clock.after(this.#spentMs, () => this.#turn());
      this.#spentMs = 0;
    } else {
      this.#isUnderWay = false;
      this.#spentMs = 0;
    }
  }
}
