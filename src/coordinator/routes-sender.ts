// The routes' side of one session: what the agent holds, what is on its way, and up to which revision it has applied everything. One change
// is on its way at a time, in parts: what commits meanwhile is sent as one change after it, so a slow link never piles up. What leads from
// one version to another is made and encoded once for all nodes that need it (`RoutesChanges`).

import type { Routes, RoutesDelta } from "../core/model/routes.ts";
import type { WorkPosition } from "../core/model/work.ts";
import { encodeSection } from "../core/protocol/codec.ts";
import { type Applied, ROUTES_PART_BYTES, type RoutesFrame, type Welcome } from "../core/protocol/frames.ts";

/** Only the oldest matters, and that is among the first. */
const MAX_BEHIND = 100;

export type RoutesNow = {
  readonly revision: number;
  readonly version: number;
  readonly sections: Routes["sections"];
};

export type RoutesSenderInput = {
  readonly epoch: number;
  readonly now: () => RoutesNow;
  readonly changes: RoutesChanges;
  /** Asks the owner to call `look` soon: this node may have the next change. */
  readonly isFree: () => void;
  readonly bootMs: () => number;
  readonly send: (frame: RoutesFrame) => void;
  /** The node has applied all that it must of this revision; told when it grows. */
  readonly applied: (revision: number) => void;
};

export class RoutesSender {
  readonly #input: RoutesSenderInput;
  /** What the agent has or will have once it took over all that was sent: the same record for all nodes that hold the same. */
  #sent: Hashes;
  #position: WorkPosition | undefined;
  /** What the agent holds, as a key: the same for all that hold the same. */
  #held: string;
  #applied: WorkPosition | undefined;
  /** Parts of the change on its way that the agent has not asked for yet. */
  #parts: RoutesFrame[] = [];
  #isOnItsWay = false;
  #told = -1;
  #looked: { readonly revision: number; readonly version: number } | undefined;
  /** Changes that it has not applied, oldest first. */
  #behind: { readonly generation: number; readonly sinceMs: number }[] = [];

  constructor(input: RoutesSenderInput, held: Welcome["routes"]) {
    this.#input = input;
    this.#position = held?.held;
    // what an agent brings along may lack sections that it kept in memory only
    this.#held = held === undefined ? "" : JSON.stringify(held);
    this.#sent = Object.fromEntries(Object.entries(held?.hashes ?? {}).map(([key, hash]) => [key, { hash }]));
  }

  /** For how long it has had the oldest change that it did not apply, in milliseconds; 0 when it has applied all. */
  get behindMs(): number {
    const [oldest] = this.#behind;
    return oldest === undefined ? 0 : this.#input.bootMs() - oldest.sinceMs;
  }

  /** Something was committed: sends what differs, or notes that nothing does. */
  look(): void {
    if (this.#isOnItsWay) return;
    const { revision, version, sections } = this.#input.now();
    const isSame = this.#looked?.version === version && this.#position !== undefined;
    const change = isSame ? undefined : this.#changeTo({ revision, version, sections });
    this.#looked = { revision, version };
    if (change === undefined) return this.#tell();
    this.#send(change);
  }

  /** The agent asks for the next part. */
  more(): void {
    const next = this.#parts.shift();
    if (next !== undefined) this.#input.send(next);
  }

  /** The agent's base is another: it gets everything. */
  resync(): void {
    this.#sent = {};
    this.#position = undefined;
    this.#held = "";
    this.#isOnItsWay = false;
    this.#parts = [];
    this.look();
  }

  progress({ received, applied }: NonNullable<Applied["routes"]>): void {
    this.#applied = applied;
    if (this.#isOnItsWay && isAt(received, this.#position)) {
      this.#isOnItsWay = false;
      this.#input.isFree();
    }
    this.#tell();
  }

  #changeTo(now: RoutesNow): RoutesChange | undefined {
    const { epoch, changes } = this.#input;
    const make = (): RoutesChange | undefined => {
      const difference = differenceOf(this.#sent, now.sections, this.#position !== undefined);
      if (difference === undefined) return undefined;
      const position = { epoch, generation: now.revision };
      return { position, frames: inFrames(position, this.#position, difference), leadsTo: now.sections };
    };
    return changes.get(now.version, this.#held, make);
  }

  #send({ position, frames, leadsTo }: RoutesChange): void {
    this.#parts = [...frames];
    this.#sent = leadsTo;
    this.#position = position;
    this.#held = `${position.epoch}/${position.generation}`;
    this.#isOnItsWay = true;
    const { generation } = position;
    if (this.#behind.length < MAX_BEHIND) this.#behind.push({ generation, sinceMs: this.#input.bootMs() });
    this.more();
  }

  #tell(): void {
    if (this.#applied === undefined) return;
    const { generation } = this.#applied;
    this.#behind = this.#behind.filter((change) => change.generation > generation);
    const lacksNothing = !this.#isOnItsWay && isAt(this.#applied, this.#position);
    const revision = lacksNothing ? (this.#looked?.revision ?? generation) : generation;
    if (revision === this.#told) return;
    this.#told = revision;
    this.#input.applied(revision);
  }
}

function isAt(a: WorkPosition, b: WorkPosition | undefined): boolean {
  return b !== undefined && a.epoch === b.epoch && a.generation === b.generation;
}

type Hashes = Readonly<Record<string, { readonly hash: string }>>;

/** What leads a node from the routes that it holds to others, in the frames that carry it. */
type RoutesChange = {
  readonly position: WorkPosition;
  readonly frames: readonly RoutesFrame[];
  readonly leadsTo: Hashes;
};

/** The changes to the newest routes, by what a node holds: made for the first that needs one, and the same for all others. */
export class RoutesChanges {
  #version = -1;
  readonly #made = new Map<string, RoutesChange | undefined>();

  get(version: number, held: string, make: () => RoutesChange | undefined): RoutesChange | undefined {
    if (version !== this.#version) this.#made.clear();
    this.#version = version;
    if (!this.#made.has(held)) this.#made.set(held, make());
    return this.#made.get(held);
  }
}

/** `isBased`: the node holds routes, so that nothing need be sent if nothing differs. */
function differenceOf(
  sent: Hashes,
  sections: Routes["sections"],
  isBased: boolean,
): Pick<RoutesDelta, "put" | "drop"> | undefined {
  const put: Record<string, Routes["sections"][string]> = {};
  for (const [key, section] of Object.entries(sections)) if (sent[key]?.hash !== section.hash) put[key] = section;
  const drop = Object.keys(sent).filter((key) => sections[key] === undefined);
  const isNothing = Object.keys(put).length === 0 && drop.length === 0;
  return isNothing && isBased ? undefined : { put, drop };
}

function inFrames(
  position: WorkPosition,
  from: WorkPosition | undefined,
  { put: all, drop }: Pick<RoutesDelta, "put" | "drop">,
): readonly RoutesFrame[] {
  const base = from === undefined ? {} : { base: from };
  const puts = inParts(all);
  return puts.map((put, at): RoutesFrame => {
    const delta: RoutesDelta = { ...position, ...base, put, drop: at === 0 ? drop : [] };
    return at === puts.length - 1 ? { type: "routes", delta } : { type: "routes", delta, more: true };
  });
}

/** At least one part, each with at least one section if there is any. */
function inParts(put: Routes["sections"]): readonly Routes["sections"][] {
  const parts: Record<string, Routes["sections"][string]>[] = [{}];
  let bytes = 0;
  for (const [key, section] of Object.entries(put)) {
    const size = key.length + encodeSection(section).length;
    if (bytes > 0 && bytes + size > ROUTES_PART_BYTES) {
      parts.push({});
      bytes = 0;
    }
    const part = parts.at(-1);
    if (part !== undefined) part[key] = section;
    bytes += size;
  }
  return parts;
}
