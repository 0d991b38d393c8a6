// What of depends_on is refused when a stack is deployed, and which services get new tasks because others do.

import { describe, expect, test } from "vitest";
import { deployStack } from "../../../src/core/commands/deploy-stack.ts";
import { restartService, updateService } from "../../../src/core/commands/services.ts";
import { DavitError } from "../../../src/core/model/errors.ts";
import type { Dependency, ServiceSpec } from "../../../src/core/model/service-spec.ts";
import { JOB, template } from "../../fakes/world-model.ts";
import { serviceOf, type ServiceChanges, stackOf } from "../../fakes/stacks.ts";
import { serve } from "../../api/serving.ts";
import { MemoryBackend } from "../../fakes/memory-backend.ts";

function service(name: string, dependsOn: readonly Dependency[] = [], changes: ServiceChanges = {}): ServiceSpec {
  return { ...serviceOf("shop", name, changes), ...(dependsOn.length === 0 ? {} : { dependsOn }) };
}

function after(name: string, changes: Partial<Dependency> = {}): Dependency {
  return { service: `shop_${name}`, condition: "service_started", required: true, restart: false, ...changes };
}

async function faultsOf(...services: readonly ServiceSpec[]): Promise<readonly string[]> {
  const { client } = await serve();
  try {
    await client.deploy(stackOf("shop", services));
  } catch (error) {
    if (!(error instanceof DavitError)) throw error;
    return error.details.map(({ where, message }) => `${where}: ${message}`);
  }
  return [];
}

describe("depends_on is refused", () => {
  test("when it comes back to the service itself, with the way", async () => {
    const faults = await faultsOf(
      service("web", [after("api")]),
      service("api", [after("db")]),
      service("db", [after("web")]),
    );
    expect(faults).toEqual(["shop_web: depends_on comes back to itself: shop_web → shop_api → shop_db → shop_web"]);
  });

  test("when the stack has no such service, with the nearest; not when it need not be there", async () => {
    const web = service("web", [after("dbb"), after("gone", { required: false })]);
    expect(await faultsOf(web, service("db"))).toEqual([
      "shop_web: depends_on shop_dbb: the stack has no such service; did you mean shop_db?",
    ]);
  });

  test("when its condition can never hold", async () => {
    const seed = {
      ...service("seed", [], { mode: { kind: "replicated-job", completions: 1, concurrency: 1 } }),
      job: JOB,
    };
    const web = service("web", [
      after("db", { condition: "service_completed_successfully" }),
      after("seed", { condition: "service_healthy" }),
    ]);
    expect(await faultsOf(web, service("db"), seed)).toEqual([
      "shop_web: depends_on shop_db: it is restarted always, and never complete: give it restart: on-failure or no, or make it a job",
      "shop_web: depends_on shop_seed: it is a job, and never healthy: write service_completed_successfully",
    ]);
  });
});

describe("restart: true", () => {
  const withDb = after("db", { restart: true });
  const stack = (image: string) =>
    stackOf("shop", [
      service("db", [], { image }),
      service("web", [withDb]),
      service("worker", [after("web", { restart: true })]),
      service("other", [after("db")]),
    ]);

  async function forces(backend: MemoryBackend): Promise<Readonly<Record<string, number>>> {
    return Object.fromEntries([...backend.world().state.service.values()].map(({ name, force }) => [name, force]));
  }

  test("makes the tasks anew when a deploy changes those of the other, over several services, and no more than once", async () => {
    const backend = new MemoryBackend();
    await backend.mutate(deployStack(stack("db:1")));
    expect(await forces(backend)).toEqual({ shop_db: 0, shop_web: 0, shop_worker: 0, shop_other: 0 });
    const { result } = await backend.mutate(deployStack(stack("db:2")));
    expect(await forces(backend)).toEqual({ shop_db: 0, shop_web: 1, shop_worker: 1, shop_other: 0 });
    expect(result.steps.find(({ subject }) => subject.name === "shop_web")).toMatchObject({
      kind: "update",
      description: "made anew with what it depends on",
      replacesTasks: true,
    });
    await backend.mutate(deployStack(stack("db:2")));
    expect(await forces(backend)).toEqual({ shop_db: 0, shop_web: 1, shop_worker: 1, shop_other: 0 });
  });

  test("makes them anew when the other is updated or restarted by itself, not when only its numbers change", async () => {
    const backend = new MemoryBackend();
    await backend.mutate(deployStack(stack("db:1")));
    await backend.mutate(updateService({ ref: "shop_db", patch: { image: "db:2" } }));
    expect(await forces(backend)).toMatchObject({ shop_web: 1, shop_worker: 1, shop_other: 0 });
    await backend.mutate(updateService({ ref: "shop_db", patch: { replicas: 3, update: { parallelism: 2 } } }));
    expect(await forces(backend)).toMatchObject({ shop_web: 1, shop_worker: 1 });
    await backend.mutate(restartService({ ref: "shop_db" }));
    expect(await forces(backend)).toMatchObject({ shop_db: 1, shop_web: 2, shop_worker: 2, shop_other: 0 });
  });
});

test("a change of depends_on alone is a new version that replaces no task", async () => {
  const { backend, client } = await serve();
  backend.model.node("n1");
  const db = service("db", [], { template: template({ settleMs: 0 }) });
  await client.deploy(stackOf("shop", [db, service("web")]));
  backend.run(15_000);
  const before = (await client.serviceTasks("shop_web")).map(({ id }) => id);
  const { steps } = await client.deploy(stackOf("shop", [db, service("web", [after("db")])]));
  expect(steps.find(({ subject }) => subject.name === "shop_web")).toMatchObject({
    description: "depends_on",
    replacesTasks: false,
  });
  backend.run(15_000);
  expect((await client.serviceTasks("shop_web")).map(({ id }) => id)).toEqual(before);
});
