// Tells the coordinator, while one is connected, how busy the node is (every 5 s) and what changed of its facts (every 30 s).

import type { Welcome } from "../../../src/core/protocol/frames.ts";
import type { AgentCore } from "../agent-core.ts";
import type { NodeFactsReader } from "./node-facts.ts";
import { cpuFraction, type CpuTimes, cpuTimes, diskBytes, memoryUsedBytes } from "./proc.ts";

const MEASURE_EVERY_MS = 5_000;
/** Facts are read once in so many measurements. */
const FACTS_EVERY = 6;

export class HostReporter {
  readonly #core: AgentCore;
  readonly #facts: NodeFactsReader;
  readonly #fallbackDir: string;
  #timer: ReturnType<typeof setInterval> | undefined;
  #cpu: CpuTimes = cpuTimes();
  #rounds = 0;
  #told = "";

  /** `fallbackDir`: whose file system is measured until the engine has said where its data is. */
  constructor(core: AgentCore, facts: NodeFactsReader, fallbackDir: string) {
    this.#core = core;
    this.#facts = facts;
    this.#fallbackDir = fallbackDir;
  }

  start(): void {
    this.#timer = setInterval(() => void this.#round(), MEASURE_EVERY_MS);
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  async #round(): Promise<void> {
    if (!this.#core.isConnected) return;
    const cpu = cpuTimes();
    const disk = diskBytes(this.#facts.engineRoot ?? this.#fallbackDir);
    this.#core.tell({
      type: "measured",
      measured: {
        cpuFraction: cpuFraction(this.#cpu, cpu),
        memoryUsedBytes: memoryUsedBytes(),
        diskFreeBytes: disk.free,
        diskTotalBytes: disk.total,
      },
    });
    this.#cpu = cpu;
    if (this.#rounds++ % FACTS_EVERY === 0) await this.#tellFacts();
  }

  async #tellFacts(): Promise<void> {
    await this.#facts.refresh();
    const node: Welcome["node"] = await this.#core.nodeFacts();
    const text = JSON.stringify(node);
    if (text !== this.#told) this.#core.tell({ type: "node", node });
    this.#told = text;
  }
}
