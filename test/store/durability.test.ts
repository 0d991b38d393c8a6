// What was acknowledged is on the disk: after kills at any moment, by the system calls themselves, from a log cut anywhere, on a full disk.

import { execFileSync, spawn, spawnSync } from "node:child_process";
import { copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, truncateSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { openStore } from "../../src/store/open.ts";
import { StoreDatabase } from "../../workers/store/store-database.ts";
import { PAIR } from "./durability-writer.ts";

const WRITER = join(import.meta.dirname, "durability-writer.ts");
const KILLS = Number(process.env["DAVIT_DURABILITY_ROUNDS"] ?? 200);
const made: string[] = [];
afterAll(() => {
  for (const dir of made) rmSync(dir, { recursive: true, force: true });
});

function newDir(): string {
  const dir = mkdtempSync(join(tmpdir(), "davit-durable-"));
  made.push(dir);
  return dir;
}

type Life = { readonly loaded: readonly number[]; readonly acknowledged: number };

/** One life of a writer: from its start to a kill some milliseconds after its first acknowledgement. */
function live(dataDir: string, killAfterMs: number): Promise<Life> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [WRITER, dataDir], { stdio: ["ignore", "pipe", "pipe"] });
    let said = "";
    let failed = "";
    let isDoomed = false;
    child.stderr.on("data", (data) => void (failed += String(data)));
    child.stdout.on("data", (data) => {
      said += String(data);
      if (isDoomed || !said.includes("ack ")) return;
      isDoomed = true;
      setTimeout(() => child.kill("SIGKILL"), killAfterMs);
    });
    child.on("error", reject);
    child.on("close", () => {
      if (!isDoomed) return reject(new Error(`the writer ended by itself: ${failed}`));
      const whole = said.split("\n").slice(0, -1);
      const loaded = whole[0]?.split(" ").slice(1).map(Number) ?? [];
      resolve({ loaded, acknowledged: Number(whole.findLast((line) => line.startsWith("ack "))?.split(" ")[1] ?? 0) });
    });
  });
}

/** The pair's index in a store's file, after checking that both are the same. */
function indexIn(dataDir: string): number {
  const database = new StoreDatabase(dataDir);
  const rows = new Map(database.load().records.map(([kind, records]) => [kind, records]));
  database.close();
  const logins = rows.get("registryLogin") as readonly { readonly id: string; readonly index: number }[];
  const [left, right] = PAIR.map((id) => logins.find((login) => login.id === id)?.index ?? 0);
  expect(left).toBe(right);
  return left ?? 0;
}

describe("what was acknowledged", () => {
  test(`is there after each of ${KILLS} kills in mid-write, whole, and nothing that was never asked for is`, async () => {
    const lanes = [newDir(), newDir()];
    const runLane = async (dataDir: string, kills: number): Promise<void> => {
      let acknowledged = 0;
      for (let kill = 0; kill < kills; kill++) {
        const life = await live(dataDir, (kill * 7) % 23);
        const [left = -1, right = -2] = life.loaded;
        expect(left).toBe(right);
        expect(left).toBeGreaterThanOrEqual(acknowledged);
        // one commit at most was on its way when the process was killed, and one more line may have been cut with the pipe
        expect(left).toBeLessThanOrEqual(acknowledged + 2);
        acknowledged = life.acknowledged;
      }
      expect(indexIn(dataDir)).toBeGreaterThanOrEqual(acknowledged);
    };
    await Promise.all(lanes.map((dataDir) => runLane(dataDir, Math.ceil(KILLS / lanes.length))));
  }, 240_000);

  test("follows an fdatasync of the write-ahead log, as the system calls show", () => {
    const dir = newDir();
    const log = join(dir, "calls");
    const traced = ["-f", "-e", "trace=openat,pwrite64,fdatasync,fsync,write", "-o", log];
    const run = spawnSync("strace", [...traced, process.execPath, WRITER, join(dir, "data"), "25"], {
      encoding: "utf8",
    });
    if (run.error !== undefined) throw new Error(`strace is needed (apt-get install strace): ${run.error.message}`);
    expect(run.stdout).toContain("ack 25");
    const wal = new Set<string>();
    let isDirty = true;
    let acknowledgements = 0;
    for (const line of readFileSync(log, "utf8").split("\n")) {
      const opened = /openat\(.*davit\.db-wal".* = (\d+)$/.exec(line)?.[1];
      if (opened !== undefined) wal.add(opened);
      const [, call = "", fd = ""] = /(pwrite64|fdatasync|fsync|write)\((\d+)/.exec(line) ?? [];
      if (call === "pwrite64" && wal.has(fd)) isDirty = true;
      if ((call === "fdatasync" || call === "fsync") && wal.has(fd)) isDirty = false;
      if (call === "write" && fd === "1" && line.includes("ack ")) {
        acknowledgements += 1;
        expect(isDirty).toBe(false);
        isDirty = true;
      }
    }
    expect(wal.size).toBeGreaterThan(0);
    expect(acknowledgements).toBe(25);
  }, 60_000);

  test("is a prefix of it in a write-ahead log that is cut at any frame, or in the middle of one", async () => {
    const dir = newDir();
    const source = join(dir, "source");
    const commits = 12;
    const { store } = await openStore({ dataDir: source, clock: { nowMs: () => 1 } });
    await store.beginEpoch({ epoch: 1, nonce: "n" });
    for (let index = 1; index <= commits; index++) {
      const changes = PAIR.map(
        (id) =>
          ({ op: "put", kind: "registryLogin", record: { id, index, username: "", sealedPassword: "" } }) as const,
      );
      await store.commit({ epoch: 1, atMs: 1, changes, guards: [], events: [], audit: [] });
    }
    const wal = join(source, "davit.db-wal");
    const pageBytes = readFileSync(wal).readUInt32BE(8);
    const frameBytes = 24 + pageBytes;
    const frames = Math.floor((statSync(wal).size - 32) / frameBytes);
    let before = 0;
    for (let frame = 0; frame <= frames; frame++) {
      for (const part of [0, Math.floor(frameBytes / 2)]) {
        const copy = join(dir, `cut-${frame}-${part}`);
        mkdirSync(copy);
        copyFileSync(join(source, "davit.db"), join(copy, "davit.db"));
        copyFileSync(wal, join(copy, "davit.db-wal"));
        truncateSync(join(copy, "davit.db-wal"), Math.min(32 + frame * frameBytes + part, statSync(wal).size));
        const found = indexIn(copy);
        expect(found).toBeGreaterThanOrEqual(before);
        before = found;
        rmSync(copy, { recursive: true });
      }
    }
    expect(before).toBe(commits);
    await store.close();
  }, 120_000);

  test("survives a full disk: the commit that does not fit is refused in words, those before it stay", async () => {
    if (process.getuid?.() !== 0) throw new Error("this test mounts a small file system: run it as root");
    const dir = newDir();
    execFileSync("mount", ["-t", "tmpfs", "-o", "size=3m", "davit-full", dir]);
    try {
      const { store } = await openStore({ dataDir: dir, clock: { nowMs: () => 1 } });
      await store.beginEpoch({ epoch: 1, nonce: "n" });
      let stored = 0;
      const fill = async (): Promise<void> => {
        for (let at = 1; at < 100; at++) {
          const record = { id: `login-${at}`, index: 1, username: "x".repeat(100_000), sealedPassword: "" };
          const changes = [{ op: "put", kind: "registryLogin", record }] as const;
          await store.commit({ epoch: 1, atMs: 1, changes, guards: [], events: [], audit: [] });
          stored = at;
        }
      };
      await expect(fill()).rejects.toMatchObject({
        code: "storage_failed",
        message: expect.stringMatching(/disk is full/),
      });
      expect(stored).toBeGreaterThan(0);
      expect((await store.load()).state.registryLogin.size).toBe(stored);
      await store.close().catch(() => undefined);
    } finally {
      execFileSync("umount", ["-l", dir]);
    }
  });
});
