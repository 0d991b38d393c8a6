// The issuer's public keys (JWK texts) that this node trusts: at first those that came over SSH at the join, later those that an
// authenticated opening brought. Durable, so that a rotated key is known after a restart.

import { OneByOne } from "../../../src/core/model/one-by-one.ts";
import type { AgentDisk } from "../state/disk.ts";
import { readState } from "../state/read-state.ts";

const FILE = "issuers.json";

type Stored = { readonly joined: readonly string[]; readonly keys: readonly string[] };

export class IssuerKeys {
  readonly #disk: AgentDisk;
  readonly #joined: readonly string[];
  #keys: readonly string[];
  readonly #turns = new OneByOne();

  private constructor(disk: AgentDisk, joined: readonly string[], keys: readonly string[]) {
    this.#disk = disk;
    this.#joined = joined;
    this.#keys = keys;
  }

  /** `joined`: what the last join installed; it counts until an opening since then brought others. */
  static async load(disk: AgentDisk, joined: readonly string[]): Promise<IssuerKeys> {
    const stored = (await readState(disk, FILE)) as Stored | undefined;
    return new IssuerKeys(disk, joined, stored !== undefined && isSame(stored.joined, joined) ? stored.keys : joined);
  }

  get all(): readonly string[] {
    return this.#keys;
  }

  /** Key ids (kid) of those, for a coordinator that has several to choose from. */
  get ids(): readonly string[] {
    return this.#keys.flatMap((text) => {
      const { kid } = JSON.parse(text) as { readonly kid?: unknown };
      return typeof kid === "string" ? [kid] : [];
    });
  }

  /** Trusts exactly these from now on; an empty list changes nothing. */
  replace(keys: readonly string[]): Promise<void> {
    // two openings may bring keys at once: the later one's stay
    return this.#turns.run(() => this.#replace(keys));
  }

  async #replace(keys: readonly string[]): Promise<void> {
    if (keys.length === 0 || isSame(keys, this.#keys)) return;
    const stored: Stored = { joined: this.#joined, keys };
    await this.#disk.write(FILE, JSON.stringify(stored));
    this.#keys = keys;
  }
}

function isSame(a: readonly string[], b: readonly string[]): boolean {
  return a.length === b.length && a.every((key) => b.includes(key));
}
