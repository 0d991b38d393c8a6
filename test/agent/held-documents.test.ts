// Work and routes that two sessions of the coordinator bring at once, the older of which was superseded while its file was being written:
// what the node holds, and would find after a start, is the newer.

import { describe, expect, test } from "vitest";
import type { WorkDelta } from "../../src/core/model/work.ts";
import type { RoutesDelta } from "../../src/core/model/routes.ts";
import { HeldRoutes } from "../../workers/agent/state/held-routes.ts";
import { HeldWork } from "../../workers/agent/state/held-work.ts";
import { settle } from "../fakes/fake-clock.ts";
import { MemoryDisk } from "../fakes/memory-disk.ts";

type Delta = WorkDelta & RoutesDelta;

const AT_1 = { epoch: 1, generation: 1 };
const AT_2 = { epoch: 1, generation: 2 };
const AT_3 = { epoch: 1, generation: 3 };

function delta(position: typeof AT_1, base?: typeof AT_1): Delta {
  return { ...position, ...(base === undefined ? {} : { base }), put: {}, drop: [] };
}

const KINDS = [
  ["work", HeldWork],
  ["routes", HeldRoutes],
] as const;

describe.each(KINDS)("%s", (_, kind) => {
  /** What becomes of a delta that arrives while an older one's write takes long. */
  async function besideAnOlder(
    newer: Delta,
  ): Promise<{ disk: MemoryDisk; held: HeldWork | HeldRoutes; kinds: string[] }> {
    const disk = new MemoryDisk();
    const held: HeldWork | HeldRoutes = await kind.load(disk);
    await held.receive(delta(AT_1));
    const release = disk.hold();
    const first = held.receive(delta(AT_2, AT_1));
    await settle();
    // only that one write is slow
    disk.hold()();
    const second = held.receive(newer);
    await settle();
    release();
    const receipts = await Promise.all([first, second]);
    return { disk, held, kinds: receipts.map((receipt) => receipt.kind) };
  }

  test("of an older and a newer session end as the newer one's", async () => {
    const { disk, held, kinds } = await besideAnOlder(delta(AT_3));
    expect(kinds).toEqual(["kept", "kept"]);
    expect(held.position).toEqual(AT_3);
    expect((await kind.load(disk)).position).toEqual(AT_3);
  });

  test("of a newer session are asked for anew when an older one changed what they were based on", async () => {
    const { held, kinds } = await besideAnOlder(delta(AT_3, AT_1));
    expect(kinds).toEqual(["kept", "resync"]);
    expect(held.position).toEqual(AT_2);
  });

  test("are taken over after a write that failed", async () => {
    const disk = new MemoryDisk();
    const held: HeldWork | HeldRoutes = await kind.load(disk);
    disk.refusal = "no space left on device";
    await expect(held.receive(delta(AT_1))).rejects.toThrow("no space left on device");
    disk.refusal = undefined;
    expect(await held.receive(delta(AT_1))).toMatchObject({ kind: "kept" });
  });
});
