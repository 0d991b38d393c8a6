// davit rollout: what it prints, what it waits for, how it ends.

import { describe, expect, test } from "vitest";
import type { UpdateStrategy } from "../../src/core/model/update-policy.ts";
import { serviceOf, stackOf } from "../fakes/stacks.ts";
import { serve, type Serving, until } from "../api/serving.ts";
import { Harness } from "./harness.ts";

const CANARY: UpdateStrategy = { kind: "canary", canaries: { tasks: 1 }, weight: 10 };
const GREEN: UpdateStrategy = { kind: "blue-green", holdMs: 0, keepMs: 600_000 };

async function web(strategy: UpdateStrategy): Promise<Serving & { readonly cli: Harness }> {
  const serving = await serve();
  const { model } = serving.backend;
  for (const name of ["n1", "n2"]) model.node(name);
  const spec = serviceOf("shop", "web");
  await serving.client.deploy(stackOf("shop", [{ ...spec, update: { ...spec.update, strategy } }]));
  serving.backend.run(20_000);
  return { ...serving, cli: new Harness({ client: serving.client, nowMs: model.nowMs }) };
}

describe("a change that is held", () => {
  test("ends the command that waits for it, with what to type; promoting it waits for the rest", async () => {
    const { backend, cli } = await web(CANARY);
    const done = cli.run("service", "update", "shop_web", "--image", "web:v2");
    await until(() => cli.stderr.includes("shop_web: converging"));
    backend.run(5_000);
    expect(await done).toBe(0);
    expect(cli.stderr).toContain(
      "shop_web: the new task is healthy; it waits to be promoted: davit rollout promote shop_web goes on, davit rollout abort shop_web goes back\n",
    );
    expect(await cli.run("rollout", "ls")).toBe(0);
    expect(cli.stdout).toMatch(
      /shop_web {2}v1 → v2 {2}canary +trial +1\/1 +\d+ m?s ago +the new task is healthy; it waits .*: davit rollout promote shop_web/,
    );
    const promoted = cli.run("rollout", "promote", "shop_web");
    await until(() => cli.stdout.includes("version 2 of shop_web is promoted"));
    await until(() => cli.stderr.split("shop_web: trial").length > 2);
    backend.run(20_000);
    expect(await promoted).toBe(0);
    expect(cli.stderr).toContain("shop_web: converged, 2 of 2 healthy");
  });

  test("says after a switch how to go back, and does so without starting anything", async () => {
    const { backend, cli } = await web(GREEN);
    const done = cli.run("service", "update", "shop_web", "--image", "web:v2");
    await until(() => cli.stderr.includes("shop_web: converging"));
    backend.run(5_000);
    expect(await done).toBe(0);
    expect(cli.stderr).toContain("the old tasks are kept for 10 min: davit rollout abort shop_web goes back at once");
    const told = backend.model.told.length;
    const aborted = cli.run("rollout", "abort", "shop_web");
    await until(() => cli.stdout.includes("shop_web goes back to version 1"));
    backend.run(10_000);
    expect(await aborted).toBe(0);
    expect(backend.model.told.slice(told).filter((line) => line.startsWith("create"))).toEqual([]);
  });
});

describe("a rollout that is paused", () => {
  test("is said to be, is not promoted, and goes on when it is told to", async () => {
    const { backend, cli } = await web(CANARY);
    await cli.run("service", "update", "shop_web", "--image", "web:v2", "--detach");
    backend.run(5_000);
    expect(await cli.run("rollout", "pause", "shop_web")).toBe(0);
    expect(cli.stdout).toContain("the rollout of shop_web pauses; davit rollout resume shop_web lets it go on");
    backend.run(5_000);
    expect(await cli.run("rollout", "promote", "shop_web")).toBe(4);
    expect(cli.stderr).toContain("it is paused: paused by hand while it was on trial");
    expect(await cli.run("rollout", "resume", "shop_web", "--detach")).toBe(0);
    backend.run(5_000);
    expect(await cli.run("rollout", "promote", "shop_web", "--detach")).toBe(0);
    backend.run(20_000);
    expect(await cli.run("rollout", "resume", "shop_web")).toBe(4);
    expect(cli.stderr).toContain("it is not paused: it is completed");
  });
});

describe("lists", () => {
  test("say so when there is nothing in them", async () => {
    const { cli } = await web(CANARY);
    expect(await cli.run("rollout", "ls")).toBe(0);
    expect(cli.stdout).toBe("no service has been changed since its first deploy\n");
  });

  test("the history shows versions with who made them, what differs and what became of them; JSON has it all", async () => {
    const { backend, cli } = await web(CANARY);
    await cli.run("service", "update", "shop_web", "--image", "web:v2", "--detach");
    backend.run(5_000);
    await cli.run("rollout", "abort", "shop_web", "--detach");
    backend.run(10_000);
    cli.stdout = "";
    expect(await cli.run("rollout", "history", "shop_web")).toBe(0);
    const [, second, first] = cli.stdout.split("\n");
    expect(second).toMatch(
      /^ {2}2 .* socket +superseded +image web:v1 → web:v2 +rolled back by request: version 2 → 1 \(gi/,
    );
    expect(first).toMatch(/^\* 1 .* socket +stable +rolled back +image web:v1/);
    cli.stdout = "";
    await cli.run("rollout", "history", "shop_web", "--json");
    expect((JSON.parse(cli.stdout) as unknown[]).length).toBe(2);
  });
});
