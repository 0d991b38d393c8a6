// depends_on: who waits for whom, when that ends, and that nothing waits for what can never come.

import { describe, expect, test } from "vitest";
import type { Dependency, ServiceMode, TaskTemplate } from "../../../src/core/model/service-spec.ts";
import { progressView } from "../../../src/api/views/progress.ts";
import { template, UNTIL_DONE, WorldModel } from "../../fakes/world-model.ts";
import { nodeId, nodes, waits } from "../schedule/placing.ts";

const two = { kind: "replicated", replicas: 2 } as const;
const one = { kind: "replicated", replicas: 1 } as const;
const job = { kind: "replicated-job", completions: 1, concurrency: 1 } as const;

function after(service: string, changes: Partial<Dependency> = {}): Dependency {
  return { service, condition: "service_healthy", required: true, restart: false, ...changes };
}

function deploy(
  world: WorldModel,
  name: string,
  image: string,
  dependsOn: readonly Dependency[] = [],
  mode: ServiceMode = two,
  changes: Partial<TaskTemplate> = {},
): void {
  world.deploy(name, mode, template({ image, ...changes }), {}, {}, dependsOn);
}

function placed(world: WorldModel, name: string): number {
  return world.live(name).filter((task) => task.nodeId !== undefined).length;
}

function images(world: WorldModel, name: string): readonly string[] {
  return world
    .running(name)
    .map((task) => world.state.serviceVersion.get(`${name}/${task.specVersion}`)?.spec.template.container.image ?? "")
    .sort();
}

/** A run of a job ends. */
function endRun(world: WorldModel, name: string, state: "complete" | "failed"): void {
  for (const task of world.live(name))
    world.status(task.id, {
      state,
      exhausted: true,
      exitCode: state === "failed" ? 1 : 0,
      reason: state === "failed" ? "exit code 1" : "",
    });
}

describe("at its first start a service", () => {
  test("waits for the first healthy task of another, and says so", () => {
    const world = nodes(2);
    deploy(world, "db", "db:1", [], one, { settleMs: 5_000 });
    deploy(world, "web", "web:1", [after("db")]);
    world.run(3_000);
    expect(placed(world, "web")).toBe(0);
    expect(waits(world, "web")).toEqual(Array(2).fill("db comes first: none of its tasks is healthy yet"));
    expect(progressView(world.world(), "web", false)).toMatchObject({
      state: "converging",
      done: false,
      ok: true,
      message: "db comes first: none of its tasks is healthy yet",
    });
    expect(world.plan()).toEqual([]);
    world.run(5_000);
    expect(placed(world, "web")).toBe(2);
    expect(world.state.rollout.get("web")?.message).not.toContain("comes first");
    world.run(10_000);
    expect(world.state.rollout.get("web")?.state).toBe("completed");
    expect(world.plan()).toEqual([]);
  });

  test("with service_started does not wait for its health", () => {
    const world = nodes(1);
    deploy(world, "db", "db:1", [], one, { settleMs: 60_000 });
    deploy(world, "web", "web:1", [after("db", { condition: "service_started" })]);
    world.run(2_000);
    expect(placed(world, "web")).toBe(2);
    expect(world.plan()).toEqual([]);
  });

  test("waits for a job to succeed, which waits for another service in turn", () => {
    const world = nodes(2);
    deploy(world, "db", "db:1", [], one, { settleMs: 3_000 });
    deploy(world, "migrate", "m:1", [after("db")], job);
    deploy(world, "web", "web:1", [after("migrate", { condition: "service_completed_successfully" })]);
    world.run(2_000);
    expect(world.tasks("migrate")).toEqual([]);
    expect(progressView(world.world(), "migrate", false).message).toBe(
      "db comes first: none of its tasks is healthy yet",
    );
    expect(waits(world, "web")[0]).toBe("migrate comes first: its run is still to be made");
    world.run(3_000);
    expect(placed(world, "migrate")).toBe(1);
    expect(waits(world, "web")[0]).toBe("migrate comes first: its run 1 is under way");
    endRun(world, "migrate", "complete");
    world.run(2_000);
    expect(placed(world, "web")).toBe(2);
    expect(world.plan()).toEqual([]);
  });

  test("fails with the job that it waits for, and starts when a later run succeeds", () => {
    const world = nodes(1);
    deploy(world, "migrate", "m:1", [], job);
    deploy(world, "web", "web:1", [after("migrate", { condition: "service_completed_successfully" })]);
    world.run(1_000);
    endRun(world, "migrate", "failed");
    world.run(2_000);
    expect(progressView(world.world(), "web", false)).toMatchObject({ done: true, ok: false });
    expect(waits(world, "web")[0]).toBe("migrate comes first: its run 1 failed: migrate.run-1.1 on n1: exit code 1");
    deploy(world, "migrate", "m:2", [], job);
    world.run(1_000);
    endRun(world, "migrate", "complete");
    world.run(2_000);
    expect(placed(world, "web")).toBe(2);
    expect(world.plan()).toEqual([]);
  });

  test("does not wait for a job whose deployed run succeeded, though a later one failed", () => {
    const world = nodes(1);
    deploy(world, "migrate", "m:1", [], job);
    world.run(1_000);
    endRun(world, "migrate", "complete");
    world.run(1_000);
    const service = world.state.service.get("migrate");
    if (service === undefined) expect.fail("no job");
    world.state.service.set("migrate", { ...service, job: { suspended: false, requested: 1 } });
    world.run(1_000);
    endRun(world, "migrate", "failed");
    world.run(1_000);
    expect([...world.state.run.values()].map(({ state }) => state)).toEqual(["succeeded", "failed"]);
    deploy(world, "web", "web:1", [after("migrate", { condition: "service_completed_successfully" })]);
    world.run(2_000);
    expect(placed(world, "web")).toBe(2);
    expect(world.plan()).toEqual([]);
  });

  test("waits for every task of a service that ends, which is not run again when its node is drained or lost", () => {
    const world = nodes(2);
    deploy(world, "init", "i:1", [], two, { restart: UNTIL_DONE });
    deploy(world, "web", "web:1", [after("init", { condition: "service_completed_successfully" })], one);
    world.run(2_000);
    const [first, second] = world.live("init");
    if (first === undefined || second === undefined) expect.fail("init has no tasks");
    world.status(first.id, { state: "complete", exhausted: true, exitCode: 0 });
    world.run(1_000);
    expect(waits(world, "web")).toEqual(["init comes first: 1 of its 2 tasks have completed"]);
    world.status(second.id, { state: "complete", exhausted: true, exitCode: 0 });
    world.run(3_000);
    expect(placed(world, "web")).toBe(1);
    world.availability(nodeId("n1"), "drain");
    world.run(3_000);
    world.lose(nodeId("n2"));
    world.run(3_000);
    expect(world.live("init").map(({ id }) => id)).toEqual([first.id, second.id]);
    expect(world.plan()).toEqual([]);
  });

  test("does not wait for what fails or is not there when that is not required", () => {
    const world = nodes(1);
    world.broken.add("cache:1");
    deploy(world, "cache", "cache:1", [], one);
    deploy(world, "web", "web:1", [after("cache", { required: false }), after("gone", { required: false })]);
    world.run(3_000);
    expect(placed(world, "web")).toBe(2);
    expect(world.plan()).toEqual([]);
  });

  test.each([
    ["wants no task", (world: WorldModel) => deploy(world, "db", "db:1", [], { kind: "replicated", replicas: 0 })],
    ["was removed", () => undefined],
    [
      "is a job that is suspended",
      (world: WorldModel) => {
        deploy(world, "db", "db:1", [], job);
        const service = world.state.service.get("db");
        if (service !== undefined)
          world.state.service.set("db", { ...service, job: { suspended: true, requested: 0 } });
      },
    ],
  ])("does not wait for one that %s", (_, prepare) => {
    const world = nodes(1);
    prepare(world);
    deploy(world, "web", "web:1", [after("db", { condition: "service_completed_successfully" })]);
    world.run(2_000);
    expect(placed(world, "web")).toBe(2);
    expect(world.plan()).toEqual([]);
  });
});

describe("once it has begun a service", () => {
  function running(): WorldModel {
    const world = nodes(3);
    deploy(world, "db", "db:1", [], one);
    deploy(world, "web", "web:1", [after("db")]);
    world.run(15_000);
    expect(placed(world, "web")).toBe(2);
    return world;
  }

  test("does not wait again to be healed, moved or scaled up while the other is away", () => {
    const world = running();
    const home = world.running("db")[0]?.nodeId;
    world.volume("never");
    if (home === undefined) expect.fail("db runs nowhere");
    world.status(world.live("db")[0]?.id ?? expect.fail(), { healthy: false });
    const away = world.running("web").find(({ nodeId: id }) => id !== home)?.nodeId;
    if (away === undefined) expect.fail("web is only beside db");
    world.lose(away);
    world.scale("web", 4);
    world.run(4_000);
    expect(world.running("web")).toHaveLength(4);
    expect(world.plan()).toEqual([]);
  });

  test("does not wait again in the middle of a change when the node of what has changed is removed", () => {
    const world = nodes(3);
    const slowly = { delayMs: 60_000 };
    const change = (version: number): void => {
      world.deploy("db", two, template({ image: `db:${version}` }), slowly);
      world.deploy("web", two, template({ image: `web:${version}` }), slowly, {}, [after("db")]);
    };
    change(1);
    world.run(15_000);
    change(2);
    world.run(20_000);
    const first = world.running("web").find(({ specVersion }) => specVersion === 2);
    if (first?.nodeId === undefined) expect.fail("nothing has changed");
    for (const { id } of world.live("db")) world.status(id, { healthy: false });
    world.state.node.delete(first.nodeId);
    world.rest();
    for (let minutes = 0; minutes < 4; minutes++) world.run(60_000);
    expect(images(world, "web")).toEqual(["web:2", "web:2"]);
  });

  test("changes after the first healthy task of the new version of the other, not before", () => {
    const world = running();
    deploy(world, "db", "db:2", [], one, { settleMs: 6_000 });
    deploy(world, "web", "web:2", [after("db")]);
    world.run(5_000);
    expect(images(world, "web")).toEqual(["web:1", "web:1"]);
    expect(world.state.rollout.get("web")?.message).toBe("db comes first: none of its tasks is healthy yet");
    expect(world.plan()).toEqual([]);
    world.run(20_000);
    expect(images(world, "web")).toEqual(["web:2", "web:2"]);
    expect(world.state.rollout.get("web")?.state).toBe("completed");
    expect(world.plan()).toEqual([]);
  });

  test("changes at once when the other does not change, though that is not healthy", () => {
    const world = running();
    world.status(world.live("db")[0]?.id ?? expect.fail(), { healthy: false });
    deploy(world, "web", "web:2", [after("db")]);
    world.run(10_000);
    expect(images(world, "web")).toEqual(["web:2", "web:2"]);
    expect(world.plan()).toEqual([]);
  });

  test("goes on waiting while the other's update is paused, and changes once that has gone back", () => {
    const world = running();
    world.broken.add("db:2");
    deploy(world, "db", "db:2", [], one);
    deploy(world, "web", "web:2", [after("db")]);
    world.run(8_000);
    expect(world.state.rollout.get("db")?.state).toBe("paused");
    expect(images(world, "web")).toEqual(["web:1", "web:1"]);
    const db = world.state.service.get("db");
    if (db !== undefined) world.state.service.set("db", { ...db, version: 1, previousVersion: 2, isRollback: true });
    world.run(20_000);
    expect(images(world, "web")).toEqual(["web:2", "web:2"]);
    expect(world.plan()).toEqual([]);
  });

  test("goes back to its version before without waiting", () => {
    const world = running();
    deploy(world, "db", "db:2", [], one, { settleMs: 60_000 });
    const web = world.state.service.get("web");
    deploy(world, "web", "web:2", [after("db")]);
    world.run(2_000);
    const now = world.state.service.get("web");
    if (web === undefined || now === undefined) expect.fail("no web");
    world.state.service.set("web", { ...now, version: 1, previousVersion: 2, isRollback: true });
    world.run(5_000);
    expect(world.state.rollout.get("web")?.state).toBe("rolled_back");
    expect(images(world, "web")).toEqual(["web:1", "web:1"]);
    expect(world.plan()).toEqual([]);
  });
});
