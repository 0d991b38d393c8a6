// The configs that this node holds: contents that travelled with a stack, kept by their SHA-256, and beside them the files that containers
// are shown, one for each owner and mode. Changes are made one after the other, so that nothing is dropped while it is being used.

import { DavitError } from "../../../src/core/model/errors.ts";
import type { ConfigMount } from "../../../src/core/model/service-spec.ts";
import type { Hasher } from "../../../src/ports/hasher.ts";
import { OneByOne } from "../../../src/core/model/one-by-one.ts";
import type { AgentDisk, FileOwnership } from "../state/disk.ts";

/** Directory in the agent's state. */
export const CONFIG_DIRECTORY = "configs";
/** The contents themselves are for the agent alone. */
const PRIVATE: FileOwnership = { mode: 0o400, uid: 0, gid: 0 };
const CONTENTS = /^[0-9a-f]{64}$/;

export class ConfigStore {
  readonly #disk: AgentDisk;
  readonly #hasher: Hasher;
  readonly #held: Set<string>;
  readonly #turns = new OneByOne();

  private constructor(disk: AgentDisk, hasher: Hasher, held: Set<string>) {
    this.#disk = disk;
    this.#hasher = hasher;
    this.#held = held;
  }

  static async load(disk: AgentDisk, hasher: Hasher): Promise<ConfigStore> {
    const files = await disk.list(CONFIG_DIRECTORY);
    return new ConfigStore(disk, hasher, new Set(files.filter((name) => CONTENTS.test(name))));
  }

  /** Ids of the configs whose contents are here. */
  get held(): ReadonlySet<string> {
    return this.#held;
  }

  /** Keeps contents durably. Throws `invalid_input` when they are not what their id says. */
  keep(id: string, bytes: Uint8Array): Promise<void> {
    return this.#turns.run(async () => {
      if (this.#hasher.hashBytes(bytes) !== id)
        throw new DavitError(
          "invalid_input",
          `config ${id.slice(0, 12)} arrived damaged: its contents have another hash`,
        );
      await this.#disk.writeBytes(contentsOf(id), bytes, PRIVATE);
      this.#held.add(id);
    });
  }

  /** The path on this host of the file that a mount shows; made if it is not there. Throws `not_found` when the contents are not held. */
  place(mount: ConfigMount): Promise<string> {
    return this.#turns.run(async () => {
      const name = fileOf(mount);
      const bytes = await this.#disk.readBytes(contentsOf(mount.config));
      if (bytes === undefined || this.#hasher.hashBytes(bytes) !== mount.config) {
        this.#held.delete(mount.config);
        throw new DavitError(
          "not_found",
          `config ${mount.name} is gone from this host, or was damaged; it is fetched again`,
        );
      }
      const shown = await this.#disk.readBytes(name);
      if (shown === undefined || !Buffer.from(shown).equals(bytes))
        await this.#disk.writeBytes(name, bytes, { mode: mount.mode, uid: mount.uid ?? 0, gid: mount.gid ?? 0 });
      return this.#disk.path(name);
    });
  }

  /** Drops all that is not of these configs. `wanted` is asked when the turn has come. */
  retain(wanted: () => ReadonlySet<string>): Promise<void> {
    return this.#turns.run(async () => {
      const kept = wanted();
      if ([...this.#held].every((id) => kept.has(id))) return;
      for (const name of await this.#disk.list(CONFIG_DIRECTORY)) {
        const [id = ""] = name.split(".");
        if (kept.has(id)) continue;
        this.#held.delete(id);
        await this.#disk.remove(`${CONFIG_DIRECTORY}/${name}`);
      }
    });
  }
}

function contentsOf(id: string): string {
  return `${CONFIG_DIRECTORY}/${id}`;
}

function fileOf({ config, mode, uid = 0, gid = 0 }: ConfigMount): string {
  return `${contentsOf(config)}.${mode.toString(8)}.${uid}.${gid}`;
}
