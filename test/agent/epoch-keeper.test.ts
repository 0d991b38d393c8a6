// Two starts of a coordinator that present themselves in the same moment, as to a host that was suspended: the later one is obeyed last.

import { describe, expect, test } from "vitest";
import type { EpochChain } from "../../src/core/model/lease.ts";
import { EpochKeeper } from "../../workers/agent/session/epoch-keeper.ts";
import { settle } from "../fakes/fake-clock.ts";
import { MemoryDisk } from "../fakes/memory-disk.ts";

const A = { epoch: 1, nonce: "a" };
const B = { epoch: 2, nonce: "b" };
const C = { epoch: 3, nonce: "c" };
const AFTER_A: EpochChain = [A, B];
const AFTER_B: EpochChain = [A, B, C];

async function obeying(...first: readonly EpochChain[]): Promise<{ disk: MemoryDisk; kinds: readonly string[] }> {
  const disk = new MemoryDisk();
  const keeper = await EpochKeeper.load(disk);
  await keeper.obey(A, [A]);
  const release = disk.hold();
  const openings = first.map((chain) => keeper.obey(chain.at(-1) ?? A, chain));
  await settle();
  release();
  const kinds = (await Promise.all(openings)).map(({ kind }) => kind);
  return { disk, kinds };
}

describe("two openings at once", () => {
  test("of an older and a newer start leave the newer one obeyed", async () => {
    const { disk, kinds } = await obeying(AFTER_A, AFTER_B);
    expect(kinds).toEqual(["obeyed", "obeyed"]);
    expect(JSON.parse(disk.durable.get("epoch.json") ?? "")).toEqual(C);
  });

  test("refuse the older one when the newer was there first", async () => {
    const { disk, kinds } = await obeying(AFTER_B, AFTER_A);
    expect(kinds).toEqual(["obeyed", "forked"]);
    expect(JSON.parse(disk.durable.get("epoch.json") ?? "")).toEqual(C);
  });
});
