// The only way to change the state. A change is a pure build on the committed state; builds that wait together are committed together
// (group commit), one commit is in flight, and memory changes only after the store said that it is durable. An unknown outcome ends
// the process: nothing may go on with a memory that the disk may contradict. When the wall clock was set, the dates that count time are moved
// before anything is built: nothing is dated by the new clock beside dates by the old one.

import { DavitError, reasonOf } from "../core/model/errors.ts";
import type { AuditDraft, Change, DavitEvent, EventDraft } from "../core/model/records.ts";
import { applyChanges, copyState, type MutableState, type State } from "../core/model/world.ts";
import { clockChanges } from "../core/reconcile/clock-steps.ts";
import type { Clock } from "../ports/clock.ts";
import type { Guard, Store } from "../ports/store.ts";

export type Draft = {
  readonly changes: readonly Change[];
  readonly guards?: readonly Guard[];
  readonly events?: readonly EventDraft[];
  readonly audit?: readonly AuditDraft[];
};
/** Builds a draft on the state of its turn; throws DavitError to refuse; an empty draft commits nothing. Must be pure. */
export type Build<Result> = (state: State) => Draft & { readonly result: Result };
export type Outcome<Result> = {
  readonly result: Result;
  readonly revision: number;
  readonly events: readonly DavitEvent[];
};

export type CommitListener = (changes: readonly Change[], revision: number, events: readonly DavitEvent[]) => void;

/** Builds that may be joined in one transaction: bounds how much one failing guard can take along. */
const MAX_GROUP = 64;
/** Builds that may wait: beyond it callers are told to come back, so that a slow disk shows as an error and not as growing memory. */
const MAX_WAITING = 1_000;

type Waiting = {
  readonly build: Build<unknown>;
  readonly resolve: (outcome: Outcome<unknown>) => void;
  readonly reject: (error: unknown) => void;
};
type Ready = Waiting & { readonly draft: Draft & { readonly result: unknown } };

export class CommitDoor {
  readonly #store: Store;
  readonly #clock: Clock;
  readonly #epoch: number;
  readonly #state: MutableState;
  readonly #fatal: (error: DavitError) => void;
  readonly #listeners = new Set<CommitListener>();
  #revision: number;
  #waiting: Waiting[] = [];
  #running: Promise<void> | undefined;
  #closed: DavitError | undefined;

  constructor(input: {
    readonly store: Store;
    readonly clock: Clock;
    readonly epoch: number;
    readonly state: MutableState;
    readonly revision: number;
    /** Called once when the outcome of a commit is unknown or another coordinator took the store over. */
    readonly fatal: (error: DavitError) => void;
  }) {
    this.#store = input.store;
    this.#clock = input.clock;
    this.#epoch = input.epoch;
    this.#state = input.state;
    this.#revision = input.revision;
    this.#fatal = input.fatal;
  }

  /** The committed state. Records in it are immutable; the maps change with each commit. */
  get state(): State {
    return this.#state;
  }

  get revision(): number {
    return this.#revision;
  }

  /** Called after each commit, in revision order, with the new state in place; gives the way to stop it. */
  onCommit(listener: CommitListener): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  /** Resolves once durable and visible. Rejects with what `build` threw, or `unavailable`, `storage_failed`, `forked_history`. */
  commit<Result>(build: Build<Result>): Promise<Outcome<Result>> {
    if (this.#closed !== undefined) return Promise.reject(this.#closed);
    if (this.#waiting.length >= MAX_WAITING) {
      return Promise.reject(
        new DavitError("unavailable", `commit: ${MAX_WAITING} changes wait for the disk`, {
          wayOut: "the coordinator's disk is too slow or hangs: look at its load, then try again",
        }),
      );
    }
    return new Promise<Outcome<Result>>((resolve, reject) => {
      this.#waiting.push({ build, resolve: resolve as (outcome: Outcome<unknown>) => void, reject });
      this.#running ??= this.#run();
    });
  }

  /** No more commits are taken; resolves once those under way are done. */
  async close(reason: string): Promise<void> {
    this.#closed ??= new DavitError("unavailable", `commit: ${reason}`);
    await this.#running;
  }

  async #run(): Promise<void> {
    // let callers of the same turn join this group
    await Promise.resolve();
    while (this.#waiting.length > 0) {
      const group = this.#waiting.splice(0, MAX_GROUP);
      const ready = this.#build(group);
      await this.#write(ready);
    }
    this.#running = undefined;
  }

  #build(group: readonly Waiting[]): Ready[] {
    const moved = this.#moved();
    // a later build must see what an earlier one of its group will have changed
    const scratch = group.length + moved.length > 1 ? copyState(this.#state) : undefined;
    const ready: Ready[] = [...moved];
    for (const { draft } of moved) if (scratch !== undefined) applyChanges(scratch, draft.changes);
    for (const waiting of group) {
      try {
        const draft = waiting.build(scratch ?? this.#state);
        if (scratch !== undefined) applyChanges(scratch, draft.changes);
        ready.push({ ...waiting, draft });
      } catch (error) {
        waiting.reject(error);
      }
    }
    return ready;
  }

  /** What a clock that was set asks for; nobody waits for it. */
  #moved(): readonly Ready[] {
    const clock = this.#clock;
    const clocks = { bootId: clock.bootId(), wallMs: clock.nowMs(), bootMs: clock.bootMs() };
    const changes = clockChanges(this.#state, clocks);
    if (changes.length === 0) return [];
    const draft = { changes, result: undefined };
    return [{ build: () => draft, resolve: () => undefined, reject: () => undefined, draft }];
  }

  async #write(ready: readonly Ready[]): Promise<void> {
    const drafts = ready.map(({ draft }) => draft);
    const changes = drafts.flatMap((draft) => draft.changes);
    const events = drafts.flatMap((draft) => draft.events ?? []);
    const audit = drafts.flatMap((draft) => draft.audit ?? []);
    if (changes.length + events.length + audit.length === 0) {
      for (const one of ready) one.resolve({ result: one.draft.result, revision: this.#revision, events: [] });
      return;
    }
    try {
      const guards = outerGuards(drafts);
      const committed = await this.#store.commit({
        epoch: this.#epoch,
        atMs: this.#clock.nowMs(),
        changes,
        guards,
        events,
        audit,
      });
      applyChanges(this.#state, changes);
      this.#revision = committed.revision;
      for (const listener of this.#listeners) listener(changes, committed.revision, committed.events);
      shareOut(ready, committed.revision, committed.events);
    } catch (error) {
      this.#fail(ready, error);
    }
  }

  #fail(ready: readonly Ready[], error: unknown): void {
    const known =
      error instanceof DavitError
        ? error
        : new DavitError("storage_failed", `commit: ${reasonOf(error)}`, { cause: error });
    for (const one of ready) one.reject(known);
    // refused before anything was written: the state is what it was
    if (known.code === "out_of_sequence") return;
    this.#closed = known;
    for (const one of this.#waiting.splice(0)) one.reject(known);
    this.#fatal(known);
  }
}

/**
 * Those that speak of the state before the group. What guards a record that an earlier draft of the group changes, with a guard or, as the
 * planner does, without one, speaks of what the group itself makes, which the build has seen.
 */
function outerGuards(drafts: readonly Draft[]): readonly Guard[] {
  const changed = new Set<string>();
  const outer: Guard[] = [];
  for (const { guards = [], changes } of drafts) {
    outer.push(...guards.filter(({ kind, id }) => !changed.has(`${kind}/${id}`)));
    for (const change of changes) changed.add(`${change.kind}/${change.op === "put" ? change.record.id : change.id}`);
  }
  return outer;
}

/** Each caller gets the events of its own draft: the store numbers them in the order in which they were handed over. */
function shareOut(ready: readonly Ready[], revision: number, events: readonly DavitEvent[]): void {
  let from = 0;
  for (const one of ready) {
    const until = from + (one.draft.events?.length ?? 0);
    one.resolve({ result: one.draft.result, revision, events: events.slice(from, until) });
    from = until;
  }
}
