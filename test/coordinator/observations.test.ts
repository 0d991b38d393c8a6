// What agents report reaches the state, also when what it was to be committed with is refused.

import { expect, test } from "vitest";
import { CommitDoor } from "../../src/coordinator/commit-door.ts";
import { BATCH_MS, Observations } from "../../src/coordinator/observations.ts";
import { DavitError } from "../../src/core/model/errors.ts";
import { asId } from "../../src/core/model/ids.ts";
import type { TaskStatus } from "../../src/core/model/records.ts";
import { emptyState } from "../../src/core/model/world.ts";
import type { Commit, Committed, Store } from "../../src/ports/store.ts";
import { FakeClock, settle } from "../fakes/fake-clock.ts";

const SILENT = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {}, with: () => SILENT };

test("a report whose group of changes is refused is committed with the next, unless the agent said more since", async () => {
  const [task, other] = [asId<"task">("t1"), asId<"task">("t2")];
  const node = asId<"node">("n1");
  const status = (id: typeof task, attempt: number): TaskStatus => ({
    id,
    state: "running",
    attempt,
    reason: "",
    exhausted: false,
    stateAtMs: attempt,
  });
  const state = emptyState();
  for (const id of [task, other])
    state.task.set(id, { id, nodeId: node, serviceId: asId<"service">("s1"), slot: 1 } as never);
  let refusals = 1;
  const store = {
    commit: (commit: Commit): Promise<Committed> =>
      refusals-- > 0
        ? Promise.reject(new DavitError("out_of_sequence", "changed in between"))
        : Promise.resolve({
            revision: 1,
            events: commit.events.map((event) => ({ ...event, revision: 1, seq: 1, atMs: 0 })),
          }),
  };
  const clock = new FakeClock();
  const door = new CommitDoor({
    store: store as unknown as Store,
    clock,
    epoch: 1,
    state,
    revision: 0,
    fatal: () => {},
  });
  const observations = new Observations(door, clock, SILENT);
  observations.tasks(node, [status(task, 1), status(other, 1)], []);
  await clock.advance(BATCH_MS);
  await settle();
  expect(door.state.taskStatus.size).toBe(0);
  observations.tasks(node, [status(other, 2)], []);
  await clock.advance(BATCH_MS);
  await settle();
  expect([task, other].map((id) => door.state.taskStatus.get(id)?.attempt)).toEqual([1, 2]);
});
