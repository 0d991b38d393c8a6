// The files of one host's agent. A write takes time; a process that ends before it leaves the old text or the new one, never a part of it
// (the real one renames a finished file). What is on tmpfs is gone after a reboot.

import type { AgentDisk } from "../../../workers/agent/state/disk.ts";
import type { Chance } from "../kernel/chance.ts";
import type { Life, Scheduler } from "../kernel/scheduler.ts";

export type DiskHealth = {
  /** Mean time of a durable write. */
  readonly syncMs: number;
  /** What a write fails with, while it does. */
  readonly fault?: string;
};

export const GOOD_DISK: DiskHealth = { syncMs: 2 };

type Contents = string | Uint8Array;

export class AgentFiles {
  readonly #scheduler: Scheduler;
  readonly #chance: Chance;
  readonly durable = new Map<string, Contents>();
  readonly #volatile = new Map<string, string>();
  health: DiskHealth = GOOD_DISK;
  /** Told of each durable write once it is done: file, text before, text now. */
  onWrite: (name: string, before: string | undefined, text: string) => void = () => {};

  constructor(scheduler: Scheduler, chance: Chance) {
    this.#scheduler = scheduler;
    this.#chance = chance;
  }

  reboot(): void {
    this.#volatile.clear();
  }

  /** Nothing is left: the host was set up anew. */
  wipe(): void {
    this.durable.clear();
    this.#volatile.clear();
  }

  text(name: string): string | undefined {
    const found = this.durable.get(name);
    return typeof found === "string" ? found : undefined;
  }

  /** What lies on tmpfs. */
  volatile(name: string): string | undefined {
    return this.#volatile.get(name);
  }

  /** As one process sees them. */
  portOf(life: Life): AgentDisk {
    const write = (name: string, contents: Contents): Promise<void> => this.#write(life, name, contents);
    return {
      read: async (name) => this.text(name),
      write,
      readBytes: async (name) => {
        const found = this.durable.get(name);
        return found instanceof Uint8Array ? found : undefined;
      },
      writeBytes: (name, bytes) => write(name, bytes),
      list: async (directory) =>
        [...this.durable.keys()]
          .filter((name) => name.startsWith(`${directory}/`))
          .map((name) => name.slice(directory.length + 1)),
      path: (name) => `/var/lib/davit/${name}`,
      remove: async (name) => void this.durable.delete(name),
      readVolatile: async (name) => this.#volatile.get(name),
      writeVolatile: (name, text) =>
        this.#scheduler.later(0.1, life, () => {
          if (life.isAlive) this.#volatile.set(name, text);
        }),
    };
  }

  #write(life: Life, name: string, contents: Contents): Promise<void> {
    const { syncMs, fault } = this.health;
    const waitMs = syncMs * (0.5 + this.#chance.fraction());
    const doneMs = waitMs * this.#chance.fraction();
    return new Promise((resolve, reject) => {
      this.#scheduler.after(doneMs, life, () => {
        if (fault !== undefined) {
          reject(new Error(fault));
          return;
        }
        const before = this.text(name);
        this.durable.set(name, contents);
        if (typeof contents === "string") this.onWrite(name, before, contents);
        // a process may end between what it asked for and hearing of it
        this.#scheduler.after(waitMs - doneMs, life, resolve);
      });
    });
  }
}
