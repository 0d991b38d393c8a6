// The database file and all that is done to it: open and check, load, commit, history. Everything is synchronous; it runs in a Worker
// of its own, so that the coordinator's beats never wait for a disk.

import { Database, type Statement } from "bun:sqlite";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { DavitError } from "../../src/core/model/errors.ts";
import type { Epoch } from "../../src/core/model/lease.ts";
import type { AuditEntry, Change, DavitEvent, RecordKind, RecordKinds } from "../../src/core/model/records.ts";
import { RECORD_KINDS } from "../../src/core/model/world.ts";
import type { Commit, Committed, Guard } from "../../src/ports/store.ts";
import { MIGRATIONS } from "../../src/store/migrations.ts";
import { lockFile } from "./file-lock.ts";
import { migrate } from "./migrate.ts";
import { storageError } from "./storage-error.ts";
import { type Cell, putSql, putValues, TABLES } from "./tables.ts";

/** Rows of history kept, of events and of audit each: weeks of a small cluster, a few megabytes. */
export const KEPT_HISTORY = 10_000;
/** Trimming costs a scan, so it is done once in so many rows. */
const TRIM_EVERY = 500;
/** Pages of 4 KiB in the WAL after which it is folded into the file: it stays near 4 MiB. */
const CHECKPOINT_PAGES = 1_000;

export type LoadedRows = {
  readonly records: readonly (readonly [RecordKind, readonly RecordKinds[RecordKind][]])[];
  readonly revision: number;
  readonly chain: readonly Epoch[];
  readonly settings: readonly (readonly [string, string])[];
};
export type Pragmas = { readonly synchronous: number; readonly journalMode: string };

export class StoreDatabase {
  readonly #database: Database;
  readonly #unlock: () => void;
  readonly #statements = new Map<string, Statement>();
  #trimmedSeq = 0;

  constructor(dataDir: string) {
    const path = join(dataDir, "davit.db");
    this.#unlock = lockFile(join(dataDir, "lock"));
    try {
      this.#database = openDatabase(path);
    } catch (error) {
      this.#unlock();
      throw storageError(error, path);
    }
  }

  /** What the live connection says of itself: 2 (FULL) and "wal", or it would not have opened. */
  pragmas(): Pragmas {
    return pragmasOf(this.#database);
  }

  load(): LoadedRows {
    const records = RECORD_KINDS.map((kind) => {
      const rows = this.#statement(`SELECT record FROM ${TABLES[kind].table} ORDER BY id`).all() as {
        record: string;
      }[];
      return [kind, rows.map((row) => JSON.parse(row.record) as RecordKinds[RecordKind])] as const;
    });
    const chain = this.#statement("SELECT epoch, nonce FROM epoch ORDER BY epoch").all() as Epoch[];
    const settings = this.#statement("SELECT name, value FROM setting").all() as { name: string; value: string }[];
    return { records, revision: this.#revision(), chain, settings: settings.map(({ name, value }) => [name, value]) };
  }

  beginEpoch(next: Epoch, atMs: number): void {
    this.#database.transaction(() => {
      const newest = this.#newestEpoch();
      if (next.epoch !== newest + 1) throw forked(next.epoch, newest);
      this.#statement("INSERT INTO epoch (epoch, nonce, at_ms) VALUES (?, ?, ?)").run(next.epoch, next.nonce, atMs);
    })();
  }

  commit(commit: Commit): Committed {
    return this.#database.transaction(() => {
      const newest = this.#newestEpoch();
      if (commit.epoch !== newest) throw forked(commit.epoch, newest);
      for (const guard of commit.guards) this.#check(guard);
      const revision = this.#revision() + 1;
      this.#statement("UPDATE meta SET revision = ?").run(revision);
      for (const change of commit.changes) this.#apply(change);
      const events = commit.events.map((draft): DavitEvent => {
        const row = this.#statement(
          "INSERT INTO event (revision, at_ms, type, subject_kind, subject_id, record) VALUES (?, ?, ?, ?, ?, ?)",
        ).run(revision, commit.atMs, draft.type, draft.subject.kind, draft.subject.id, JSON.stringify(draft));
        return { ...draft, revision, seq: Number(row.lastInsertRowid), atMs: commit.atMs };
      });
      for (const draft of commit.audit) {
        this.#statement("INSERT INTO audit (revision, at_ms, actor, action, record) VALUES (?, ?, ?, ?, ?)").run(
          revision,
          commit.atMs,
          draft.actor,
          draft.action,
          JSON.stringify(draft),
        );
      }
      this.#trim(events.at(-1)?.seq);
      return { revision, events };
    })();
  }

  putSetting(epoch: number, name: string, value: string): void {
    this.#database.transaction(() => {
      const newest = this.#newestEpoch();
      if (epoch !== newest) throw forked(epoch, newest);
      this.#statement(
        "INSERT INTO setting (name, value) VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET value = excluded.value",
      ).run(name, value);
    })();
  }

  events(sinceSeq: number, limit: number): { events: DavitEvent[]; oldestSeq: number; newestSeq: number } {
    const ends = this.#statement("SELECT min(seq) AS oldest, max(seq) AS newest FROM event").get() as {
      oldest: number | null;
      newest: number | null;
    };
    return {
      events: this.#history<DavitEvent>("event", sinceSeq, limit),
      oldestSeq: ends.oldest ?? 0,
      newestSeq: ends.newest ?? 0,
    };
  }

  audit(sinceSeq: number, limit: number): AuditEntry[] {
    return this.#history<AuditEntry>("audit", sinceSeq, limit);
  }

  close(): void {
    for (const statement of this.#statements.values()) statement.finalize();
    this.#database.exec("PRAGMA wal_checkpoint(TRUNCATE)");
    this.#database.close();
    this.#unlock();
  }

  #history<Entry>(table: "event" | "audit", sinceSeq: number, limit: number): Entry[] {
    const rows = this.#statement(
      `SELECT seq, revision, at_ms, record FROM ${table} WHERE seq > ? ORDER BY seq LIMIT ?`,
    ).all(sinceSeq, limit) as {
      seq: number;
      revision: number;
      at_ms: number;
      record: string;
    }[];
    return rows.map(
      (row) =>
        ({ ...(JSON.parse(row.record) as object), seq: row.seq, revision: row.revision, atMs: row.at_ms }) as Entry,
    );
  }

  #apply(change: Change): void {
    if (change.op === "delete") this.#statement(`DELETE FROM ${TABLES[change.kind].table} WHERE id = ?`).run(change.id);
    else this.#statement(putSql(change.kind)).run(...putValues(change.kind, change.record));
  }

  #check(guard: Guard): void {
    const row = this.#statement(
      `SELECT json_extract(record, '$.index') AS idx FROM ${TABLES[guard.kind].table} WHERE id = ?`,
    ).get(guard.id) as { idx: number } | null;
    const index = row?.idx ?? 0;
    if (index === guard.index) return;
    throw new DavitError(
      "out_of_sequence",
      `change ${guard.kind} ${guard.id}: it is at index ${index}, not ${guard.index}`,
      {
        wayOut: "somebody changed it in between: look at it again, then repeat the change",
      },
    );
  }

  #trim(newestSeq: number | undefined): void {
    if (newestSeq === undefined || newestSeq - this.#trimmedSeq < TRIM_EVERY) return;
    this.#trimmedSeq = newestSeq;
    this.#statement("DELETE FROM event WHERE seq <= (SELECT max(seq) FROM event) - ?").run(KEPT_HISTORY);
    this.#statement("DELETE FROM audit WHERE seq <= (SELECT max(seq) FROM audit) - ?").run(KEPT_HISTORY);
  }

  #revision(): number {
    return (this.#statement("SELECT revision FROM meta").get() as { revision: number }).revision;
  }

  #newestEpoch(): number {
    return (this.#statement("SELECT coalesce(max(epoch), 0) AS newest FROM epoch").get() as { newest: number }).newest;
  }

  #statement(sql: string): Statement<unknown, Cell[]> {
    let statement = this.#statements.get(sql);
    if (statement === undefined) {
      statement = this.#database.prepare(sql);
      this.#statements.set(sql, statement);
    }
    return statement as Statement<unknown, Cell[]>;
  }
}

function forked(wanted: number, newest: number): DavitError {
  return new DavitError(
    "forked_history",
    `commit: this coordinator is epoch ${wanted}, the database is at epoch ${newest}`,
    {
      wayOut: "another coordinator was started on this database: keep that one, stop this one",
    },
  );
}

function openDatabase(path: string): Database {
  const isNew = !existsSync(path);
  const database = new Database(path, { create: true, readwrite: true, strict: true });
  database.exec(
    "PRAGMA locking_mode = EXCLUSIVE; PRAGMA busy_timeout = 0; PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON",
  );
  database.exec(`PRAGMA wal_autocheckpoint = ${CHECKPOINT_PAGES}`);
  const pragmas = pragmasOf(database);
  if (pragmas.synchronous !== 2 || pragmas.journalMode !== "wal") {
    throw new DavitError(
      "storage_failed",
      `open ${path}: the file system does not allow what durability needs (journal ${pragmas.journalMode}, synchronous ${pragmas.synchronous})`,
      {
        wayOut: "put --data-dir on a local disk, not on a network or special file system",
      },
    );
  }
  if (!isNew) {
    const found = database.query<{ quick_check: string }, []>("PRAGMA quick_check(1)").get()?.quick_check;
    if (found !== "ok")
      throw new DavitError("storage_failed", `open ${path}: the file is damaged: ${found ?? "unreadable"}`, {
        wayOut: DAMAGED_WAY_OUT,
      });
  }
  migrate(database, MIGRATIONS, (version) => void database.query("VACUUM INTO ?").run(`${path}.schema-${version}`));
  return database;
}

export const DAMAGED_WAY_OUT =
  "stop everything that uses it, keep the file, and restore the newest copy of the data directory; running containers are not touched meanwhile";

function pragmasOf(database: Database): Pragmas {
  const synchronous = database.query<{ synchronous: number }, []>("PRAGMA synchronous").get()?.synchronous ?? -1;
  const journalMode = database.query<{ journal_mode: string }, []>("PRAGMA journal_mode").get()?.journal_mode ?? "";
  return { synchronous, journalMode };
}
