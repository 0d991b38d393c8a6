// The API's contract: its OpenAPI document, its errors, its versions.

import { z } from "@hono/zod-openapi";
import { describe, expect, test } from "vitest";
import * as access from "../../src/api/routes/access.ts";
import type { Endpoint } from "../../src/api/routes/endpoint.ts";
import * as ingressRoutes from "../../src/api/routes/ingress.ts";
import * as jobs from "../../src/api/routes/jobs.ts";
import * as nodes from "../../src/api/routes/nodes.ts";
import * as rebalance from "../../src/api/routes/rebalance.ts";
import * as rollouts from "../../src/api/routes/rollouts.ts";
import * as services from "../../src/api/routes/services.ts";
import * as stacks from "../../src/api/routes/stacks.ts";
import * as system from "../../src/api/routes/system.ts";
import * as tasks from "../../src/api/routes/tasks.ts";
import * as volumes from "../../src/api/routes/volumes.ts";
import { newAuthority, newCertificate, newKey } from "../../src/certificates/x509.ts";
import type { CertificateRequest } from "../../src/core/model/ingress-views.ts";
import { progressSchema } from "../../src/api/schemas/views.ts";
import { progressView } from "../../src/api/views/progress.ts";
import { networkOf, serviceOf, stackOf } from "../fakes/stacks.ts";
import { JOB } from "../fakes/world-model.ts";
import { serve, type Serving } from "./serving.ts";

type AnyEndpoint = Endpoint<unknown, unknown, unknown, unknown>;
const ENDPOINTS = [access, ingressRoutes, jobs, nodes, rebalance, rollouts, services, stacks, system, tasks, volumes]
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

/** As somebody else's authority would have signed it. */
function ownCertificate(): CertificateRequest {
  const [authorityKey, keyPem] = [newKey(), newKey()];
  const authority = { certificatePem: newAuthority("other", authorityKey, Date.now(), 1e10), keyPem: authorityKey };
  const hosts = ["shop.example.com"];
  return { certificatePem: newCertificate({ hosts, keyPem, authority, nowMs: Date.now(), lifetimeMs: 1e10 }), keyPem };
}

/** A cluster with something of everything. */
async function furnish({ backend, client }: Serving): Promise<void> {
  backend.model.node("n1", { disk: "ssd" });
  const lost = backend.model.node("n2");
  const web = serviceOf("shop", "web", {
    template: { ports: [{ target: 80, published: { from: 8_000, to: 8_010 }, protocol: "tcp", mode: "ingress" }] },
  });
  backend.model.state.authority.set("internal", { id: "internal", certificatePem: "x", sealedKey: "x", notAfterMs: 0 });
  const own = ownCertificate();
  await client.putCertificate("mine", own);
  const ingress = [{ host: "shop.example.com", path: "/", port: 80, tls: { certificate: "mine" }, sticky: true }];
  const seed = { ...serviceOf("shop", "seed", { mode: { kind: "global-job" } }), job: JOB };
  await client.deploy(
    stackOf(
      "shop",
      [{ ...web, ingress }, serviceOf("shop", "store", { replicas: 1, volume: "shop_data" }), seed],
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
      const isText = response.headers.get("content-type")?.startsWith("text/plain") === true;
      const body: unknown = isText ? await response.text() : await response.json();
      expect([path, answer.parse(body)]).toEqual([path, body]);
    }
  });

  test("certificates and maintenance are for who may, and say what is in the way", async () => {
    const serving = await serve();
    await furnish(serving);
    const { client } = serving;
    const viewer = await serving.clientOf("viewer");
    await expect(viewer.maintenance("shop_web", true)).rejects.toThrow("viewer");
    await expect(viewer.putCertificate("other", ownCertificate())).rejects.toThrow("viewer");
    expect(await viewer.ingress()).toMatchObject([
      { host: "shop.example.com", certificate: "valid", options: ["sticky"] },
    ]);
    await client.maintenance("shop_web", true);
    expect(await client.ingress()).toMatchObject([{ maintenance: true }]);
    await expect(client.removeCertificate("mine")).rejects.toThrow("serves shop.example.com with it");
    await expect(client.renewCertificate("mine")).rejects.toThrow("it is your own");
    await expect(client.putCertificate("bad", { certificatePem: "x", keyPem: "y" })).rejects.toThrow(
      "add certificate bad",
    );
    await client.putCertificate("*.example.com", ownCertificate());
    await client.removeCertificate("*.example.com");
    expect((await client.certificates()).map(({ name }) => name)).toEqual(["mine"]);
    const events = JSON.stringify(serving.backend.model.state.certificate.get("mine"));
    expect(events).not.toContain("PRIVATE KEY");
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
