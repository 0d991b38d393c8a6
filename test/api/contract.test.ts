// The API's contract: its OpenAPI document, its errors, its versions.

import { z } from "@hono/zod-openapi";
import { describe, expect, test } from "vitest";
import * as access from "../../src/api/routes/access.ts";
import type { Endpoint } from "../../src/api/routes/endpoint.ts";
import * as jobs from "../../src/api/routes/jobs.ts";
import * as nodes from "../../src/api/routes/nodes.ts";
import * as rebalance from "../../src/api/routes/rebalance.ts";
import * as rollouts from "../../src/api/routes/rollouts.ts";
import * as services from "../../src/api/routes/services.ts";
import * as stacks from "../../src/api/routes/stacks.ts";
import * as system from "../../src/api/routes/system.ts";
import * as tasks from "../../src/api/routes/tasks.ts";
import * as volumes from "../../src/api/routes/volumes.ts";
import { progressSchema } from "../../src/api/schemas/views.ts";
import { progressView } from "../../src/api/views/progress.ts";
import { networkOf, serviceOf, stackOf } from "../fakes/stacks.ts";
import { JOB } from "../fakes/world-model.ts";
import { serve, type Serving } from "./serving.ts";

type AnyEndpoint = Endpoint<unknown, unknown, unknown, unknown>;
const ENDPOINTS = [access, jobs, nodes, rebalance, rollouts, services, stacks, system, tasks, volumes]
  .flatMap((room) => Object.values(room))
  .filter((value): value is AnyEndpoint => typeof value === "object" && "route" in value);

type Operation = {
  readonly operationId: string;
  readonly parameters?: readonly { readonly name: string; readonly in: string }[];
  readonly responses: Readonly<Record<string, unknown>>;
};
type Document = {
  readonly openapi: string;
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>;
  readonly components: { readonly schemas: Readonly<Record<string, unknown>> };
};

describe("the OpenAPI document", () => {
  test("has every contract, each with its own id, its parameters and its problems", async () => {
    const { client } = await serve();
    const document = (await client.openapi()) as unknown as Document;
    expect(document.openapi).toBe("3.1.0");
    const operations = Object.entries(document.paths).flatMap(([path, methods]) =>
      Object.entries(methods).map(([method, operation]) => ({ path, method, ...operation })),
    );
    expect(operations.map((operation) => operation.operationId).sort()).toEqual(
      ENDPOINTS.map((endpoint) => endpoint.shape.id).sort(),
    );
    expect(new Set(operations.map((operation) => operation.operationId)).size).toBe(operations.length);
    for (const { path, parameters = [], responses } of operations) {
      const inPath = [...path.matchAll(/\{(\w+)\}/g)].map((match) => match[1]);
      expect(parameters.filter((parameter) => parameter.in === "path").map((parameter) => parameter.name)).toEqual(
        inPath,
      );
      expect(Object.keys(responses)).toContain("default");
    }
  });

  test("every reference in it leads somewhere", async () => {
    const { client } = await serve();
    const document = (await client.openapi()) as unknown as Document;
    const references = [...JSON.stringify(document).matchAll(/"\$ref":"#\/components\/schemas\/(\w+)"/g)].map(
      (match) => match[1] ?? "",
    );
    expect(references.length).toBeGreaterThan(20);
    for (const name of references) expect(Object.keys(document.components.schemas)).toContain(name);
  });
});

/** A cluster with something of everything. */
async function furnish({ backend, client }: Serving): Promise<void> {
  backend.model.node("n1", { disk: "ssd" });
  const lost = backend.model.node("n2");
  const web = serviceOf("shop", "web", {
    template: { ports: [{ target: 80, published: { from: 8_000, to: 8_010 }, protocol: "tcp", mode: "ingress" }] },
  });
  const seed = { ...serviceOf("shop", "seed", { mode: { kind: "global-job" } }), job: JOB };
  await client.deploy(
    stackOf(
      "shop",
      [web, serviceOf("shop", "store", { replicas: 1, volume: "shop_data" }), seed],
      [networkOf("shop", "back")],
    ),
  );
  backend.run(10_000);
  await client.updateService("shop_web", { image: "web:v2" });
  backend.run(3_000);
  backend.model.lose(lost);
  backend.run(3_000);
  await client.createToken({ name: "ci", role: "deployer", stack: "shop" });
  await client.login("10.0.0.1:5000", { username: "ann", password: "x" });
}

describe("answers", () => {
  const reads = ENDPOINTS.filter(
    (endpoint) => endpoint.shape.method === "get" && !endpoint.stream && endpoint !== (tasks.execInTask as AnyEndpoint),
  );
  test("every read answers exactly what its contract says, no field more", async () => {
    const serving = await serve();
    await furnish(serving);
    const refs: Readonly<Record<string, string>> = {
      nodes: "n1",
      services: "shop_web",
      jobs: "shop_seed",
      rollouts: "shop_web",
      tasks: "shop_web.1",
      stacks: "shop",
    };
    for (const { shape, answer } of reads) {
      const path = shape.path.replace(/\{\w+\}/, () => refs[shape.path.split("/")[2] ?? ""] ?? "");
      const response = await fetch(`http://localhost${path}`, { unix: serving.socketPath });
      expect([path, response.status]).toEqual([path, 200]);
      const body: unknown = await response.json();
      expect([path, answer.parse(body)]).toEqual([path, body]);
    }
  });

  test("progress has the shape that its contract says", async () => {
    const serving = await serve();
    await furnish(serving);
    const { id } = await serving.client.service("shop_web");
    const view: unknown = JSON.parse(JSON.stringify(progressView(serving.backend.world(), id, false)));
    expect(progressSchema.parse(view)).toEqual(view);
  });

  test("an answer of a single record carries its index as ETag", async () => {
    const serving = await serve();
    await furnish(serving);
    const etagOf = async (path: string): Promise<string | null> =>
      (await fetch(`http://localhost${path}`, { unix: serving.socketPath })).headers.get("etag");
    expect(await etagOf("/v1/services/shop_web")).toBe('"2"');
    expect(await etagOf("/v1/nodes/n1")).toBe('"1"');
    expect(
      z
        .string()
        .nullable()
        .parse(await etagOf("/v1/nodes")),
    ).toBeNull();
  });
});
