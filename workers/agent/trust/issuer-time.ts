// The issuer's time, as far as it is known for certain: the last authenticated statement of it, plus this machine's own boot-time
// since. The node's wall clock plays no part, so a clock that jumps loses no node.

import type { Clock } from "../../../src/ports/clock.ts";

export class IssuerTime {
  readonly #clock: Clock;
  #known: { readonly issuerMs: number; readonly bootMs: number } | undefined;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** An authenticated statement: a grant's, or the issue time of a token that is bound to a fresh challenge. */
  learn(issuerMs: number): void {
    this.#known = { issuerMs, bootMs: this.#clock.bootMs() };
  }

  /** Milliseconds since 1970; undefined before the first statement. */
  nowMs(): number | undefined {
    if (this.#known === undefined) return undefined;
    return this.#known.issuerMs + this.#clock.bootMs() - this.#known.bootMs;
  }
}
