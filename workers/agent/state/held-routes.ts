// The routes that this node was given, as last received: on the disk before anything acts on them, so that a reboot never brings back what
// the node has said it left behind. Sections whose keys begin with "secret/" are kept on tmpfs only.

import type { Routes, RoutesDelta } from "../../../src/core/model/routes.ts";
import type { WorkPosition } from "../../../src/core/model/work.ts";
import { OneByOne } from "../../../src/core/model/one-by-one.ts";
import type { AgentDisk } from "./disk.ts";
import type { Receipt } from "./held-work.ts";
import { readState } from "./read-state.ts";
import { takeDelta } from "./sections.ts";

export const ROUTES_FILE = "routes.json";
const SECRETS_FILE = "routes-secrets.json";
const SECRET = "secret/";

type Sections = Routes["sections"];
type Stored = { readonly position: WorkPosition; readonly sections: Sections };

export class HeldRoutes {
  readonly #disk: AgentDisk;
  #position: WorkPosition | undefined;
  #sections: Sections = {};
  readonly #turns = new OneByOne();

  private constructor(disk: AgentDisk) {
    this.#disk = disk;
  }

  /** What was held before this agent started. Secrets are missing after a reboot: their sections then count as not held. */
  static async load(disk: AgentDisk): Promise<HeldRoutes> {
    const held = new HeldRoutes(disk);
    const stored = (await readState(disk, ROUTES_FILE)) as Stored | undefined;
    if (stored === undefined) return held;
    const secrets = await disk.readVolatile(SECRETS_FILE);
    held.#position = stored.position;
    held.#sections =
      secrets === undefined ? stored.sections : { ...stored.sections, ...(JSON.parse(secrets) as Sections) };
    return held;
  }

  get position(): WorkPosition | undefined {
    return this.#position;
  }

  get sections(): Sections {
    return this.#sections;
  }

  get hashes(): Readonly<Record<string, string>> {
    return Object.fromEntries(Object.entries(this.#sections).map(([key, section]) => [key, section.hash]));
  }

  /** Takes a delta over, durably, or says that it is old or does not fit. */
  receive(delta: RoutesDelta): Promise<Receipt> {
    // a session that was superseded may still be writing: the older must not end up over the newer
    return this.#turns.run(() => this.#receive(delta));
  }

  async #receive(delta: RoutesDelta): Promise<Receipt> {
    const taken = takeDelta(this.#position, this.#sections, delta);
    if (taken.kind !== "taken") return taken;
    const { position, sections, changed } = taken;
    const isSecret = (key: string): boolean => key.startsWith(SECRET);
    // secrets first: ones that the file's position does not name are only read again
    if (changed.some(isSecret)) await this.#disk.writeVolatile(SECRETS_FILE, JSON.stringify(pick(sections, isSecret)));
    const stored: Stored = { position, sections: pick(sections, (key) => !isSecret(key)) };
    await this.#disk.write(ROUTES_FILE, JSON.stringify(stored));
    this.#position = position;
    this.#sections = sections;
    return { kind: "kept", changed };
  }
}

function pick(sections: Sections, isWanted: (key: string) => boolean): Sections {
  return Object.fromEntries(Object.entries(sections).filter(([key]) => isWanted(key)));
}
