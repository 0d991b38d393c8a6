// What a node's agent tells of its network, and that it is taken back.

import { expect, test } from "vitest";
import { asId } from "../../src/core/model/ids.ts";
import type { State } from "../../src/core/model/world.ts";
import { applyChanges } from "../../src/core/model/world.ts";
import type { CommitDoor, Draft } from "../../src/coordinator/commit-door.ts";
import { Observations } from "../../src/coordinator/observations.ts";
import { silentLog } from "../agent/agent-world.ts";
import { FakeClock } from "../fakes/fake-clock.ts";
import { WorldModel } from "../fakes/world-model.ts";

test("a trouble that is no longer told is over", async () => {
  const world = new WorldModel();
  const id = world.node("n1");
  const clock = new FakeClock();
  const door = {
    commit: async (build: (state: State) => Draft) => applyChanges(world.state, build(world.state).changes),
  } as unknown as CommitDoor;
  const observations = new Observations(door, clock, silentLog);
  const { id: _id, lostAtMs: _lost, ...facts } = world.state.nodeStatus.get(id) ?? expect.fail("it has a status");
  observations.facts(id, { ...facts, networkTrouble: "firewall: no" });
  await clock.advance(200);
  expect(world.state.nodeStatus.get(id)?.networkTrouble).toBe("firewall: no");
  observations.facts(id, facts);
  await clock.advance(200);
  expect(world.state.nodeStatus.get(asId(id))).not.toHaveProperty("networkTrouble");
});
