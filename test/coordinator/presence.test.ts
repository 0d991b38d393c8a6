// Many nodes that come or go together are one judgement and one commit.

import { describe, expect, test } from "vitest";
import { asId } from "../../src/core/model/ids.ts";
import { CommitDoor } from "../../src/coordinator/commit-door.ts";
import { PresenceLoop } from "../../src/coordinator/presence.ts";
import type { Commit, Store } from "../../src/ports/store.ts";
import { FakeClock } from "../fakes/fake-clock.ts";
import { silentLog } from "../agent/agent-world.ts";
import { WorldModel } from "../fakes/world-model.ts";

describe("presence", () => {
  test("of many nodes that come, go and are lost together is judged once and written down once", async () => {
    const world = new WorldModel();
    const ids = Array.from({ length: 50 }, (_, at) => world.node(`n${at + 1}`));
    const clock = new FakeClock();
    const commits: Commit[] = [];
    const store: Pick<Store, "commit"> = {
      commit: async (commit) => ({ revision: commits.push(commit), events: [] }),
    };
    const door = new CommitDoor({
      store: store as Store,
      clock,
      epoch: 1,
      state: world.state,
      revision: 0,
      fatal: (error) => expect.fail(error.message),
    });
    let changes = 0;
    const onChange = (): void => void changes++;
    const loop = new PresenceLoop({ door, clock, log: silentLog, lookThrough: async () => false, onChange });
    loop.start();
    changes = 0;
    for (const id of ids) loop.beat(id);
    await clock.advance(1);
    expect(changes).toBe(1);
    const [gone, others] = [ids.slice(0, 20), ids.slice(20)];
    const before = loop.presence;
    for (const id of gone) loop.contactLost(id);
    await clock.advance(1);
    expect(changes).toBe(2);
    expect(loop.presence).not.toBe(before);
    const same = loop.presence;
    for (let turn = 0; turn < 5; turn++) {
      for (const id of others) loop.beat(id);
      await clock.advance(250);
    }
    expect(loop.presence).toBe(same);
    for (let turn = 0; turn < 8; turn++) {
      for (const id of others) loop.beat(id);
      await clock.advance(1_000);
    }
    const losses = commits.map(({ changes: written }) => written.filter(({ kind }) => kind === "nodeStatus").length);
    expect(losses.filter((count) => count > 0)).toEqual([20]);
    loop.stop();
  });

  test("of a node that is lost is written down as of when that was judged, however long the disk takes", async () => {
    const world = new WorldModel();
    const [lost, ...others] = ["n1", "n2", "n3"].map((name) => world.node(name));
    const clock = new FakeClock();
    const commits: Commit[] = [];
    const slow = Promise.withResolvers<void>();
    const store: Pick<Store, "commit"> = {
      commit: async (commit) => {
        if (commits.length === 0) await slow.promise;
        return { revision: commits.push(commit), events: [] };
      },
    };
    const fatal = (error: Error): void => expect.fail(error.message);
    const door = new CommitDoor({ store: store as Store, clock, epoch: 1, state: world.state, revision: 0, fatal });
    const loop = new PresenceLoop({ door, clock, log: silentLog, lookThrough: async () => false, onChange: () => {} });
    loop.start();
    const event = { type: "t", subject: { kind: "cluster", id: "c", name: "c" }, message: "m" } as const;
    const first = door.commit(() => ({ changes: [], events: [event], result: undefined }));
    while (loop.presence.get(lost ?? asId("none")) !== "lost") {
      for (const id of others) loop.beat(id);
      await clock.advance(250);
    }
    const judgedMs = clock.nowMs();
    loop.stop();
    await clock.advance(5_000);
    // wall time is of whole milliseconds, boot time is not
    clock.stepWall(0.3);
    slow.resolve();
    await first;
    await clock.advance(1);
    expect(door.state.nodeStatus.get(lost ?? "")?.unseenSinceMs).toBe(judgedMs);
  });

  test("is judged anew after a stall by whoever plans first: nobody could be heard in it", async () => {
    const world = new WorldModel();
    const [lost, ...others] = ["n1", "n2", "n3"].map((name) => world.node(name));
    const clock = new FakeClock();
    const store: Pick<Store, "commit"> = { commit: async () => ({ revision: 1, events: [] }) };
    const fatal = (error: Error): void => expect.fail(error.message);
    const door = new CommitDoor({ store: store as Store, clock, epoch: 1, state: world.state, revision: 0, fatal });
    const loop = new PresenceLoop({ door, clock, log: silentLog, lookThrough: async () => false, onChange: () => {} });
    const id = lost ?? asId("none");
    loop.start();
    while (loop.presence.get(id) !== "lost") {
      for (const other of others) loop.beat(other);
      await clock.advance(250);
    }
    loop.catchUp();
    expect(loop.silentMs(id)).toBeGreaterThan(5_000);
    // as a stopped process, in which no tick has its turn
    loop.stop();
    await clock.advance(5_000);
    loop.catchUp();
    expect(loop.presence.get(id)).toBe("silent");
    expect(loop.silentMs(id)).toBe(0);
  });
});
