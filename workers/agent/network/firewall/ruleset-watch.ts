// Hears from the kernel when somebody takes away rules: a flush of the whole ruleset, a firewall's reload, an engine that makes its chains
// anew. One `nft monitor`, which costs nothing while nothing changes. It says only that a look is worthwhile.

import { type ChildProcess, spawn } from "node:child_process";
import type { Clock, Timer } from "../../../../src/ports/clock.ts";
import { TABLE } from "./names.ts";

/** Changes come in flocks: one look after the last of them. */
const QUIET_MS = 100;
/** A monitor that ended, for want of room for a burst of events for example, is started again. */
const RESTART_MS = 1_000;
const WORTH_A_LOOK = new RegExp(
  `^delete table ${TABLE}\\b|^(add|delete) (table|chain|rule) \\S+ filter\\b.*DOCKER|^delete table|docker-bridges`,
);

/** Whether a line of `nft monitor` may mean that rules of ours are gone. */
export function isWorthALook(line: string): boolean {
  return WORTH_A_LOOK.test(line);
}

export class RulesetWatch {
  readonly #clock: Clock;
  readonly #onChange: () => void;
  #monitor: ChildProcess | undefined;
  #timer: Timer | undefined;
  #isClosed = false;

  constructor(clock: Clock, onChange: () => void) {
    this.#clock = clock;
    this.#onChange = onChange;
  }

  start(): void {
    if (this.#monitor !== undefined || this.#isClosed) return;
    const monitor = spawn("nft", ["monitor"], { stdio: ["ignore", "pipe", "ignore"] });
    this.#monitor = monitor;
    let rest = "";
    monitor.stdout.setEncoding("utf8").on("data", (text: string) => {
      const lines = (rest + text).split("\n");
      rest = lines.pop() ?? "";
      if (lines.some(isWorthALook)) this.#lookSoon(QUIET_MS);
    });
    monitor.on("error", () => undefined);
    monitor.on("close", () => {
      this.#monitor = undefined;
      if (!this.#isClosed) this.#lookSoon(RESTART_MS);
    });
  }

  close(): void {
    this.#isClosed = true;
    this.#timer?.cancel();
    this.#monitor?.kill("SIGKILL");
  }

  #lookSoon(delayMs: number): void {
    this.#timer?.cancel();
    this.#timer = this.#clock.after(delayMs, () => {
      this.start();
      this.#onChange();
    });
  }
}
