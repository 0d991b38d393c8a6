// When an address is given to another: only after every node that was not removed has left it behind, silent ones included.

import { describe, expect, test } from "vitest";
import type { NodeId } from "../../../src/core/model/ids.ts";
import { WorldModel, template } from "../../fakes/world-model.ts";

/** Two nodes that acknowledge everything up to the generation of now, and as many tasks on n1 as are asked for. */
function routed(): { world: WorldModel; acknowledge: (...nodes: readonly NodeId[]) => void; n1: NodeId; n2: NodeId } {
  const world = new WorldModel();
  world.routesGeneration = 10;
  const [n1, n2] = [world.node("n1"), world.node("n2")];
  const acknowledge = (...nodes: readonly NodeId[]): void => {
    world.routesGeneration += 1;
    for (const id of nodes) world.progress.set(id, { workApplied: 0, routesApplied: world.routesGeneration });
  };
  acknowledge(n1, n2);
  return { world, acknowledge, n1, n2 };
}

function onN1(image: string) {
  const constraints = [{ attribute: "node.hostname", operator: "==", value: "n1" }] as const;
  return template({
    image,
    placement: { constraints, spreadOver: [], maxPerNode: 0, platforms: [] },
    restart: { condition: "any", delayMs: 1_000, maxAttempts: 0, windowMs: 0 },
  });
}

/** Ends all tasks of the service, with every withdrawal acknowledged by those in reach. */
function end(
  world: WorldModel,
  name: string,
  acknowledge: (...nodes: readonly NodeId[]) => void,
  ...by: NodeId[]
): void {
  world.scale(name, 0);
  for (let turn = 0; turn < 4; turn++) {
    world.rest();
    acknowledge(...by);
    world.rest();
    world.agents();
  }
  world.rest();
}

describe("an address that a task had", () => {
  test("is held until every node has acknowledged routes without it, the lost one too", () => {
    const { world, acknowledge, n1, n2 } = routed();
    world.deploy("web", { kind: "replicated", replicas: 1 }, onN1("web"));
    world.run(2_000);
    const [task] = world.tasks("web");
    expect(task?.address).toBe("10.210.1.10");
    world.lose(n2);
    end(world, "web", acknowledge, n1);
    expect(world.tasks("web")).toEqual([]);
    const freed = world.state.freedAddress.get("10.210.1.10");
    expect(freed?.generation).toBeGreaterThan(11);
    acknowledge(n1);
    world.rest();
    expect(world.state.freedAddress.has("10.210.1.10")).toBe(true);
    world.comeBack(n2);
    world.rest();
    expect(world.state.freedAddress.has("10.210.1.10")).toBe(true);
    acknowledge(n2);
    world.rest();
    expect(world.state.freedAddress.has("10.210.1.10")).toBe(false);
    expect(world.plan()).toEqual([]);
  });

  test("does not wait for a node that was removed", () => {
    const { world, acknowledge, n1, n2 } = routed();
    world.deploy("web", { kind: "replicated", replicas: 1 }, onN1("web"));
    world.run(2_000);
    world.lose(n2);
    end(world, "web", acknowledge, n1);
    world.state.node.delete(n2);
    world.rest();
    expect(world.state.freedAddress.size).toBe(0);
  });

  test("is held after its task's record has gone, too", () => {
    const { world, n1 } = routed();
    world.deploy("web", { kind: "replicated", replicas: 1 }, onN1("web"));
    world.run(2_000);
    world.state.node.delete(n1);
    world.rest();
    expect(world.tasks("web").every((task) => task.nodeId !== n1)).toBe(true);
    expect(world.state.freedAddress.get("10.210.1.10")?.generation).toBe(world.routesGeneration + 1);
  });

  test("when all are held, tasks wait with that reason, and are placed once one is free", () => {
    const { world, acknowledge, n1, n2 } = routed();
    world.deploy("many", { kind: "replicated", replicas: 241 }, onN1("many"));
    world.run(2_000);
    world.lose(n2);
    end(world, "many", acknowledge, n1);
    world.deploy("web", { kind: "replicated", replicas: 1 }, onN1("web"));
    world.rest();
    expect(world.tasks("web")[0]?.waiting).toContain("addresses wait for nodes that have not left them behind");
    world.comeBack(n2);
    acknowledge(n1, n2);
    world.rest();
    expect(world.tasks("web")[0]).toMatchObject({ nodeId: n1, address: expect.stringMatching(/^10\.210\.1\./) });
  });
});
