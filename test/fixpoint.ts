// After each test: in whatever state it left a world, the planner comes to rest there, and planning again changes nothing.

import { afterEach, expect } from "vitest";
import { WORLDS } from "./fakes/world-model.ts";

afterEach(() => {
  for (const world of WORLDS.splice(0)) {
    world.rest();
    expect(world.plan(), "planning again changes nothing").toEqual([]);
  }
});
