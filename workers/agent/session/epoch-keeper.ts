// The newest (epoch, nonce) that this node has obeyed, and whether a coordinator's chain goes on from it. It is durable before anything
// is done for that coordinator: so a machine that comes back with old data cannot take the node over.

import type { Epoch, EpochChain } from "../../../src/core/model/lease.ts";
import { OneByOne } from "../../../src/core/model/one-by-one.ts";
import type { AgentDisk } from "../state/disk.ts";
import { readState } from "../state/read-state.ts";

const FILE = "epoch.json";

export type Obedience = { readonly kind: "obeyed" } | { readonly kind: "forked"; readonly message: string };

export class EpochKeeper {
  readonly #disk: AgentDisk;
  #newest: Epoch | undefined;
  readonly #turns = new OneByOne();

  private constructor(disk: AgentDisk, newest: Epoch | undefined) {
    this.#disk = disk;
    this.#newest = newest;
  }

  static async load(disk: AgentDisk): Promise<EpochKeeper> {
    return new EpochKeeper(disk, (await readState(disk, FILE)) as Epoch | undefined);
  }

  get newest(): Epoch | undefined {
    return this.#newest;
  }

  /** Obeys the head of a chain if the newest pair obeyed is in it; durable when it resolves. */
  obey(head: Epoch, chain: EpochChain): Promise<Obedience> {
    // one after the other: each is judged by what the one before it made durable
    return this.#turns.run(() => this.#obey(head, chain));
  }

  async #obey(head: Epoch, chain: EpochChain): Promise<Obedience> {
    const newest = this.#newest;
    const last = chain.at(-1);
    if (last === undefined || !isSame(last, head))
      return { kind: "forked", message: "the coordinator's token is not of the newest epoch of its chain" };
    if (newest !== undefined && !chain.some((epoch) => isSame(epoch, newest))) {
      return {
        kind: "forked",
        message: `this node last obeyed epoch ${newest.epoch}, which is not in this coordinator's history: its data is old or another cluster's`,
      };
    }
    if (newest !== undefined && isSame(newest, head)) return { kind: "obeyed" };
    await this.#disk.write(FILE, JSON.stringify(head));
    this.#newest = head;
    return { kind: "obeyed" };
  }
}

function isSame(a: Epoch, b: Epoch): boolean {
  return a.epoch === b.epoch && a.nonce === b.nonce;
}
