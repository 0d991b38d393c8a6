// Who is in contact, silent or lost, and when nobody is judged: the coordinator's side of leases.

import { describe, expect, test } from "vitest";
import {
  beatReceived,
  contactLost,
  type LeaseTable,
  secondLookFailed,
  silenceOf,
  startLeases,
  tickLeases,
} from "../../../src/core/lease/leases.ts";
import { asId, type NodeId } from "../../../src/core/model/ids.ts";
import { BEAT_INTERVAL_MS, LEASE_MS } from "../../../src/core/model/lease.ts";
import type { Presence } from "../../../src/core/model/world.ts";

const [n1, n2, n3] = ["n1", "n2", "n3"].map((name) => asId<"node">(name)) as [NodeId, NodeId, NodeId];
const all = [n1, n2, n3];
const nobody: ReadonlySet<NodeId> = new Set();

/** Runs time on in steps of 250 ms; the nodes of `alive` send beats every interval. Second looks fail at once. */
function run(
  table: LeaseTable,
  fromMs: number,
  forMs: number,
  alive: readonly NodeId[],
  dead = nobody,
): { table: LeaseTable; presence: ReadonlyMap<NodeId, Presence> } {
  let now = table;
  let presence: ReadonlyMap<NodeId, Presence> = new Map();
  for (let atMs = fromMs; atMs <= fromMs + forMs; atMs += 250) {
    if ((atMs - fromMs) % BEAT_INTERVAL_MS === 0) for (const id of alive) now = beatReceived(now, id, atMs);
    const tick = tickLeases(now, all, dead, atMs);
    now = tick.table;
    presence = tick.presence;
    for (const id of tick.toLookAt) now = secondLookFailed(now, id);
  }
  return { table: now, presence };
}

describe("node leases on the coordinator", () => {
  test("a node that sends beats is ready, one that never did is silent and not ready", () => {
    const { presence } = run(startLeases(all, 0), 0, 4_000, [n1, n2]);
    expect([...presence]).toEqual([
      [n1, "ready"],
      [n2, "ready"],
      [n3, "silent"],
    ]);
  });

  test("a node is lost when its lease ended and the second look failed, not before", () => {
    const started = run(startLeases(all, 0), 0, 4_000, all);
    const before = run(started.table, 4_250, LEASE_MS - 500, [n1, n2]);
    expect(before.presence.get(n3)).not.toBe("lost");
    const after = run(before.table, 4_250 + LEASE_MS - 250, 500, [n1, n2]);
    expect(after.presence.get(n3)).toBe("lost");
    expect(after.presence.get(n1)).toBe("ready");
  });

  test("a second look that is still under way holds the verdict back for a bounded time", () => {
    let table = startLeases(all, 0);
    const at = (ms: number): Presence | undefined => {
      for (const id of [n1, n2]) table = beatReceived(table, id, ms);
      const tick = tickLeases(table, all, nobody, ms);
      table = tick.table;
      return tick.presence.get(n3);
    };
    for (let ms = 0; ms < LEASE_MS; ms += 500) at(ms);
    expect(at(LEASE_MS + 500)).toBe("silent");
    expect(at(LEASE_MS + 1_000)).toBe("lost");
  });

  test("a second look starts early enough to be answered when the lease ends", () => {
    const started = run(startLeases(all, 0), 0, 4_000, all);
    let looks = 0;
    let { table } = started;
    for (let ms = 4_250; ms < 4_000 + LEASE_MS; ms += 250) {
      for (const id of [n1, n2]) table = beatReceived(table, id, ms);
      const tick = tickLeases(table, all, nobody, ms);
      ({ table } = tick);
      if (tick.toLookAt.includes(n3)) looks += 1;
    }
    expect(looks).toBe(1);
  });

  test("when more than half of the nodes fall silent together, none is lost however long it lasts", () => {
    const started = run(startLeases(all, 0), 0, 4_000, all);
    const { table, presence } = run(started.table, 4_250, 60_000, [n1]);
    expect(table.valveShut).toBe(true);
    expect([presence.get(n2), presence.get(n3)]).toEqual(["silent", "silent"]);
  });

  test("nodes whose last beats were almost an interval apart still count together for the valve", () => {
    let table = startLeases(all, 0);
    table = beatReceived(table, n1, 100);
    table = beatReceived(table, n2, 1_000);
    table = beatReceived(table, n3, 2_000);
    for (let ms = 2_000; ms <= 30_000; ms += 250) {
      const tick = tickLeases(table, all, nobody, ms);
      ({ table } = tick);
      for (const id of tick.toLookAt) table = secondLookFailed(table, id);
      expect([...tick.presence.values()]).not.toContain("lost");
    }
  });

  test("when the valve opens again, every node still silent gets a full lease first", () => {
    const started = run(startLeases(all, 0), 0, 4_000, all);
    const shut = run(started.table, 4_250, 20_000, [n1]);
    const opened = run(shut.table, 24_500, LEASE_MS - 500, [n1, n2]);
    expect(opened.table.valveShut).toBe(false);
    expect(opened.presence.get(n3)).toBe("silent");
    const later = run(opened.table, 24_500 + LEASE_MS - 250, 3_000, [n1, n2]);
    expect(later.presence.get(n3)).toBe("lost");
  });

  test("a node confirmed dead does not count as silent, so it cannot shut the valve", () => {
    const started = run(startLeases(all, 0), 0, 4_000, all);
    const { table, presence } = run(started.table, 4_250, 10_000, [n1], new Set([n3]));
    expect(table.valveShut).toBe(false);
    expect(presence.get(n2)).toBe("lost");
  });

  test("a loop that stood still for longer than a beat gives everyone a full lease, since beats may have come in vain", () => {
    const started = run(startLeases(all, 0), 0, 4_000, all);
    const tick = tickLeases(started.table, all, nobody, 4_000 + 3_600_000);
    expect([...tick.presence.values()]).toEqual(["silent", "silent", "silent"]);
    expect(run(tick.table, 3_604_250, 2_000, all).presence.get(n2)).toBe("ready");
  });

  test("a silence is known to the moment, and a loop that stands still does not count it on", () => {
    const table = run(startLeases(all, 0), 0, 10_000, [n1]).table;
    expect(silenceOf(table, n2, 10_100, 250)).toBe(10_100);
    expect(silenceOf(table, n2, 60_000, 250)).toBe(10_250);
    expect(silenceOf(beatReceived(table, n2, 10_100), n2, 10_120, 250)).toBe(20);
  });

  test("losing the session stops new work at once but expires nothing", () => {
    const started = run(startLeases(all, 0), 0, 4_000, all);
    const tick = tickLeases(contactLost(started.table, n2), all, nobody, 4_250);
    expect(tick.presence.get(n2)).toBe("silent");
  });
});
