// Named resources whose ids a node was told: each task holds some, and no two on one node hold the same. Each test ends with a plan that has
// nothing left to do.

import { afterEach, describe, expect, test } from "vitest";
import { asId, type NodeId } from "../../../src/core/model/ids.ts";
import type { Node, Task } from "../../../src/core/model/records.ts";
import { taskWork } from "../../../src/core/work/work-of.ts";
import { template, WorldModel } from "../../fakes/world-model.ts";

let world: WorldModel;
afterEach(() => expect(world.plan(), "planning again changes nothing").toEqual([]));

function has(id: NodeId, generic: NonNullable<Node["generic"]>): void {
  const node = world.state.node.get(id);
  if (node !== undefined) world.state.node.set(id, { ...node, generic });
}

function asking(gpu: number, image = "web:v1"): ReturnType<typeof template> {
  const base = template({ image });
  const reservations = { ...base.resources.reservations, generic: { gpu } };
  return { ...base, resources: { ...base.resources, reservations } };
}

function idsOf(tasks: readonly Task[]): readonly string[] {
  return tasks.flatMap((task) => task.generic?.["gpu"] ?? []).toSorted();
}

function started(generic: NonNullable<Node["generic"]>, replicas: number, gpu = 1): void {
  world = new WorldModel();
  has(world.node("n1"), generic);
  world.deploy("ml", { kind: "replicated", replicas }, asking(gpu));
  world.run(12_000);
}

describe("ids of named resources", () => {
  test("are each held by one task, and what finds none waits", () => {
    started({ gpu: ["a", "b", "c"] }, 2, 2);
    expect(idsOf(world.running("ml"))).toEqual(["a", "b"]);
    expect(world.live("ml").find((task) => task.nodeId === undefined)?.waiting).toBe("1 node lacks 2 gpu");
  });

  test("are held until a task is over, also over an update", () => {
    started({ gpu: ["a", "b"] }, 2);
    world.deploy("ml", { kind: "replicated", replicas: 2 }, asking(1, "web:v2"));
    for (let at = 0; at < 80; at++) {
      world.run(500);
      const up = world.tasks("ml").filter((task) => world.state.taskStatus.get(task.id)?.state === "running");
      expect(new Set(idsOf(up)).size).toBe(idsOf(up).length);
    }
    expect(world.running("ml").map((task) => task.specVersion)).toEqual([2, 2]);
    expect(idsOf(world.running("ml"))).toEqual(["a", "b"]);
  });

  test("that a user took away are kept by who has them, and given to nobody else", () => {
    started({ gpu: ["a", "b"] }, 1);
    has(asId("n1"), { gpu: ["b", "c"] });
    world.scale("ml", 2);
    world.run(3_000);
    expect(idsOf(world.running("ml"))).toEqual(["a", "b"]);
  });

  test("are told to the container, and handed over where the engine knows them", () => {
    started({ gpu: ["nvidia.com/gpu=0", "/dev/dri/renderD128", "GPU-7"] }, 1, 3);
    const [task] = world.running("ml");
    if (task === undefined) return expect.fail("nothing runs");
    const { env, runtime } = taskWork(world.state, task).container;
    expect(env).toEqual({ DOCKER_RESOURCE_GPU: "nvidia.com/gpu=0,/dev/dri/renderD128,GPU-7" });
    expect(runtime.devices).toEqual([
      { source: "/dev/dri/renderD128", target: "/dev/dri/renderD128", permissions: "rwm" },
    ]);
    expect(runtime.deviceRequests).toEqual([
      { driver: "cdi", ids: ["nvidia.com/gpu=0"], capabilities: [], options: {} },
    ]);
  });

  test("are none where a node only says how many", () => {
    started({ gpu: 2 }, 2);
    expect(idsOf(world.running("ml"))).toEqual([]);
    const [task] = world.running("ml");
    if (task === undefined) return expect.fail("nothing runs");
    expect(taskWork(world.state, task).container.env).toEqual({ DOCKER_RESOURCE_GPU: "1" });
  });
});
