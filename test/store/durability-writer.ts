// A process of its own that commits to a store and says so, each acknowledgement a line on standard output. Not a test: durability.test.ts
// starts it and kills it. Usage: bun durability-writer.ts DIR [COUNT]

import { writeSync } from "node:fs";
import type { Change } from "../../src/core/model/records.ts";
import { openStore } from "../../src/store/open.ts";

/** The two records that every commit writes together: they must never differ. */
export const PAIR = ["left", "right"] as const;

const [dataDir = "", count = "1000000"] = process.argv.slice(2);

function pair(index: number): Change[] {
  return PAIR.map((id) => ({
    op: "put",
    kind: "registryLogin",
    record: { id, index, username: "x".repeat(200), sealedPassword: "" },
  }));
}

async function main(): Promise<void> {
  const { store } = await openStore({ dataDir, clock: { nowMs: () => 1 } });
  const { state, chain } = await store.load();
  const [left = 0, right = 0] = PAIR.map((id) => state.registryLogin.get(id)?.index);
  writeSync(1, `loaded ${left} ${right}\n`);
  const epoch = (chain.at(-1)?.epoch ?? 0) + 1;
  await store.beginEpoch({ epoch, nonce: String(process.pid) });
  for (let index = left + 1; index <= left + Number(count); index++) {
    const event = { type: "a.b", subject: { kind: "service", id: "s", name: "s" }, message: String(index) };
    await store.commit({ epoch, atMs: 1, changes: pair(index), guards: [], events: [event], audit: [] });
    writeSync(1, `ack ${index}\n`);
  }
  await store.close();
}

if (import.meta.main) await main();
