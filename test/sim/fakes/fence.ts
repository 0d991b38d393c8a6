// The fence that is to come on real hosts, as docs/decisions/0522 has it: once a second it reads the boot clock and the agent's lease file, and
// kills what runs by a lease of its own and has had that and its grace. It knows no agent and no engine, and dies with its machine only.

import type { HostClock } from "../kernel/host-clock.ts";
import type { Life, Scheduler } from "../kernel/scheduler.ts";
import type { AgentFiles } from "./agent-files.ts";
import type { Box, MachineEngine } from "./machine-engine.ts";

const LOOK_MS = 1_000;

export class Fence {
  readonly #files: AgentFiles;
  readonly #engine: MachineEngine;
  readonly #clock: HostClock;
  readonly #onKill: (box: Box, leaseEndedBootMs: number) => void;

  constructor(
    files: AgentFiles,
    engine: MachineEngine,
    clock: HostClock,
    onKill: (box: Box, leaseEndedBootMs: number) => void,
  ) {
    this.#files = files;
    this.#engine = engine;
    this.#clock = clock;
    this.#onKill = onKill;
  }

  /** For as long as the machine has power. */
  start(scheduler: Scheduler, machine: Life): void {
    scheduler.after(LOOK_MS, machine, () => {
      this.#look();
      this.start(scheduler, machine);
    });
  }

  #look(): void {
    const bounded = this.#engine.running.filter((box) => box.request?.task.leaseMs !== undefined);
    if (bounded.length === 0) return;
    const text = this.#files.volatile("lease.json");
    const { confirmedBootMs = Number.NEGATIVE_INFINITY } =
      text === undefined ? {} : (JSON.parse(text) as { readonly confirmedBootMs?: number });
    for (const box of bounded) {
      const { leaseMs = 0, container } = box.request?.task ?? {};
      const endedMs = confirmedBootMs + leaseMs;
      if (this.#clock.bootMs() < endedMs + (container?.stopGraceMs ?? 0)) continue;
      this.#onKill(box, endedMs);
      this.#engine.exit(box, 137);
    }
  }
}
