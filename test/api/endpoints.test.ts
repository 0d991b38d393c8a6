// What each endpoint of the API answers.

import { describe, expect, test } from "vitest";
import { DavitError } from "../../src/core/model/errors.ts";
import { asId } from "../../src/core/model/ids.ts";
import { serviceOf, stackOf } from "../fakes/stacks.ts";
import { refusal, serve } from "./serving.ts";

const SHOP = stackOf("shop", [
  serviceOf("shop", "web"),
  serviceOf("shop", "store", { replicas: 1, volume: "shop_data" }),
]);

describe("stacks and services", () => {
  test("a deployed stack shows its services, tasks and volumes", async () => {
    const { backend, client } = await serve();
    backend.model.node("n1");
    const deployed = await client.deploy(SHOP);
    expect(deployed.steps.map((step) => [step.kind, step.subject.name])).toEqual([
      ["create", "shop_data"],
      ["create", "shop_web"],
      ["create", "shop_store"],
    ]);
    backend.run(10_000);
    const { stack, services, tasks } = await client.stack("shop");
    expect(stack).toEqual({ name: "shop", services: 2, desired: 3, healthy: 3, state: "healthy" });
    expect(services.map((service) => [service.name, service.running, service.healthy])).toEqual([
      ["shop_store", 1, 1],
      ["shop_web", 2, 2],
    ]);
    expect(tasks.map((task) => [task.name, task.state, task.node])).toEqual([
      ["shop_store.1", "running", "n1"],
      ["shop_web.1", "running", "n1"],
      ["shop_web.2", "running", "n1"],
    ]);
    expect(await client.volumes()).toMatchObject([{ name: "shop_data", nodes: ["n1"] }]);
    expect((await client.stacks()).map((one) => one.name)).toEqual(["shop"]);
  });

  test("a dry run commits nothing and the deploy emits what it listed", async () => {
    const { backend, client } = await serve();
    const dry = await client.deploy(SHOP, { dryRun: true });
    expect(dry.dryRun).toBe(true);
    expect(backend.revision()).toBe(0);
    await client.deploy(SHOP);
    expect(backend.history.map((event) => event.type)).toEqual(dry.steps.map((step) => step.eventType));
    const again = await client.deploy(SHOP);
    expect(again.revision).toBe(1);
    expect(backend.entries).toMatchObject([{ actor: "socket", action: "stack.deploy", outcome: "ok" }]);
  });

  test("two deploys at once are two deploys in a row, and none is lost", async () => {
    const { backend, client } = await serve();
    const blog = stackOf("blog", [serviceOf("blog", "web")]);
    const second = stackOf("shop", [serviceOf("shop", "web", { image: "web:v2" })]);
    await Promise.all([client.deploy(SHOP), client.deploy(blog), client.deploy(second)]);
    expect((await client.stacks()).map((stack) => stack.name)).toEqual(["blog", "shop"]);
    expect(backend.history.map((event) => event.seq)).toEqual(backend.history.map((_event, at) => at + 1));
    const { version, versions } = await client.service("shop_web");
    expect(versions.map((kept) => kept.version)).toEqual([1, 2]);
    expect(version).toBe(2);
  });

  test("a write is seen by the next read, though reads are cached", async () => {
    const { client } = await serve();
    await client.deploy(SHOP);
    for (const replicas of [3, 4, 5]) {
      await client.scale("shop_web", replicas);
      expect((await client.services()).find((service) => service.name === "shop_web")?.desired).toBe(replicas);
    }
  });

  test("names, ids and unique beginnings of ids are all understood", async () => {
    const { client } = await serve();
    await client.deploy(SHOP);
    const { id } = await client.service("shop_web");
    expect((await client.service(id)).name).toBe("shop_web");
    expect((await client.service(id.slice(0, 8))).name).toBe("shop_web");
    expect(await refusal(client.service("shop_we"))).toMatchObject({
      code: "not_found",
      wayOut: "list what there is: davit service ls",
    });
  });

  test("an ambiguous beginning lists the candidates", async () => {
    const { backend, client } = await serve();
    await client.deploy(SHOP);
    for (const service of backend.model.state.service.values().toArray()) {
      const id = asId<"service">(`aaaa${service.name.padEnd(21, "0").replace("_", "0").slice(0, 21)}`);
      backend.model.state.service.set(id, { ...service, id });
      backend.model.state.service.delete(service.id);
      for (const version of [...backend.model.state.serviceVersion.values()].filter(
        (one) => one.serviceId === service.id,
      )) {
        backend.model.state.serviceVersion.set(`${id}/${version.version}`, {
          ...version,
          id: `${id}/${version.version}`,
          serviceId: id,
        });
      }
    }
    const error = await refusal(client.service("aaaa"));
    expect(error.code).toBe("ambiguous");
    expect(error.details.map((detail) => detail.message).sort()).toEqual(["shop_store", "shop_web"]);
  });

  test("a change with a stale index is out of sequence and changes nothing", async () => {
    const { client } = await serve();
    await client.deploy(SHOP);
    const { index } = await client.service("shop_web");
    const scaled = await client.scale("shop_web", 4, { ifMatch: index });
    expect(scaled.index).toBe(index + 1);
    expect(await refusal(client.scale("shop_web", 5, { ifMatch: index }))).toMatchObject({ code: "out_of_sequence" });
    expect((await client.service("shop_web")).mode).toEqual({ kind: "replicated", replicas: 4 });
  });

  test("update, force and rollback move between versions", async () => {
    const { client } = await serve();
    await client.deploy(SHOP);
    expect(await refusal(client.rollback("shop_web"))).toMatchObject({ code: "conflict" });
    const updated = await client.updateService("shop_web", { image: "web:v2", env: { MODE: "fast" } });
    expect(updated).toMatchObject({ version: 2, previousVersion: 1, image: "web:v2" });
    const same = await client.updateService("shop_web", { image: "web:v2" });
    expect(same.index).toBe(updated.index);
    const forced = await client.updateService("shop_web", { force: true });
    expect(forced).toMatchObject({ version: 2, index: updated.index + 1 });
    const back = await client.rollback("shop_web");
    expect(back).toMatchObject({ version: 1, previousVersion: 2, image: "web:v1" });
    expect(await refusal(client.rollback("shop_web", { to: 9 }))).toMatchObject({
      code: "not_found",
      wayOut: "kept are 1, 2",
    });
    expect((await client.service("shop_web")).versions.map((version) => version.version)).toEqual([1, 2]);
  });

  test("a removed stack is gone, and its tasks end", async () => {
    const { backend, client } = await serve();
    backend.model.node("n1");
    await client.deploy(SHOP);
    backend.run(5_000);
    await client.removeStack("shop");
    backend.run(60_000);
    expect(await client.tasks({ all: true })).toEqual([]);
    expect(await refusal(client.stack("shop"))).toMatchObject({ code: "not_found" });
  });
});

describe("nodes", () => {
  test("labels, availability and name change together; an unchanged patch changes no index", async () => {
    const { backend, client } = await serve();
    backend.model.node("n1", { old: "1" });
    const patch = { availability: "drain", labels: { disk: "ssd", old: null }, name: "first" } as const;
    const changed = await client.updateNode("n1", patch);
    expect(changed).toMatchObject({ name: "first", availability: "drain", labels: { disk: "ssd" }, index: 2 });
    expect((await client.updateNode("first", patch)).index).toBe(2);
    expect(backend.history.map((event) => event.message)).toEqual([
      "node first updated: renamed from n1, availability active → drain, label disk=ssd, label old removed",
    ]);
  });

  test("a node in contact cannot be confirmed dead; a lost one can, and counts again once it is set active", async () => {
    const { backend, client } = await serve();
    const id = backend.model.node("n1");
    expect(await refusal(client.confirmDead("n1"))).toMatchObject({ code: "conflict" });
    backend.model.lose(id);
    backend.changed();
    expect(await client.confirmDead("n1")).toMatchObject({ presence: "confirmed dead" });
    expect(await client.updateNode("n1", { availability: "active" })).toMatchObject({ presence: "lost" });
  });

  test("a join tells its steps, then gives the node; a failed one throws the problem", async () => {
    const { backend, client } = await serve();
    backend.joinSteps = [{ step: "preflight", state: "done", message: "Debian 12", elapsedMs: 5 }];
    const told: string[] = [];
    const request = {
      user: "root",
      host: "n7",
      port: 22,
      identities: [],
      jump: [],
      knownHosts: [],
      acceptNewHostKey: true,
    };
    const node = await client.join(request, (progress) => told.push(progress.message));
    expect([told, node.name]).toEqual([["Debian 12"], "n7"]);
    backend.joinFails = new DavitError("preflight_failed", "join n8: systemd is missing", {
      wayOut: "use a host with systemd",
      details: [{ message: "no systemd" }],
    });
    expect(await refusal(client.join({ ...request, host: "n8" }, () => undefined))).toMatchObject({
      code: "preflight_failed",
      wayOut: "use a host with systemd",
      details: [{ message: "no systemd" }],
    });
    await client.removeNode("n7", {}, (progress) => told.push(progress.step));
    expect(told).toEqual(["Debian 12", "agent"]);
    expect(await client.nodes()).toEqual([]);
    expect(backend.entries.map((entry) => entry.action)).toEqual(["node.join", "node.remove"]);
  });
});

describe("registries, volumes, input", () => {
  test("a registry's password is sealed and never shown", async () => {
    const { backend, client } = await serve();
    expect(await client.login("https://Index.Docker.io/v1/", { username: "ann", password: "pass-word-1" })).toEqual({
      host: "docker.io",
      username: "ann",
    });
    await client.login("10.0.0.1:5000", { username: "bob", password: "pass-word-2" });
    expect(await client.registries()).toEqual([
      { host: "10.0.0.1:5000", username: "bob" },
      { host: "docker.io", username: "ann" },
    ]);
    const kept = JSON.stringify([[...backend.model.state.registryLogin.values()], backend.history, backend.entries]);
    expect(kept).not.toContain("pass-word");
    await client.logout("10.0.0.1:5000");
    expect(await refusal(client.logout("10.0.0.1:5000"))).toMatchObject({ code: "not_found" });
  });

  test("a volume in use cannot be removed", async () => {
    const { client } = await serve();
    await client.deploy(SHOP);
    expect(await refusal(client.removeVolume("shop_data"))).toMatchObject({
      code: "in_use",
      message: "remove volume shop_data: shop_store mounts it",
    });
    await client.removeStack("shop");
    await client.removeVolume("shop_data");
    expect(await client.volumes()).toEqual([]);
  });

  test("unknown fields and wrong types are named with their place", async () => {
    const { socketPath } = await serve();
    const response = await fetch("http://localhost/v1/stacks/shop", {
      unix: socketPath,
      method: "PUT",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ name: "shop", services: [{ name: 7 }], volumes: [], networks: [], extra: 1 }),
    });
    expect(response.status).toBe(400);
    expect(response.headers.get("content-type")).toBe("application/problem+json");
    const problem = (await response.json()) as {
      readonly code: string;
      readonly errors: readonly { readonly where: string }[];
    };
    expect(problem.code).toBe("invalid_input");
    expect(problem.errors.map((error) => error.where)).toContain("body.services.0.name");
  });

  test("broken JSON, unknown paths, unknown queries and wrong methods are problems too", async () => {
    const { socketPath } = await serve();
    const ask = async (path: string, init: RequestInit = {}): Promise<readonly [number, string]> => {
      const response = await fetch(`http://localhost${path}`, { unix: socketPath, ...init });
      return [response.status, ((await response.json()) as { readonly code: string }).code];
    };
    expect(
      await ask("/v1/stacks/shop", { method: "PUT", headers: { "content-type": "application/json" }, body: "{" }),
    ).toEqual([400, "invalid_input"]);
    expect(await ask("/v1/nothing")).toEqual([404, "not_found"]);
    expect(await ask("/v1/services?colour=red")).toEqual([400, "invalid_input"]);
    expect(await ask("/v1/services", { method: "PUT" })).toEqual([404, "not_found"]);
  });

  test("a body beyond 16 MiB is refused, announced or not", async () => {
    const { socketPath, client } = await serve();
    const large = stackOf("shop", [
      serviceOf("shop", "web", {
        env: Object.fromEntries(Array.from({ length: 170 }, (_, at) => [`V${at}`, "x".repeat(100_000)])),
      }),
    ]);
    expect(await refusal(client.deploy(large))).toMatchObject({ code: "too_large" });
    const chunks = new ReadableStream({
      start: (controller) => {
        for (let at = 0; at < 300; at++) controller.enqueue(new Uint8Array(65_536).fill(32));
        controller.close();
      },
    });
    const headers = { "content-type": "application/json" };
    const response = await fetch("http://localhost/v1/stacks/shop", {
      unix: socketPath,
      method: "PUT",
      headers,
      body: chunks,
    });
    expect([response.status, ((await response.json()) as { readonly code: string }).code]).toEqual([413, "too_large"]);
  });

  test("a repeated request with its key is answered once more, and acted on once", async () => {
    const { backend, socketPath } = await serve();
    const create = (body: unknown): Promise<Response> =>
      fetch("http://localhost/v1/tokens", {
        unix: socketPath,
        method: "POST",
        headers: { "content-type": "application/json", "idempotency-key": "k1" },
        body: JSON.stringify(body),
      });
    const request = { name: "ci", role: "deployer" };
    const answers = await Promise.all([create(request), create(request), create(request)]);
    const tokens = await Promise.all(answers.map((answer) => answer.text()));
    expect(new Set(tokens).size).toBe(1);
    expect(backend.model.state.userToken.size).toBe(1);
    expect((await create({ ...request, name: "other" })).status).toBe(409);
  });

  test("an unexpected error tells nothing of the inside, and is logged", async () => {
    const { backend, client, errors } = await serve();
    backend.nodeState = () => Promise.reject(new TypeError("secret detail at /srv/file.ts"));
    backend.model.node("n1");
    const error = await refusal(client.nodeState("n1"));
    expect(error.code).toBe("internal");
    expect(error.message).not.toContain("secret");
    expect(errors[0]).toContain("secret detail");
  });
});
