// What happened, in words, in order. A hash goes over every line; the last lines are kept for whoever has to understand a violation.

import type { Log, LogFields } from "../../../src/ports/log.ts";
import type { Scheduler } from "./scheduler.ts";

const KEPT = 120;

export class Journal {
  readonly #scheduler: Scheduler;
  readonly #isKept: boolean;
  readonly #lines: string[] = [];
  /** Told of each error that a process logs. */
  onError: (who: string, message: string, fields?: LogFields) => void = () => {};
  #high = 0;
  #low = 0;

  /** `isKept`: every line is kept, not only the last ones. */
  constructor(scheduler: Scheduler, isKept: boolean) {
    this.#scheduler = scheduler;
    this.#isKept = isKept;
  }

  /** 64 bits over all that was written, in hex. */
  get hash(): string {
    return this.#high.toString(16).padStart(8, "0") + this.#low.toString(16).padStart(8, "0");
  }

  get lines(): readonly string[] {
    return this.#isKept ? this.#lines : this.#lines.slice(-KEPT);
  }

  /** `who` did or met `what`. */
  write(who: string, what: string): void {
    const line = `${(this.#scheduler.nowMs / 1_000).toFixed(3).padStart(9)} ${who}: ${what}`;
    this.#high = Bun.hash.murmur32v3(line, this.#high);
    this.#low = Bun.hash.crc32(line, this.#low);
    this.#lines.push(line);
    if (!this.#isKept && this.#lines.length > 2 * KEPT) this.#lines.splice(0, KEPT);
  }

  /** The log of a process. Debug lines are left out. */
  logOf(who: string): Log {
    const write = (level: string) => (message: string, fields?: LogFields) =>
      this.write(who, fields === undefined ? `${level}${message}` : `${level}${message} ${JSON.stringify(fields)}`);
    const log: Log = {
      debug: () => {},
      info: write(""),
      warn: write("WARN "),
      error: (message, fields) => {
        write("ERROR ")(message, fields);
        this.onError(who, message, fields);
      },
      with: () => log,
    };
    return log;
  }
}
