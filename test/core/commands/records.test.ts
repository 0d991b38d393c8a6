// Commands on services, nodes, volumes, tokens and registries: what they change, what they refuse, and how records are found.

import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { type Command, withAudit } from "../../../src/core/commands/command.ts";
import { deployStack } from "../../../src/core/commands/deploy-stack.ts";
import { removeNode, updateNode } from "../../../src/core/commands/nodes.ts";
import { registryHost } from "../../../src/core/commands/registries.ts";
import { resolveRef, resolveTask } from "../../../src/core/commands/resolve.ts";
import { isSame } from "../../../src/core/commands/same.ts";
import { rollbackService, scaleService, updateService } from "../../../src/core/commands/services.ts";
import { createToken, revokeToken } from "../../../src/core/commands/tokens.ts";
import { removeVolume } from "../../../src/core/commands/volumes.ts";
import { asId } from "../../../src/core/model/ids.ts";
import { applyChanges, type MutableState } from "../../../src/core/model/world.ts";
import { commandContext } from "../../fakes/memory-backend.ts";
import { serviceOf, stackOf } from "../../fakes/stacks.ts";
import { begunState, WorldModel } from "../../fakes/world-model.ts";

function run<Result>(state: MutableState, command: Command<Result>, nowMs = 1_000) {
  const outcome = command(state, commandContext(nowMs));
  applyChanges(state, outcome.changes);
  return outcome;
}

function withCode(code: string): Error {
  return expect.objectContaining({ code }) as Error;
}

describe("finding records", () => {
  const records = [
    { id: "abcd1", name: "web" },
    { id: "abcd2", name: "api" },
    { id: "efgh1", name: "abcd1" },
  ];
  test("a whole id wins, then a name, then the beginning of an id", () => {
    expect(resolveRef("service", records, "abcd2").name).toBe("api");
    expect(resolveRef("service", records, "web").id).toBe("abcd1");
    expect(resolveRef("service", records, "efgh").id).toBe("efgh1");
  });
  test("three characters are no beginning, and a beginning of two is ambiguous", () => {
    expect(() => resolveRef("service", records, "efg")).toThrow(withCode("not_found"));
    expect(() => resolveRef("service", records, "abcd")).toThrow(withCode("ambiguous"));
  });
  test("of the tasks of one slot the one that is to run is meant by the name", () => {
    const model = new WorldModel();
    model.node("n1");
    run(model.state, deployStack(stackOf("shop", [serviceOf("shop", "web", { replicas: 1 })])));
    model.run(2_000);
    run(model.state, updateService({ ref: "shop_web", patch: { image: "web:v2" } }), model.nowMs);
    model.run(20_000);
    expect(model.state.task.size).toBe(2);
    expect(resolveTask(model.state, "shop_web.1")).toMatchObject({ desired: "running", specVersion: 2 });
  });
});

describe("the index of a record", () => {
  test("grows by one with each change, is guarded, and stays when nothing changes", () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 0, max: 4 }), { minLength: 1, maxLength: 10 }), (counts) => {
        const state = begunState();
        run(state, deployStack(stackOf("shop", [serviceOf("shop", "web", { replicas: 0 })])));
        let [index, replicas] = [1, 0];
        for (const count of counts) {
          const { guards, result } = run(state, scaleService({ ref: "shop_web", replicas: count, ifMatch: index }));
          const isChange = count !== replicas;
          expect(guards.map((guard) => guard.index)).toEqual(isChange ? [index] : []);
          index += isChange ? 1 : 0;
          replicas = count;
          expect(result.index).toBe(index);
        }
      }),
    );
  });
  test("a stale one is out of sequence in every command that takes it", () => {
    const model = new WorldModel();
    model.node("n1");
    run(model.state, deployStack(stackOf("shop", [serviceOf("shop", "web")])));
    const [ref, ifMatch] = ["shop_web", 7];
    const commands: readonly Command<unknown>[] = [
      scaleService({ ref, ifMatch, replicas: 9 }),
      updateService({ ref, ifMatch, patch: { force: true } }),
      rollbackService({ ref, ifMatch }),
      updateNode({ ref: "n1", ifMatch, patch: { name: "n2" } }),
    ];
    for (const command of commands) expect(() => run(model.state, command)).toThrow(withCode("out_of_sequence"));
  });
});

describe("services", () => {
  test("a rollback of a rollback goes forward again", () => {
    const state = begunState();
    run(state, deployStack(stackOf("shop", [serviceOf("shop", "web")])));
    run(state, updateService({ ref: "shop_web", patch: { image: "web:v2" } }));
    run(state, rollbackService({ ref: "shop_web" }));
    expect(run(state, rollbackService({ ref: "shop_web" })).result).toMatchObject({
      version: 2,
      previousVersion: 1,
      isRollback: true,
    });
    expect(() => run(state, rollbackService({ ref: "shop_web", to: 2 }))).toThrow(withCode("conflict"));
  });
  test("a change after a rollback gets a number that was never used", () => {
    const state = begunState();
    run(state, deployStack(stackOf("shop", [serviceOf("shop", "web")])));
    run(state, updateService({ ref: "shop_web", patch: { image: "web:v2" } }));
    run(state, rollbackService({ ref: "shop_web" }));
    expect(run(state, updateService({ ref: "shop_web", patch: { image: "web:v3" } })).result).toMatchObject({
      version: 3,
      previousVersion: 1,
      isRollback: false,
    });
  });
  test("a global service has no number of replicas", () => {
    const state = begunState();
    run(state, deployStack(stackOf("shop", [serviceOf("shop", "api", { mode: { kind: "global" } })])));
    expect(() => run(state, scaleService({ ref: "shop_api", replicas: 2 }))).toThrow(withCode("conflict"));
    expect(() => run(state, updateService({ ref: "shop_api", patch: { replicas: 2 } }))).toThrow(withCode("conflict"));
  });
  test("an update that would make an impossible service is refused", () => {
    const state = begunState();
    run(state, deployStack(stackOf("shop", [serviceOf("shop", "web")])));
    expect(() => run(state, updateService({ ref: "shop_web", patch: { update: { maxFailureRatio: 2 } } }))).toThrow(
      withCode("invalid_input"),
    );
  });
});

describe("nodes and volumes", () => {
  test("names and addresses of nodes are unique, labels are checked", () => {
    const model = new WorldModel();
    model.node("n1");
    model.node("n2");
    expect(() => run(model.state, updateNode({ ref: "n2", patch: { name: "n1" } }))).toThrow(
      withCode("already_exists"),
    );
    expect(() =>
      run(model.state, updateNode({ ref: "n2", patch: { address: { host: "10.0.0.11", port: 22 } } })),
    ).toThrow(withCode("already_exists"));
    expect(() => run(model.state, updateNode({ ref: "n2", patch: { name: "bad name" } }))).toThrow(
      withCode("invalid_input"),
    );
    expect(() => run(model.state, updateNode({ ref: "n2", patch: { labels: { "bad key!": "1" } } }))).toThrow(
      withCode("invalid_input"),
    );
  });
  test("a removed node takes its status and its pins along", () => {
    const model = new WorldModel();
    const id = model.node("n1");
    model.volume("data");
    model.state.volumePin.set("data", { id: asId("data"), nodeIds: [id], madeOn: [id] });
    run(model.state, removeNode(id));
    expect([model.state.node.size, model.state.nodeStatus.size, model.state.volumePin.size]).toEqual([0, 0, 0]);
  });
  test("a volume goes once no service mounts it and no task has it", () => {
    const model = new WorldModel();
    model.node("n1");
    run(model.state, deployStack(stackOf("shop", [serviceOf("shop", "store", { replicas: 1, volume: "data" })])));
    model.run(2_000);
    expect(() => run(model.state, removeVolume("data"))).toThrow(withCode("in_use"));
    run(model.state, deployStack({ ...stackOf("shop", []), volumes: [] }));
    expect(() => run(model.state, removeVolume("data"))).toThrow("a task that is stopping still has it");
    model.run(20_000);
    run(model.state, removeVolume("data"));
    expect([model.state.volume.size, model.state.volumePin.size]).toEqual([0, 0]);
  });
});

describe("tokens and registries", () => {
  test("tokens expire within ten years, have one name each, and ended ones are forgotten after a month", () => {
    const state = begunState();
    run(state, createToken({ name: "ci", role: "viewer", expiresInSeconds: 60 }));
    expect(() => run(state, createToken({ name: "ci", role: "viewer" }))).toThrow(withCode("already_exists"));
    expect(() => run(state, createToken({ name: "x", role: "viewer", expiresInSeconds: 1e12 }))).toThrow(
      withCode("invalid_input"),
    );
    expect(() => run(state, createToken({ name: "x", role: "viewer", stack: "shop" }))).toThrow(
      withCode("invalid_input"),
    );
    const afterMonthMs = 32 * 86_400_000;
    run(state, createToken({ name: "ci", role: "viewer" }), afterMonthMs);
    expect(state.userToken.size).toBe(1);
    expect(run(state, revokeToken("ci"), afterMonthMs).result.revokedAtMs).toBe(afterMonthMs);
    expect(run(state, revokeToken("ci"), afterMonthMs).changes).toEqual([]);
  });
  test("registry hosts are kept as image names have them", () => {
    expect(["https://index.docker.io/v1/", "Docker.io", "10.0.0.1:5000", "ghcr.io/owner"].map(registryHost)).toEqual([
      "docker.io",
      "docker.io",
      "10.0.0.1:5000",
      "ghcr.io",
    ]);
    expect(() => registryHost("not a host")).toThrow(withCode("invalid_input"));
  });
});

describe("the audit trail", () => {
  test("has one entry for a command that changes something, and none for one that does not", () => {
    const state = begunState();
    const command = withAudit("ann", "stack.deploy", deployStack(stackOf("shop", [serviceOf("shop", "web")])));
    expect(run(state, command).audit).toEqual([
      {
        actor: "ann",
        action: "stack.deploy",
        subject: "shop_web",
        outcome: "ok",
        message: "service shop_web created: web:v1, 2 replicas",
      },
    ]);
    expect(run(state, command).audit).toEqual([]);
  });
});

describe("sameness of plain values", () => {
  test("does not depend on the order of keys, and a key without a value is absent", () => {
    expect(isSame({ a: 1, b: [{ c: undefined }] }, { b: [{}], a: 1 })).toBe(true);
    expect([isSame([1, 2], [2, 1]), isSame({ a: null }, {}), isSame([], {}), isSame(0, false)]).toEqual([
      false,
      false,
      false,
      false,
    ]);
  });
});
