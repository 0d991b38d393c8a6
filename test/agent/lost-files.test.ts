// An agent that lost its files, before a coordinator that knows how far each of its tasks had come: attempts are counted on, and what was over stays so.

import { beforeAll, expect, test } from "vitest";
import type { TaskStatus } from "../../src/core/model/records.ts";
import { mergeStatus } from "../../src/core/work/merge-status.ts";
import type { AgentWorld } from "./agent-world.ts";
import { NODE, sectionsOf, taskId, workOf } from "./agent-world.ts";
import { agentWith, CoordinatorSide, createKeys, type Keys } from "./coordinator-side.ts";

let keys: Keys;
beforeAll(async () => {
  keys = await createKeys();
});

const CHAIN = [{ epoch: 1, nonce: "a" }];

function statusOf(changes: Partial<TaskStatus>): TaskStatus {
  return { id: taskId(1), state: "preparing", stateAtMs: 0, attempt: 4, reason: "", exhausted: false, ...changes };
}

async function afterTheLoss(known: TaskStatus): Promise<{ world: AgentWorld; side: CoordinatorSide }> {
  const world = await agentWith(keys).start();
  const side = new CoordinatorSide(keys, CHAIN, world.clock);
  side.known.set(known.id, known);
  const session = await side.connect(world).opening;
  side.sections = sectionsOf([NODE, workOf(1)]);
  session.sendWork();
  await world.clock.advance(5_000);
  return { world, side };
}

test("an attempt that had begun goes on by its number, and what becomes of it is news", async () => {
  const known = statusOf({ state: "preparing", attempt: 4 });
  const { world, side } = await afterTheLoss(known);
  expect(world.status(1)).toMatchObject({ state: "running", attempt: 4, healthy: true });
  const told = side.heard.at(-1);
  expect(told).toBeDefined();
  if (told !== undefined) expect(mergeStatus(known, told)).toMatchObject({ state: "running", attempt: 4 });
});

test("a container that went with the files is missed, and another attempt follows", async () => {
  const { world } = await afterTheLoss(statusOf({ state: "running", containerId: "gone", healthy: true }));
  expect(world.status(1)).toMatchObject({ state: "running", attempt: 5, containerId: "c1" });
});

test("after an attempt that had failed the next one begins", async () => {
  const { world } = await afterTheLoss(statusOf({ state: "failed", reason: "exit code 1" }));
  expect(world.status(1)).toMatchObject({ state: "running", attempt: 5 });
});

test("what was over is not run once more", async () => {
  const { world } = await afterTheLoss(statusOf({ state: "complete", exitCode: 0, exhausted: true }));
  expect(world.made).toBe(0);
  expect(world.status(1)).toMatchObject({ state: "complete", attempt: 4, exhausted: true });
});

test("it is known still when the agent ends before it has begun anything", async () => {
  const world = await agentWith(keys).start();
  const known = statusOf({ attempt: 3 });
  await world.core.held.receive({
    epoch: 1,
    generation: 1,
    known: { [known.id]: known },
    put: sectionsOf([NODE, workOf(1)]),
    drop: [],
  });
  await world.stop();
  await world.start();
  await world.clock.advance(5_000);
  expect(world.status(1)).toMatchObject({ state: "running", attempt: 3 });
});
