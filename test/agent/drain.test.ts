// The last seconds of a task: open connections may end by themselves, within the drain time; nobody waits for nobody.

import { describe, expect, test } from "vitest";
import { AgentWorld, taskId, workOf } from "./agent-world.ts";

const ADDRESS = workOf(1).address;

/** Connections that are open to an address, as the kernel would count them. */
class Connections {
  open = 0;
  asked = 0;
  readonly forgotten: string[] = [];
  trouble: string | undefined;

  async openTo(address: string): Promise<number> {
    expect(address).toBe(ADDRESS);
    this.asked += 1;
    if (this.trouble !== undefined) throw new Error(this.trouble);
    return this.open;
  }

  async forget(address: string): Promise<void> {
    this.forgotten.push(address);
  }
}

async function running(
  drainMs = 30_000,
): Promise<{ world: AgentWorld; connections: Connections; shutDown: () => Promise<void> }> {
  const world = new AgentWorld();
  const connections = new Connections();
  world.connections = connections;
  await world.start();
  await world.give(workOf(1, { drainMs }));
  await world.clock.advance(2_000);
  expect(world.engine.running).toHaveLength(1);
  return { world, connections, shutDown: () => world.give(workOf(1, { drainMs, desired: "shutdown" })) };
}

describe("a task that shuts down", () => {
  test("stops once what was under way to it has arrived, when nobody is connected, and is asked about once", async () => {
    const { world, connections, shutDown } = await running();
    await shutDown();
    await world.clock.advance(240);
    expect(world.engine.running).toHaveLength(1);
    await world.clock.advance(30);
    expect(world.engine.running).toEqual([]);
    expect(connections.asked).toBe(1);
    expect(connections.forgotten).toEqual([ADDRESS]);
  });

  test("goes on while somebody is connected, says so, and stops soon after the last one has gone", async () => {
    const { world, connections, shutDown } = await running();
    connections.open = 3;
    await shutDown();
    await world.clock.advance(8_000);
    expect(world.engine.running).toHaveLength(1);
    expect(world.status(1)).toMatchObject({ state: "running", reason: "open connections have up to 30 s to end" });
    expect(connections.asked).toBeLessThan(25);
    connections.open = 0;
    await world.clock.advance(1_100);
    expect(world.engine.running).toEqual([]);
    expect(world.status(1)).toMatchObject({ state: "shutdown", reason: "" });
  });

  test("is looked at soon again at first, so that short requests hold nothing up", async () => {
    const { world, connections, shutDown } = await running();
    connections.open = 1;
    await shutDown();
    await world.clock.advance(300);
    connections.open = 0;
    await world.clock.advance(130);
    expect(world.engine.running).toEqual([]);
  });

  test("stops after the drain time whoever is connected, and whatever the kernel says", async () => {
    for (const trouble of [undefined, "conntrack is not there"]) {
      const { world, connections, shutDown } = await running(5_000);
      connections.open = 1;
      connections.trouble = trouble;
      await shutDown();
      await world.clock.advance(4_500);
      expect(world.engine.running).toHaveLength(1);
      await world.clock.advance(1_000);
      expect(world.engine.running).toEqual([]);
    }
  });

  test("does not begin its drain time anew with a new agent", async () => {
    const { world, connections, shutDown } = await running(5_000);
    connections.open = 1;
    await shutDown();
    await world.clock.advance(4_000);
    await world.stop();
    await world.start();
    await world.clock.advance(1_500);
    expect(world.engine.running).toEqual([]);
  });

  test("waits for nobody when it is to be removed, is reached by nobody, or has ended", async () => {
    const removed = await running();
    removed.connections.open = 1;
    await removed.shutDown();
    await removed.world.give(workOf(1, { drainMs: 30_000, desired: "remove" }));
    await removed.world.clock.advance(100);
    expect(removed.world.engine.running).toEqual([]);
    const unreached = await running(0);
    unreached.connections.open = 1;
    await unreached.shutDown();
    await unreached.world.clock.advance(100);
    expect(unreached.connections.asked).toBe(0);
    expect(unreached.world.engine.running).toEqual([]);
    const ended = await running();
    ended.connections.open = 1;
    await ended.shutDown();
    await ended.world.clock.advance(500);
    const [container] = ended.world.engine.running;
    ended.world.engine.exit(container?.id ?? "", 0);
    await ended.world.clock.advance(100);
    expect(ended.world.core.runs.all.get(taskId(1))?.status.state).toBe("shutdown");
  });
});
