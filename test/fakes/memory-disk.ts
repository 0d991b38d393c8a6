// The agent's files in memory: durable ones outlive a reboot, volatile ones do not. Writes can be held back, to see what waits for them.

import type { AgentDisk, FileOwnership } from "../../workers/agent/state/disk.ts";

export class MemoryDisk implements AgentDisk {
  readonly durable = new Map<string, string>();
  readonly volatile = new Map<string, string>();
  /** Of the files that were written as bytes. */
  readonly ownerships = new Map<string, FileOwnership>();
  /** How many durable writes were done. */
  writes = 0;
  /** Why durable writes fail; undefined while they do not. */
  refusal: string | undefined;
  #gate: Promise<void> = Promise.resolve();

  async read(name: string): Promise<string | undefined> {
    return this.durable.get(name);
  }

  async write(name: string, text: string): Promise<void> {
    await this.#gate;
    if (this.refusal !== undefined) throw new Error(this.refusal);
    this.writes++;
    this.durable.set(name, text);
  }

  async remove(name: string): Promise<void> {
    this.durable.delete(name);
    this.ownerships.delete(name);
  }

  async readBytes(name: string): Promise<Uint8Array | undefined> {
    const text = this.durable.get(name);
    return text === undefined ? undefined : Buffer.from(text, "latin1");
  }

  async writeBytes(name: string, bytes: Uint8Array, ownership: FileOwnership): Promise<void> {
    await this.write(name, Buffer.from(bytes).toString("latin1"));
    this.ownerships.set(name, ownership);
  }

  async list(directory: string): Promise<readonly string[]> {
    const prefix = `${directory}/`;
    return [...this.durable.keys()].filter((name) => name.startsWith(prefix)).map((name) => name.slice(prefix.length));
  }

  path(name: string): string {
    return `/var/lib/davit/${name}`;
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
