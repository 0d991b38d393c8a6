// What a waiting command is told: it ends with success, with a reason, or it has something to wait for; it never waits for nothing.

import { expect, test } from "vitest";
import { progressView } from "../../src/api/views/progress.ts";
import { asId } from "../../src/core/model/ids.ts";
import { template, WorldModel } from "../fakes/world-model.ts";

const two = { kind: "replicated", replicas: 2 } as const;

function running(): WorldModel {
  const world = new WorldModel();
  for (const name of ["n1", "n2"]) world.node(name);
  world.deploy("web", two, template());
  world.run(12_000);
  return world;
}

test("a version that fits nowhere is an error although the tasks from before run on", () => {
  const world = running();
  const constraints = [{ attribute: "node.labels.disk", operator: "==", value: "ssd" }] as const;
  const placement = { constraints, spreadOver: [], maxPerNode: 0, platforms: [] };
  world.deploy("web", two, template({ image: "web:v2", placement }));
  world.run(3_000);
  expect(world.running("web")).toHaveLength(2);
  const view = progressView(world.world(), "web", false);
  expect(view).toMatchObject({ state: "unplaceable", done: true, ok: false });
  expect(view.message).toBe("web.1: 2 nodes lack label disk=ssd");
});

test("while a node is merely silent nothing is given up for want of a place", () => {
  const world = running();
  for (const name of ["n1", "n2"]) world.presence.set(asId(name), "silent");
  world.deploy("api", two, template());
  world.run(1_000);
  expect(progressView(world.world(), "api", false)).toMatchObject({ state: "unplaceable", done: false });
  for (const name of ["n1", "n2"]) world.presence.set(asId(name), "ready");
  world.run(5_000);
  expect(progressView(world.world(), "api", false)).toMatchObject({ done: true, ok: true });
});

test("a change that went on in spite of failures ends, and says how many are not healthy", () => {
  const world = running();
  world.broken.add("web:v2");
  world.deploy("web", two, template({ image: "web:v2" }), { failureAction: "continue" });
  world.run(20_000);
  expect(progressView(world.world(), "web", false)).toMatchObject({
    done: true,
    ok: false,
    message: "2 of 2 tasks are not healthy",
  });
});

test("the next change after it is judged by itself", () => {
  const world = running();
  world.broken.add("web:v2");
  world.deploy("web", two, template({ image: "web:v2" }), { failureAction: "continue" });
  world.run(20_000);
  world.deploy("web", two, template({ image: "web:v3" }));
  world.rest();
  expect(progressView(world.world(), "web", false)).toMatchObject({ state: "converging", done: false });
  world.run(20_000);
  expect(progressView(world.world(), "web", false)).toMatchObject({ done: true, ok: true });
});

test("a service is not done while a task that left the routes still runs", () => {
  const world = running();
  world.scale("web", 1);
  const leaving = world.live("web").find((task) => task.slot === 2);
  if (leaving === undefined) expect.fail("no second task");
  world.state.task.set(leaving.id, { ...leaving, withdrawal: { startedAtMs: world.nowMs, routesGeneration: 1_000 } });
  expect(progressView(world.world(), "web", false)).toMatchObject({
    done: false,
    ok: true,
    message: "all that is wanted is there; tasks that are not wanted any more stop",
  });
  world.run(20_000);
  expect(progressView(world.world(), "web", false)).toMatchObject({ done: true, ok: true });
});

test("a removal counts what stops, and is over but for what is on nodes that cannot be reached", () => {
  const world = running();
  const messages = (): string => progressView(world.world(), "web", false).message;
  world.state.service.delete("web");
  world.rest();
  expect(messages()).toBe("2 tasks are stopping");
  world.lose(asId("n2"));
  expect(messages()).toBe("1 task is stopping");
  world.lose(asId("n1"));
  expect(messages()).toBe("removed; 2 tasks on nodes that cannot be reached are removed when these are back");
});
