// The SQLite store behind its port, on real files: what is its own beside contract.ts: pragmas, history, faults of the file, migrations.

import { Database } from "bun:sqlite";
import { chmodSync, mkdtempSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import type { EventDraft } from "../../src/core/model/records.ts";
import type { Store } from "../../src/ports/store.ts";
import { MIGRATIONS } from "../../src/store/migrations.ts";
import { openStore } from "../../src/store/open.ts";
import { migrate } from "../../workers/store/migrate.ts";
import { KEPT_HISTORY } from "../../workers/store/store-database.ts";
import { commitOf, put } from "./contract.ts";

const made: string[] = [];
afterAll(() => {
  for (const dir of made) rmSync(dir, { recursive: true, force: true });
});

function newDir(): string {
  const dir = mkdtempSync(join(tmpdir(), "davit-store-"));
  made.push(dir);
  return dir;
}

async function open(dataDir: string): Promise<Store> {
  const { store } = await openStore({ dataDir, clock: { nowMs: () => 1 } });
  return store;
}

const event: EventDraft = { type: "a.b", subject: { kind: "service", id: "s", name: "s" }, message: "m" };

describe("the store on SQLite", () => {
  test("the live connection says synchronous FULL and a write-ahead log", async () => {
    const { store, pragmas } = await openStore({ dataDir: newDir(), clock: { nowMs: () => 1 } });
    expect(pragmas).toEqual({ synchronous: 2, journalMode: "wal" });
    await store.close();
  });

  test("events are numbered in order, read from any point, and bounded", async () => {
    const store = await open(newDir());
    await store.beginEpoch({ epoch: 1, nonce: "a" });
    const many = Array.from({ length: 1_000 }, () => event);
    for (let round = 0; round < 12; round++) await store.commit(commitOf(1, [], { events: many }));
    const { newestSeq, oldestSeq } = await store.events(0, 1);
    expect(newestSeq).toBe(12_000);
    expect(newestSeq - oldestSeq + 1).toBeLessThanOrEqual(KEPT_HISTORY + 1_000);
    const page = await store.events(newestSeq - 2, 10);
    expect(page.events.map(({ seq, revision }) => [seq, revision])).toEqual([
      [11_999, 12],
      [12_000, 12],
    ]);
    await store.close();
  });

  test("the write-ahead log stays small however much is written", async () => {
    const dir = newDir();
    const store = await open(dir);
    await store.beginEpoch({ epoch: 1, nonce: "a" });
    for (let round = 0; round < 300; round++)
      await store.commit(commitOf(1, [put("a", round)], { events: Array.from({ length: 50 }, () => event) }));
    expect(statSync(join(dir, "davit.db-wal")).size).toBeLessThan(8 * 1024 * 1024);
    await store.close();
  });

  test("a second coordinator on one data directory is refused with the first one's pid", async () => {
    const dir = newDir();
    const store = await open(dir);
    await expect(open(dir)).rejects.toMatchObject({
      code: "conflict",
      message: expect.stringContaining(String(process.pid)),
    });
    await store.close();
    await (await open(dir)).close();
  });

  test("a database file that is no database is refused in words", async () => {
    const dir = newDir();
    writeFileSync(join(dir, "davit.db"), "this is not a database, it is a text of some length".repeat(100));
    await expect(open(dir)).rejects.toMatchObject({
      code: "storage_failed",
      message: expect.stringContaining("damaged"),
    });
  });

  test("a damaged page is found at opening", async () => {
    const dir = newDir();
    const store = await open(dir);
    await store.beginEpoch({ epoch: 1, nonce: "a" });
    await store.commit(
      commitOf(
        1,
        Array.from({ length: 500 }, (_, at) => put(`login-${at}`)),
      ),
    );
    await store.close();
    const path = join(dir, "davit.db");
    const bytes = new Uint8Array(await Bun.file(path).arrayBuffer());
    for (let at = 8_192; at < bytes.length; at += 4_096) bytes.fill(0xa5, at, at + 512);
    writeFileSync(path, bytes);
    await expect(open(dir)).rejects.toMatchObject({
      code: "storage_failed",
      message: expect.stringContaining("damaged"),
    });
  });

  test("a data directory that cannot be made is refused in words", async () => {
    const dir = newDir();
    writeFileSync(join(dir, "file"), "");
    await expect(open(join(dir, "file", "data"))).rejects.toMatchObject({
      code: "storage_failed",
      wayOut: expect.stringContaining("--data-dir"),
    });
  });

  test("a database file without write permission is refused in words", async () => {
    const dir = newDir();
    await (await open(dir)).close();
    const path = join(dir, "davit.db");
    chmodSync(path, 0o444);
    // root may write anyway: a read-only copy on a read-only mount is what root meets, and the same sentence answers it
    if (process.getuid?.() === 0) {
      const { storageError } = await import("../../workers/store/storage-error.ts");
      const error = storageError(
        Object.assign(new Error("attempt to write a readonly database"), { code: "SQLITE_READONLY" }),
        path,
      );
      expect(error).toMatchObject({ code: "storage_failed", message: expect.stringContaining("read-only") });
      return;
    }
    await expect(open(dir)).rejects.toMatchObject({
      code: "storage_failed",
      message: expect.stringContaining("read-only"),
    });
  });
});

describe("migrations", () => {
  function schemaOf(database: Database): unknown[] {
    return database.query("SELECT type, name, tbl_name, sql FROM sqlite_master ORDER BY type, name").all();
  }

  test("a schema reached step by step, from every released version, equals a fresh one", () => {
    const fresh = new Database(":memory:");
    migrate(fresh, MIGRATIONS, () => undefined);
    for (let from = 1; from < MIGRATIONS.length; from++) {
      const old = new Database(":memory:");
      migrate(old, MIGRATIONS.slice(0, from), () => undefined);
      expect(migrate(old, MIGRATIONS, () => undefined)).toEqual(MIGRATIONS.slice(from).map(({ version }) => version));
      expect(schemaOf(old)).toEqual(schemaOf(fresh));
    }
  });

  test("applying them again changes nothing and makes no copy", () => {
    const database = new Database(":memory:");
    migrate(database, MIGRATIONS, () => undefined);
    let copies = 0;
    expect(migrate(database, MIGRATIONS, () => void (copies += 1))).toEqual([]);
    expect(copies).toBe(0);
  });

  test("a file is copied before its first change, and one from a newer davit is refused", () => {
    const database = new Database(":memory:");
    migrate(database, MIGRATIONS.slice(0, 1), () => undefined);
    const copies: number[] = [];
    migrate(database, MIGRATIONS, (version) => void copies.push(version));
    expect(copies).toEqual([1]);
    expect(() => migrate(database, MIGRATIONS.slice(0, 2), () => undefined)).toThrow("newer davit");
  });

  test("a step whose text differs from what was applied is refused", () => {
    const database = new Database(":memory:");
    migrate(database, MIGRATIONS, () => undefined);
    const altered = MIGRATIONS.map((migration) =>
      migration.version === 2 ? { ...migration, sql: `${migration.sql} ` } : migration,
    );
    expect(() => migrate(database, altered, () => undefined)).toThrow("step 2");
  });

  test("versions are consecutive from 1", () => {
    expect(MIGRATIONS.map(({ version }) => version)).toEqual(MIGRATIONS.map((_, at) => at + 1));
  });
});
