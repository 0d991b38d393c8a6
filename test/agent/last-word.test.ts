// That a task is over for good is told once the node's disk has it: an agent that forgot it would make the task once more.

import { beforeAll, describe, expect, test } from "vitest";
import { AgentWorld, NODE, sectionsOf, workOf } from "./agent-world.ts";
import { agentWith, CoordinatorSide, createKeys, type Keys } from "./coordinator-side.ts";

let keys: Keys;
beforeAll(async () => {
  keys = await createKeys();
});

async function withJob(): Promise<AgentWorld> {
  const world = await new AgentWorld().start();
  await world.give(workOf(1, { isJob: true }));
  return world;
}

describe("the last word about a task", () => {
  test("it waits for a disk that refuses it; until then the task has ended, with the reason why no more is said", async () => {
    const world = await withJob();
    world.disk.refusal = "no space left on device";
    world.engine.exit("c1", 0);
    await world.clock.advance(5_000);
    const reason = "it ended; this node cannot write that down and tries again every second: no space left on device";
    expect(world.core.statuses()).toMatchObject([{ state: "running", healthy: false, exhausted: false, reason }]);
    world.disk.refusal = undefined;
    await world.clock.advance(1_100);
    expect(world.core.statuses()).toMatchObject([{ state: "complete", attempt: 1, exhausted: true, reason: "" }]);
  });

  test("a coordinator that connects while it is being written hears what the disk holds", async () => {
    const world = await withJob();
    const release = world.disk.hold();
    world.engine.exit("c1", 0);
    await world.clock.advance(500);
    expect(world.core.statuses()).toMatchObject([{ state: "running", exhausted: false }]);
    release();
    await world.clock.advance(100);
    expect(world.core.statuses()).toMatchObject([{ state: "complete", exhausted: true }]);
  });

  test("a session tells it once the disk has it", async () => {
    const world = await agentWith(keys).start();
    const side = new CoordinatorSide(keys, [{ epoch: 1, nonce: "a" }], world.clock);
    const session = await side.connect(world).opening;
    side.sections = sectionsOf([NODE, workOf(1, { isJob: true })]);
    side.revision = 7;
    session.sendWork();
    await world.clock.advance(1_100);
    const release = world.disk.hold();
    world.engine.exit("c1", 0);
    await world.clock.advance(1_000);
    expect(side.heard.at(-1)).toMatchObject({ state: "running", exhausted: false });
    release();
    await world.clock.advance(100);
    expect(side.heard.at(-1)).toMatchObject({ state: "complete", exhausted: true });
  });
});
