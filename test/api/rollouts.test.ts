// Rollouts over the API: where they stand, what can be asked of them, what is refused and why, and the history of versions.

import { describe, expect, test } from "vitest";
import type { ServiceSpec } from "../../src/core/model/service-spec.ts";
import type { UpdatePolicy, UpdateStrategy } from "../../src/core/model/update-policy.ts";
import { serviceOf, stackOf } from "../fakes/stacks.ts";
import { template } from "../fakes/world-model.ts";
import { refusal, serve, type Serving } from "./serving.ts";

const CANARY: UpdateStrategy = { kind: "canary", canaries: { tasks: 1 }, weight: 20 };

function web(image: string, update: Partial<UpdatePolicy> = {}): ServiceSpec {
  const base = serviceOf("shop", "web", { mode: { kind: "replicated", replicas: 3 }, template: template({ image }) });
  return { ...base, update: { ...base.update, ...update } };
}

async function serveAt(...specs: readonly ServiceSpec[]): Promise<Serving> {
  const serving = await serve();
  for (const name of ["n1", "n2"]) serving.backend.model.node(name);
  for (const spec of specs) {
    await serving.client.deploy(stackOf("shop", [spec]));
    serving.backend.run(12_000);
  }
  return serving;
}

async function lastProgress({ client }: Serving): Promise<unknown> {
  const { id } = await client.service("shop_web");
  return (await Array.fromAsync(client.progress([id]))).at(-1)?.[0];
}

describe("a rollout", () => {
  test("is in no list before a service is changed, and then with where it stands", async () => {
    const serving = await serveAt(web("web:v1"));
    expect(await serving.client.rollouts()).toEqual([]);
    expect((await serving.client.rollout("shop_web")).rollout).toBeUndefined();
    await serving.client.deploy(stackOf("shop", [web("web:v2", { strategy: CANARY })]));
    serving.backend.run(5_000);
    expect(await serving.client.rollouts({ stack: "shop" })).toMatchObject([
      {
        service: "shop_web",
        fromVersion: 1,
        toVersion: 2,
        strategy: "canary",
        state: "trial",
        isUnderWay: true,
        waitsForPromotion: true,
        progress: { done: 1, of: 1 },
      },
    ]);
    expect(await serving.client.rollouts({ stack: "other" })).toEqual([]);
    expect(await serving.client.service("shop_web")).toMatchObject({ desired: 3, running: 3, healthy: 3 });
  });

  test("says when it promotes itself, and until when an old set is kept", async () => {
    const serving = await serveAt(web("web:v1"));
    const holdMs = 60_000;
    await serving.client.deploy(stackOf("shop", [web("web:v2", { strategy: { ...CANARY, holdMs } })]));
    serving.backend.run(5_000);
    const [held] = await serving.client.rollouts();
    expect(Date.parse(held?.promotesAt ?? "") - serving.backend.model.nowMs).toBeGreaterThan(50_000);
    const green: UpdateStrategy = { kind: "blue-green", holdMs: 0, keepMs: 600_000 };
    await serving.client.deploy(stackOf("shop", [web("web:v3", { strategy: green })]));
    serving.backend.run(5_000);
    const [kept] = await serving.client.rollouts();
    expect(kept).toMatchObject({ state: "switched", strategy: "blue-green" });
    expect(Date.parse(kept?.keptUntil ?? "") - serving.backend.model.nowMs).toBeGreaterThan(590_000);
  });

  test("ends the wait of a command when it waits for a person, and not before it is promoted once that was asked for", async () => {
    const serving = await serveAt(web("web:v1"));
    const { client, backend } = serving;
    await client.deploy(stackOf("shop", [web("web:v2", { strategy: CANARY })]));
    backend.run(5_000);
    expect(await lastProgress(serving)).toMatchObject({ state: "trial", done: true, ok: true, desired: 3, healthy: 3 });
    await client.changeRollout("shop_web", "promote");
    const { id } = await client.service("shop_web");
    const [first] = (await firstOf(client.progress([id]))) ?? [];
    expect(first).toMatchObject({ state: "trial", done: false });
    backend.run(20_000);
    expect(await lastProgress(serving)).toMatchObject({ state: "converged", done: true, ok: true });
  });

  test("is paused, goes on, and is given up on request", async () => {
    const serving = await serveAt(web("web:v1"));
    const { client, backend } = serving;
    await client.deploy(stackOf("shop", [web("web:v2")]));
    backend.run(1_000);
    await client.changeRollout("shop_web", "pause");
    backend.run(5_000);
    expect(await client.rollouts()).toMatchObject([{ state: "paused", phase: "updating", isUnderWay: true }]);
    expect(await lastProgress(serving)).toMatchObject({ state: "paused", done: true, ok: false });
    await client.changeRollout("shop_web", "resume");
    backend.run(1_000);
    await client.changeRollout("shop_web", "abort");
    backend.run(20_000);
    expect(await client.service("shop_web")).toMatchObject({ version: 1, image: "web:v1" });
    expect(await lastProgress(serving)).toMatchObject({ state: "rolled_back", done: true, ok: true });
    expect(await client.rollouts()).toMatchObject([{ strategy: "rollback", state: "rolled_back", isUnderWay: false }]);
    expect((await client.audit()).map(({ action }) => action)).toEqual(
      expect.arrayContaining(["rollout.pause", "rollout.resume", "rollout.abort"]),
    );
  });
});

async function firstOf<Value>(values: AsyncIterable<Value>): Promise<Value | undefined> {
  for await (const value of values) return value;
  return undefined;
}

describe("what makes no sense is refused with what is in the way", () => {
  test("while there is nothing under way", async () => {
    const { client, backend } = await serveAt(web("web:v1"));
    for (const [verb, message] of [
      ["pause", "there is nothing to pause: it is completed"],
      ["resume", "it is not paused: it is completed"],
      ["abort", "there is nothing to abort: it is completed"],
      ["promote", "nothing of it is on trial: it is completed"],
    ] as const) {
      const error = await refusal(client.changeRollout("shop_web", verb));
      expect(error).toMatchObject({ code: "conflict", message: `${verb} the rollout of shop_web: ${message}` });
      expect(error.wayOut).toBeDefined();
    }
    expect(await refusal(client.changeRollout("nothing", "pause"))).toMatchObject({ code: "not_found" });
    await client.deploy(stackOf("shop", [web("web:v2")]));
    expect((await refusal(client.changeRollout("shop_web", "pause"))).message).toMatch(/has not begun yet$/);
    backend.run(1_000);
    expect((await refusal(client.changeRollout("shop_web", "promote"))).message).toMatch(/it is updating$/);
  });

  test("for a first deploy, which goes nowhere back", async () => {
    const { client, backend } = await serveAt();
    backend.model.broken.add("web:v1");
    await client.deploy(stackOf("shop", [web("web:v1")]));
    backend.run(5_000);
    expect((await refusal(client.changeRollout("shop_web", "pause"))).message).toContain("it is its first deploy");
    expect(await refusal(client.changeRollout("shop_web", "abort"))).toMatchObject({
      message: expect.stringContaining("nothing to go back to"),
      wayOut: "remove it: davit service rm shop_web",
    });
  });

  test("for canaries that are not healthy yet", async () => {
    const { client, backend } = await serveAt(web("web:v1"));
    await client.deploy(stackOf("shop", [web("web:v2", { strategy: CANARY })]));
    backend.model.rest();
    expect((await refusal(client.changeRollout("shop_web", "promote"))).message).toMatch(
      /not all healthy yet \(none\)$/,
    );
  });
});

describe("policies that cannot be kept", () => {
  test.each([
    ["percentages over 100", { parallelismPercent: 101 }, "a parallelism of 101 % is not a whole percentage"],
    ["canaries over 100 %", { strategy: { ...CANARY, canaries: { percent: 150 } } }, "canaries of 150 %"],
    ["no canary at all", { strategy: { ...CANARY, canaries: { tasks: 0 } } }, "0 canaries"],
    ["a weight over 100", { strategy: { ...CANARY, weight: 101 } }, "a weight of 101"],
    ["a deadline of nothing", { progressDeadlineMs: 0 }, "must be a second or more"],
  ] as const)("%s are refused", async (_what, update, message) => {
    const { client } = await serveAt();
    const error = await refusal(client.deploy(stackOf("shop", [web("web:v1", update)])));
    expect([error.code, error.message]).toEqual(["invalid_input", expect.stringContaining(message)]);
  });

  test("a strategy for a rollback, a writer of a volume, or a fixed port on every node", async () => {
    const { client } = await serveAt();
    const base = web("web:v1", { strategy: CANARY });
    const volume = { name: "shop_data", stack: "shop", driver: "local", driverOpts: {}, labels: {}, external: false };
    const writer = { ...base, template: template({ volume: "shop_data" }) };
    const ports = [{ target: 80, published: { from: 80, to: 80 }, protocol: "tcp", mode: "host" }] as const;
    const global: ServiceSpec = { ...base, mode: { kind: "global" }, template: template({ ports }) };
    for (const [spec, message] of [
      [{ ...base, rollback: base.update }, "rollback: goes straight"],
      [writer, "both would write to its volume"],
      [global, "both would take port 80"],
    ] as const) {
      const error = await refusal(client.deploy({ ...stackOf("shop", [spec]), volumes: [volume] }));
      expect(error.message).toContain(message);
    }
  });
});

describe("the plan of a deploy", () => {
  test("tells a strategy in words, and that its change replaces nothing", async () => {
    const { client } = await serveAt(web("web:v1"));
    const strategy: UpdateStrategy = { ...CANARY, canaries: { percent: 20 }, holdMs: 300_000 };
    const plan = await client.deploy(stackOf("shop", [web("web:v1", { strategy })]), { dryRun: true });
    expect(plan.steps).toMatchObject([
      {
        kind: "update",
        description: "update strategy rolling → canary of 20 %, weight 20, held for 5 min",
        replacesTasks: false,
      },
    ]);
  });

  test("with another policy only leaves every task as it is", async () => {
    const serving = await serveAt(web("web:v1"));
    const { client, backend } = serving;
    const before = (await client.serviceTasks("shop_web")).map(({ id }) => id).sort();
    await client.deploy(stackOf("shop", [web("web:v1", { strategy: { kind: "blue-green", keepMs: 1_000 } })]));
    backend.run(20_000);
    expect((await client.serviceTasks("shop_web")).map(({ id }) => id).sort()).toEqual(before);
    expect(await client.rollouts()).toMatchObject([{ state: "completed", toVersion: 2 }]);
  });
});

describe("the history of a service", () => {
  test("has every kept version, the newest first, with who made it, what differs, and what became of it", async () => {
    const serving = await serveAt(web("web:v1"), web("web:v2"));
    const { client, backend } = serving;
    backend.model.broken.add("web:v3");
    await client.deploy(stackOf("shop", [web("web:v3", { failureAction: "rollback" })]));
    backend.run(30_000);
    const { versions } = await client.rollout("shop_web");
    expect(versions).toMatchObject([
      {
        version: 3,
        isCurrent: false,
        stable: false,
        by: "socket",
        comparedTo: 2,
        changes: ["image web:v2 → web:v3", expect.stringContaining("failureAction")],
        outcome: { state: "superseded", message: expect.stringContaining("version 3 failed") },
      },
      { version: 2, isCurrent: true, stable: true, outcome: { state: "rolled_back" } },
      { version: 1, isCurrent: false, stable: true, reason: "created", changes: [], outcome: { state: "completed" } },
    ]);
  });
});
