// The one door to the state: memory follows the disk, never the other way round.

import { describe, expect, test } from "vitest";
import { CommitDoor } from "../../src/coordinator/commit-door.ts";
import { DavitError } from "../../src/core/model/errors.ts";
import { asId } from "../../src/core/model/ids.ts";
import type { Change } from "../../src/core/model/records.ts";
import { emptyState } from "../../src/core/model/world.ts";
import type { Commit, Committed, Store } from "../../src/ports/store.ts";
import { FakeClock, settle } from "../fakes/fake-clock.ts";
import { WorldModel } from "../fakes/world-model.ts";

/** A store whose commits finish when the test says so. */
class GatedStore implements Pick<Store, "commit"> {
  readonly commits: Commit[] = [];
  readonly gates: { resolve: () => void; reject: (error: Error) => void }[] = [];

  commit(commit: Commit): Promise<Committed> {
    this.commits.push(commit);
    const revision = this.commits.length;
    const events = commit.events.map((event, at) => ({
      ...event,
      revision,
      seq: revision * 100 + at,
      atMs: commit.atMs,
    }));
    return new Promise((resolve, reject) => this.gates.push({ resolve: () => resolve({ revision, events }), reject }));
  }
}

function put(name: string): Change {
  return { op: "put", kind: "volumePin", record: { id: asId<"volume">(name), nodeIds: [] } };
}

function doorOn(store: GatedStore): { door: CommitDoor; fatal: DavitError[] } {
  const fatal: DavitError[] = [];
  const door = new CommitDoor({
    store: store as unknown as Store,
    clock: new FakeClock(),
    epoch: 1,
    state: emptyState(),
    revision: 0,
    fatal: (error) => fatal.push(error),
  });
  return { door, fatal };
}

describe("the commit door", () => {
  test("memory shows a change only after the store said that it is durable", async () => {
    const store = new GatedStore();
    const { door } = doorOn(store);
    const done = door.commit(() => ({ changes: [put("a")], result: "ok" }));
    await settle();
    expect(door.state.volumePin.size).toBe(0);
    store.gates[0]?.resolve();
    expect((await done).result).toBe("ok");
    expect(door.state.volumePin.size).toBe(1);
    expect(door.revision).toBe(1);
  });

  test("changes that wait behind a commit are written together, each built on what those before it will have made", async () => {
    const store = new GatedStore();
    const { door } = doorOn(store);
    const first = door.commit(() => ({ changes: [put("a")], result: 0 }));
    await settle();
    const seen: number[] = [];
    const later = ["b", "c"].map((name) =>
      door.commit((state) => {
        seen.push(state.volumePin.size);
        return { changes: [put(name)], result: 0 };
      }),
    );
    store.gates[0]?.resolve();
    await first;
    await settle();
    store.gates[1]?.resolve();
    await Promise.all(later);
    expect(store.commits.length).toBe(2);
    expect(seen).toEqual([1, 2]);
  });

  test("of a group the store is shown what guards the state before it, not what guards what the group itself makes", async () => {
    const store = new GatedStore();
    const { door } = doorOn(store);
    const [a, b] = [asId<"service">("a"), asId<"service">("b")];
    const service = (id: typeof a, index: number): Change =>
      ({ op: "put", kind: "service", record: { id, index } }) as unknown as Change;
    const first = door.commit(() => ({ changes: [put("x")], result: 0 }));
    await settle();
    // the planner changes a service without a guard; a user who comes after it saw what it made
    const later = [
      door.commit(() => ({ changes: [service(a, 3)], result: 0 })),
      door.commit(() => ({ changes: [service(a, 4)], guards: [{ kind: "service", id: a, index: 3 }], result: 0 })),
      door.commit(() => ({ changes: [service(b, 8)], guards: [{ kind: "service", id: b, index: 7 }], result: 0 })),
      door.commit(() => ({ changes: [service(b, 9)], guards: [{ kind: "service", id: b, index: 8 }], result: 0 })),
    ];
    store.gates[0]?.resolve();
    await first;
    await settle();
    expect(store.commits[1]?.guards).toEqual([{ kind: "service", id: b, index: 7 }]);
    store.gates[1]?.resolve();
    await Promise.all(later);
  });

  test("a build that refuses takes nobody of its group along", async () => {
    const store = new GatedStore();
    const { door } = doorOn(store);
    const refused = door.commit(() => {
      throw new DavitError("conflict", "no");
    });
    const taken = door.commit(() => ({ changes: [put("a")], result: 1 }));
    await expect(refused).rejects.toMatchObject({ code: "conflict" });
    await settle();
    store.gates[0]?.resolve();
    expect((await taken).result).toBe(1);
  });

  test("a change without content is answered without touching the disk", async () => {
    const store = new GatedStore();
    const { door } = doorOn(store);
    expect((await door.commit(() => ({ changes: [], result: 7 }))).result).toBe(7);
    expect(store.commits).toEqual([]);
  });

  test("an unknown outcome ends the process: the state stays, the waiting are refused, nothing more is taken", async () => {
    const store = new GatedStore();
    const { door, fatal } = doorOn(store);
    const lost = door.commit(() => ({ changes: [put("a")], result: 0 }));
    await settle();
    const waiting = door.commit(() => ({ changes: [put("b")], result: 0 }));
    store.gates[0]?.reject(new DavitError("storage_failed", "disk I/O error"));
    await expect(lost).rejects.toMatchObject({ code: "storage_failed" });
    await expect(waiting).rejects.toMatchObject({ code: "storage_failed" });
    await expect(door.commit(() => ({ changes: [], result: 0 }))).rejects.toMatchObject({ code: "storage_failed" });
    expect(fatal.map((error) => error.code)).toEqual(["storage_failed"]);
    expect(door.state.volumePin.size).toBe(0);
  });

  test("a stale index refuses that commit only", async () => {
    const store = new GatedStore();
    const { door, fatal } = doorOn(store);
    const stale = door.commit(() => ({ changes: [put("a")], result: 0 }));
    await settle();
    store.gates[0]?.reject(new DavitError("out_of_sequence", "changed in between"));
    await expect(stale).rejects.toMatchObject({ code: "out_of_sequence" });
    expect(fatal).toEqual([]);
  });

  test("moves what counts time along with a clock that was set before anything is dated by it, and once", async () => {
    const world = new WorldModel();
    const clock = new FakeClock(1_000_000, world.nowMs);
    const id = world.node("n1");
    const commits: Commit[] = [];
    const store: Pick<Store, "commit"> = {
      commit: async (commit) => ({ revision: commits.push(commit), events: [] }),
    };
    const fatal = (error: DavitError): never => expect.fail(error.message);
    const door = new CommitDoor({ store: store as Store, clock, epoch: 1, state: world.state, revision: 0, fatal });
    const lose = (): Promise<unknown> =>
      door.commit((state) => {
        const status = state.nodeStatus.get(id);
        if (status === undefined) expect.fail("no node");
        const record = { ...status, lostAtMs: [...status.lostAtMs, clock.nowMs()] };
        return { changes: [{ op: "put", kind: "nodeStatus", record }], result: undefined };
      });
    await lose();
    const firstMs = clock.nowMs();
    clock.stepWall(3_600_000);
    await lose();
    await lose();
    const nowMs = clock.nowMs();
    expect(door.state.nodeStatus.get(id)?.lostAtMs).toEqual([firstMs + 3_600_000, nowMs, nowMs]);
    expect(commits).toHaveLength(3);
  });
});
