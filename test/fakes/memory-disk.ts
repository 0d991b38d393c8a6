// The agent's files in memory: durable ones outlive a reboot, volatile ones do not. Writes can be held back, to see what waits for them.

import type { AgentDisk } from "../../workers/agent/state/disk.ts";

export class MemoryDisk implements AgentDisk {
  readonly durable = new Map<string, string>();
  readonly volatile = new Map<string, string>();
  /** How many durable writes were done. */
  writes = 0;
  #gate: Promise<void> = Promise.resolve();

  async read(name: string): Promise<string | undefined> {
    return this.durable.get(name);
  }

  async write(name: string, text: string): Promise<void> {
    await this.#gate;
    this.writes++;
    this.durable.set(name, text);
  }

  async remove(name: string): Promise<void> {
    this.durable.delete(name);
  }

  async readVolatile(name: string): Promise<string | undefined> {
    return this.volatile.get(name);
  }

  async writeVolatile(name: string, text: string): Promise<void> {
    this.volatile.set(name, text);
  }

  /** From now on durable writes wait until the function that this gives is called. */
  hold(): () => void {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#gate = promise;
    return resolve;
  }

  /** What a reboot leaves. */
  reboot(): void {
    this.volatile.clear();
  }
}
