// Collects what a command changes: each change of a desired record comes with the guard on the index that it saw, and raises it.
// Owned by one run of one command. Pure.

import { DavitError } from "../model/errors.ts";
import type { Change, EventDraft, RecordKinds } from "../model/records.ts";
import type { CommandOutcome, RecordGuard } from "./command.ts";

/** Kinds of desired records: those that carry an index. */
export type IndexedKind = "service" | "node" | "volume" | "network" | "userToken" | "registryLogin" | "certificate";
/** A record that has not been given an index. */
export type Unindexed<Kind extends IndexedKind> = Omit<RecordKinds[Kind], "index">;

export class Draft {
  readonly #changes: Change[] = [];
  readonly #guards: RecordGuard[] = [];
  readonly #events: EventDraft[] = [];

  /** A new desired record, at index 1. */
  create<Kind extends IndexedKind>(kind: Kind, record: Unindexed<Kind>): void {
    this.#guards.push({ kind, id: record.id, index: 0 });
    this.#changes.push({ op: "put", kind, record: { ...record, index: 1 } } as unknown as Change);
  }

  /** A desired record's next state; gives it with its new index. */
  replace<Kind extends IndexedKind>(kind: Kind, before: RecordKinds[Kind], after: Unindexed<Kind>): RecordKinds[Kind] {
    const record = { ...after, index: before.index + 1 } as unknown as RecordKinds[Kind];
    this.#guards.push({ kind, id: before.id, index: before.index });
    this.#changes.push({ op: "put", kind, record } as unknown as Change);
    return record;
  }

  /** A desired record goes. */
  remove<Kind extends IndexedKind>(kind: Kind, before: RecordKinds[Kind]): void {
    this.#guards.push({ kind, id: before.id, index: before.index });
    this.#changes.push({ op: "delete", kind, id: before.id });
  }

  /** A change of a record that has no index of its own. */
  change(change: Change): void {
    this.#changes.push(change);
  }

  event(event: EventDraft): void {
    this.#events.push(event);
  }

  finish<Result>(result: Result): CommandOutcome<Result> {
    return { changes: this.#changes, guards: this.#guards, events: this.#events, audit: [], result };
  }
}

/** Throws `out_of_sequence` when the caller saw another index than the record has. */
export function checkIndex(what: string, record: { readonly index: number }, ifMatch: number | undefined): void {
  if (ifMatch === undefined || ifMatch === record.index) return;
  throw new DavitError(
    "out_of_sequence",
    `change ${what}: it is at index ${record.index}, not ${ifMatch}: somebody changed it in between`,
    {
      wayOut: "read it again, look at what changed, and repeat the change with the new index",
    },
  );
}
