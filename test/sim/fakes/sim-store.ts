// The coordinator's database without a file: what is durable, and behind it what was written and not yet synced. A process that ends leaves
// both; a loss of power takes any part of the unsynced end, and a transaction of which a part is missing is not there at all.

import { invariant } from "../../../src/core/model/invariant.ts";
import { DavitError } from "../../../src/core/model/errors.ts";
import type { Epoch } from "../../../src/core/model/lease.ts";
import type { AuditEntry, DavitEvent } from "../../../src/core/model/records.ts";
import { applyChanges, copyState, emptyState, type MutableState } from "../../../src/core/model/world.ts";
import type { Commit, Committed, Guard, Loaded, Store } from "../../../src/ports/store.ts";
import type { Chance } from "../kernel/chance.ts";
import type { Life, Scheduler } from "../kernel/scheduler.ts";

/** As the real one keeps of events and of audit each. */
export const KEPT_ENTRIES = 10_000;

export type StoreHealth = {
  readonly syncMs: number;
  /** What a write fails with; whether it is on the disk all the same is not known to whoever asked. */
  readonly fault?: string;
};

export const GOOD_STORE: StoreHealth = { syncMs: 3 };

/** One transaction as it lies in the log. */
type Entry = {
  readonly commit: Commit;
  readonly revision: number;
  readonly events: readonly DavitEvent[];
  readonly audit: readonly AuditEntry[];
};

/** Told of each transaction when it is durable, and how it came to be so. */
export type CommitWitness = (commit: Commit, revision: number, state: MutableState) => void;

/** The file on one machine's disk. */
export class StoreFile {
  state: MutableState = emptyState();
  revision = 0;
  chain: readonly Epoch[] = [];
  readonly settings = new Map<string, string>();
  events: DavitEvent[] = [];
  audit: AuditEntry[] = [];
  eventSeq = 0;
  auditSeq = 0;
  /** Written and not synced: at most one, because one commit is in flight. */
  unsynced: Entry | undefined;
  health: StoreHealth = GOOD_STORE;
  onDurable: CommitWitness = () => {};
  /** Told of each transaction as it is handed over, before anything is written. */
  onSubmit: (commit: Commit) => void = () => {};
  onEpoch: (chain: readonly Epoch[]) => void = () => {};

  /** What somebody copied of it, as an old backup or a clone of the machine. */
  copy(): StoreFile {
    const copy = new StoreFile();
    copy.state = copyState(this.state);
    copy.revision = this.revision;
    copy.chain = this.chain;
    for (const [name, value] of this.settings) copy.settings.set(name, value);
    copy.events = [...this.events];
    copy.audit = [...this.audit];
    copy.eventSeq = this.eventSeq;
    copy.auditSeq = this.auditSeq;
    return copy;
  }

  sync(): void {
    const entry = this.unsynced;
    if (entry === undefined) return;
    this.unsynced = undefined;
    applyChanges(this.state, entry.commit.changes);
    this.revision = entry.revision;
    this.events.push(...entry.events);
    this.audit.push(...entry.audit);
    this.eventSeq = entry.events.at(-1)?.seq ?? this.eventSeq;
    this.auditSeq = entry.audit.at(-1)?.seq ?? this.auditSeq;
    if (this.events.length > 2 * KEPT_ENTRIES) this.events.splice(0, this.events.length - KEPT_ENTRIES);
    if (this.audit.length > 2 * KEPT_ENTRIES) this.audit.splice(0, this.audit.length - KEPT_ENTRIES);
    this.onDurable(entry.commit, entry.revision, this.state);
  }

  /** The operating system has what was written: a process that ends takes nothing with it. */
  processEnded(): void {
    this.sync();
  }

  /** `keep`: whether the last page of the unsynced end made it to the disk. A torn transaction is dropped by its checksum. */
  powerLost(keep: boolean): void {
    if (keep) this.sync();
    this.unsynced = undefined;
  }
}

/** The file as one process has it open. */
export class SimStore implements Store {
  readonly #file: StoreFile;
  readonly #scheduler: Scheduler;
  readonly #chance: Chance;
  readonly #life: Life;

  constructor(file: StoreFile, scheduler: Scheduler, chance: Chance, life: Life) {
    this.#file = file;
    this.#scheduler = scheduler;
    this.#chance = chance;
    this.#life = life;
  }

  load(): Promise<Loaded> {
    return this.#soon(() => {
      const { state, revision, chain, settings } = this.#file;
      return { state: copyState(state), revision, chain, settings: new Map(settings) };
    });
  }

  beginEpoch(next: Epoch): Promise<void> {
    return this.#soon(() => {
      const newest = newestOf(this.#file);
      if (next.epoch !== newest + 1) throw forked(next.epoch, newest);
      this.#file.chain = [...this.#file.chain, next];
      this.#file.onEpoch(this.#file.chain);
    });
  }

  commit(commit: Commit): Promise<Committed> {
    const file = this.#file;
    file.onSubmit(commit);
    const { syncMs, fault } = file.health;
    const waitMs = syncMs * (0.5 + this.#chance.fraction());
    return new Promise((resolve, reject) => {
      this.#scheduler.after(waitMs * this.#chance.fraction(), this.#life, () => {
        try {
          this.#write(commit);
        } catch (error) {
          reject(error);
          return;
        }
        const { unsynced } = file;
        this.#scheduler.after(waitMs / 2, this.#life, () => {
          if (fault !== undefined) {
            // the caller may not know: the log may hold it or not
            file.powerLost(this.#chance.happens(0.5));
            reject(new DavitError("storage_failed", `use the store: ${fault}`));
            return;
          }
          file.sync();
          resolve({ revision: unsynced?.revision ?? file.revision, events: unsynced?.events ?? [] });
        });
      });
    });
  }

  putSetting(epoch: number, name: string, value: string): Promise<void> {
    return this.#soon(() => {
      if (epoch !== newestOf(this.#file)) throw forked(epoch, newestOf(this.#file));
      this.#file.settings.set(name, value);
    });
  }

  events(
    sinceSeq: number,
    limit: number,
  ): Promise<{ readonly events: readonly DavitEvent[]; readonly oldestSeq: number; readonly newestSeq: number }> {
    return this.#soon(() => {
      const kept = this.#file.events.slice(-KEPT_ENTRIES);
      const events = kept.filter((event) => event.seq > sinceSeq).slice(0, limit);
      return { events, oldestSeq: kept[0]?.seq ?? 0, newestSeq: kept.at(-1)?.seq ?? 0 };
    });
  }

  audit(sinceSeq: number, limit: number): Promise<readonly AuditEntry[]> {
    return this.#soon(() =>
      this.#file.audit
        .slice(-KEPT_ENTRIES)
        .filter((entry) => entry.seq > sinceSeq)
        .slice(0, limit),
    );
  }

  close(): Promise<void> {
    return this.#soon(() => this.#file.sync());
  }

  #write(commit: Commit): void {
    const file = this.#file;
    const newest = newestOf(file);
    if (commit.epoch !== newest) throw forked(commit.epoch, newest);
    for (const guard of commit.guards) check(file.state, guard);
    for (const change of commit.changes) if (change.op === "put") checkWhole(change.kind, change.record);
    const revision = file.revision + 1;
    const { atMs } = commit;
    file.unsynced = {
      commit,
      revision,
      events: commit.events.map((draft, at) => ({ ...draft, revision, seq: file.eventSeq + at + 1, atMs })),
      audit: commit.audit.map((draft, at) => ({ ...draft, revision, seq: file.auditSeq + at + 1, atMs })),
    };
  }

  #soon<Result>(work: () => Result): Promise<Result> {
    return this.#scheduler.later(this.#file.health.syncMs * this.#chance.fraction(), this.#life, work);
  }
}

function newestOf(file: StoreFile): number {
  return file.chain.at(-1)?.epoch ?? 0;
}

function check(state: MutableState, { kind, id, index }: Guard): void {
  const record = state[kind].get(id) as { readonly index?: number } | undefined;
  const found = record?.index ?? 0;
  if (found !== index)
    throw new DavitError("out_of_sequence", `change ${kind} ${id}: it is at index ${found}, not ${index}`);
}

/** As the database does: its tables are strict, and what is a column is a whole number. */
function checkWhole(kind: string, record: object): void {
  for (const [name, value] of Object.entries(record) as readonly (readonly [string, unknown])[])
    invariant(typeof value !== "number" || Number.isInteger(value), `${kind}.${name} is ${String(value)}`);
}

function forked(wanted: number, newest: number): DavitError {
  return new DavitError(
    "forked_history",
    `commit: this coordinator is epoch ${wanted}, the database is at epoch ${newest}`,
  );
}
