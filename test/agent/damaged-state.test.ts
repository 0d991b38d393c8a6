// Files of the agent that something else has damaged: it does not guess.

import { expect, test } from "vitest";
import { AgentWorld, workOf } from "./agent-world.ts";

test.each(["work.json", "attempts.json", "epoch.json", "issuers.json"])(
  "an agent whose %s is damaged does not start, and names the file and the way out",
  async (name) => {
    const world = await new AgentWorld().start();
    await world.give(workOf(1));
    await world.stop();
    world.disk.durable.set(name, '{"position":');
    await expect(world.start()).rejects.toMatchObject({
      code: "storage_failed",
      message: `read ${name}: it is damaged`,
      wayOut: expect.stringContaining("move it away") as string,
    });
    expect(world.engine.running).toHaveLength(1);
    world.disk.durable.delete(name);
    await world.start();
    expect(world.engine.running.map((container) => container.id)).toEqual(["c1"]);
  },
);
