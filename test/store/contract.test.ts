// The one suite, on the database and on the simulator's store.

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll } from "vitest";
import { openStore } from "../../src/store/open.ts";
import { SimStore, StoreFile } from "../sim/fakes/sim-store.ts";
import { Chance } from "../sim/kernel/chance.ts";
import { Life, Scheduler } from "../sim/kernel/scheduler.ts";
import { describeStore } from "./contract.ts";

const made: string[] = [];
afterAll(() => {
  for (const dir of made) rmSync(dir, { recursive: true, force: true });
});

describeStore(
  "SQLite",
  () => {
    const dataDir = mkdtempSync(join(tmpdir(), "davit-contract-"));
    made.push(dataDir);
    return { open: async () => (await openStore({ dataDir, clock: { nowMs: () => 1 } })).store };
  },
  (asked) => asked,
);

const scheduler = new Scheduler();
describeStore(
  "simulated",
  () => {
    const file = new StoreFile();
    return { open: async () => new SimStore(file, scheduler, new Chance("contract"), new Life("test")) };
  },
  async (asked) => {
    scheduler.runUntil(scheduler.nowMs + 1_000);
    return asked;
  },
);
