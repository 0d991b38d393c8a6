// The routes as they follow commits: the same as made from nothing, and untouched where nothing changed.

import { describe, expect, test } from "vitest";
import { asId } from "../../src/core/model/ids.ts";
import type { Change } from "../../src/core/model/records.ts";
import { applyChanges, copyState } from "../../src/core/model/world.ts";
import { RoutesDocuments } from "../../src/coordinator/routes-documents.ts";
import { createHasher } from "../../src/system/hasher.ts";
import { difference } from "../fakes/difference.ts";
import { networkOf } from "../fakes/stacks.ts";
import { template, WorldModel } from "../fakes/world-model.ts";

const hasher = createHasher();

describe("following commits", () => {
  test("gives what the state gives from nothing, through deploys, losses, removals and returns", () => {
    const world = new WorldModel();
    const documents = new RoutesDocuments(hasher, world.state, (sealed) => sealed);
    let before = copyState(world.state);
    const check = (): void => {
      documents.follow(difference(before, world.state), world.state);
      before = copyState(world.state);
      const fresh = new RoutesDocuments(hasher, world.state, (sealed) => sealed);
      expect(documents.sections(world.state).sections).toEqual(fresh.sections(world.state).sections);
    };
    const nodes = ["n1", "n2", "n3"].map((name) => world.node(name));
    check();
    world.deploy("web", { kind: "replicated", replicas: 4 }, template());
    world.run(3_000, check);
    world.state.network.set("a", { ...networkOf("shop", "a"), id: asId("a"), index: 1, createdAtMs: 0 });
    world.deploy("api", { kind: "global" }, template({ image: "api", networks: [{ network: "a", aliases: [] }] }));
    world.deploy("web", { kind: "replicated", replicas: 3 }, template({ image: "web:v2" }));
    world.run(5_000, check);
    world.lose(nodes[0] ?? asId(""));
    world.run(3_000, check);
    world.comeBack(nodes[0] ?? asId(""));
    world.run(3_000, check);
    world.state.network.delete("a");
    world.state.service.delete("api");
    world.run(5_000, check);
    world.state.node.delete("n2");
    world.run(5_000, check);
    expect(Object.keys(documents.sections(world.state).sections).sort()).toEqual(["mesh", "service/web"]);
  });

  test("makes no section anew that nothing touched, and says that nothing changed", () => {
    const world = new WorldModel();
    world.node("n1");
    world.deploy("web", { kind: "replicated", replicas: 1 }, template());
    world.deploy("api", { kind: "replicated", replicas: 1 }, template());
    world.run(3_000);
    const documents = new RoutesDocuments(hasher, world.state, (sealed) => sealed);
    const first = documents.sections(world.state);
    const [task] = world.tasks("web");
    const known = world.state.taskStatus.get(task?.id ?? "");
    if (known === undefined) expect.fail("it does not run");
    const tell = (changes: Partial<typeof known>): void => {
      const change: Change = { op: "put", kind: "taskStatus", record: { ...known, ...changes } };
      applyChanges(world.state, [change]);
      documents.follow([change], world.state);
    };
    tell({ reason: "something that routes do not tell" });
    expect(documents.sections(world.state).version).toBe(first.version);
    tell({ healthy: false });
    const second = documents.sections(world.state);
    expect(second.version).toBe(first.version + 1);
    expect(second.sections["service/api"]).toBe(first.sections["service/api"]);
    expect(second.sections["service/web"]).not.toEqual(first.sections["service/web"]);
  });
});
