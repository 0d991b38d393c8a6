// The work that this node was given, as last received: applied delta by delta in the order of (epoch, generation), on disk before
// anything acts on it. Registry logins are kept on tmpfs only.

import { asId, type TaskId } from "../../../src/core/model/ids.ts";
import type { TaskStatus } from "../../../src/core/model/records.ts";
import type { LoginsWork, NodeWork, TaskWork, Work, WorkDelta, WorkPosition } from "../../../src/core/model/work.ts";
import { OneByOne } from "../../../src/core/model/one-by-one.ts";
import { taskSection } from "../../../src/core/work/work-of.ts";
import type { AgentDisk } from "./disk.ts";
import { readState } from "./read-state.ts";
import { takeDelta } from "./sections.ts";

const FILE = "work.json";
const LOGINS_FILE = "logins.json";
const LOGINS_KEY = "logins";

type Sections = Work["sections"];
type Known = Readonly<Record<string, TaskStatus>>;
type Stored = {
  readonly position: WorkPosition;
  readonly sections: Sections;
  /** Absent in what an earlier version wrote. */
  readonly known?: Known;
};

export type Receipt =
  | { readonly kind: "kept"; readonly changed: readonly string[] }
  | { readonly kind: "stale" }
  | { readonly kind: "resync" };

export class HeldWork {
  readonly #disk: AgentDisk;
  #position: WorkPosition | undefined;
  #sections: Sections = {};
  #tasks: ReadonlyMap<TaskId, TaskWork> = new Map();
  #known: Known = {};
  readonly #turns = new OneByOne();

  private constructor(disk: AgentDisk) {
    this.#disk = disk;
  }

  /** What was held before this agent started. Logins are missing after a reboot: their section then counts as not held. */
  static async load(disk: AgentDisk): Promise<HeldWork> {
    const held = new HeldWork(disk);
    const stored = (await readState(disk, FILE)) as Stored | undefined;
    if (stored === undefined) return held;
    const logins = await disk.readVolatile(LOGINS_FILE);
    held.#adopt(
      stored.position,
      logins === undefined
        ? stored.sections
        : { ...stored.sections, [LOGINS_KEY]: JSON.parse(logins) as Sections[string] },
      stored.known ?? {},
    );
    return held;
  }

  get position(): WorkPosition | undefined {
    return this.#position;
  }

  get hashes(): Readonly<Record<string, string>> {
    return Object.fromEntries(Object.entries(this.#sections).map(([key, section]) => [key, section.hash]));
  }

  get node(): NodeWork | undefined {
    const content = this.#sections["node"]?.content;
    return content?.kind === "node" ? content : undefined;
  }

  get tasks(): ReadonlyMap<TaskId, TaskWork> {
    return this.#tasks;
  }

  /** What the coordinator knew of a task that is held, when it gave everything at once. */
  knownOf(taskId: TaskId): TaskStatus | undefined {
    return this.#known[taskId];
  }

  get logins(): LoginsWork["logins"] {
    const content = this.#sections[LOGINS_KEY]?.content;
    return content?.kind === "logins" ? content.logins : {};
  }

  /** Takes a delta over, durably, or says that it is old or does not fit. */
  receive(delta: WorkDelta): Promise<Receipt> {
    // a session that was superseded may still be writing: the older must not end up over the newer
    return this.#turns.run(() => this.#receive(delta));
  }

  async #receive(delta: WorkDelta): Promise<Receipt> {
    const taken = takeDelta(this.#position, this.#sections, delta);
    if (taken.kind !== "taken") return taken;
    const { position, sections, changed } = taken;
    const known = stillHeld(delta.base === undefined ? (delta.known ?? {}) : this.#known, sections);
    await this.#store(position, sections, known);
    this.#adopt(position, sections, known);
    return { kind: "kept", changed };
  }

  async #store(position: WorkPosition, sections: Sections, known: Known): Promise<void> {
    const { [LOGINS_KEY]: logins, ...rest } = sections;
    // logins first: a file without the position that names them is only read again
    if (logins !== undefined) await this.#disk.writeVolatile(LOGINS_FILE, JSON.stringify(logins));
    const stored: Stored = { position, sections: rest, known };
    await this.#disk.write(FILE, JSON.stringify(stored));
  }

  #adopt(position: WorkPosition, sections: Sections, known: Known): void {
    this.#position = position;
    this.#sections = sections;
    this.#known = known;
    const tasks = new Map<TaskId, TaskWork>();
    for (const { content } of Object.values(sections))
      if (content.kind === "task") tasks.set(asId<"task">(content.taskId), content);
    this.#tasks = tasks;
  }
}

function stillHeld(known: Known, sections: Sections): Known {
  return Object.fromEntries(Object.entries(known).filter(([id]) => sections[taskSection(id)] !== undefined));
}
