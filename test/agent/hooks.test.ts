// Commands that run in a container once it has started, and before it is stopped: when they run, what their failures mean, and that one
// that hangs holds nobody up for ever.

import { describe, expect, test } from "vitest";
import type { ContainerSpec, Hook } from "../../src/core/model/service-spec.ts";
import { EngineError, type ExecRequest } from "../../src/ports/container-engine.ts";
import { POST_START_TIMEOUT_MS } from "../../workers/agent/loop/hooks.ts";
import { AgentWorld, workOf } from "./agent-world.ts";

type Hooked = Pick<ContainerSpec, "postStart" | "preStop"> & { readonly stopGraceMs?: number };

function hook(...argv: readonly string[]): Hook {
  return { argv, env: {} };
}

function hooked(changes: Hooked, more: Parameters<typeof workOf>[1] = {}): ReturnType<typeof workOf> {
  return workOf(1, { container: { ...workOf(1).container, ...changes }, ...more });
}

const NEVER = (): Promise<number> => new Promise(() => {});

describe("post_start hooks", () => {
  test("run one after the other with their user, directory and environment, and only then does the task count as running", async () => {
    const world = await new AgentWorld().start();
    const first = Promise.withResolvers<number>();
    const requests: ExecRequest[] = [];
    world.engine.onExec = (_, request) => {
      requests.push(request);
      return requests.length === 1 ? first.promise : Promise.resolve(0);
    };
    const seed: Hook = { argv: ["seed"], user: "app", workingDir: "/srv", privileged: true, env: { A: "1" } };
    await world.give(hooked({ postStart: [seed, hook("warm", "up")] }));
    expect(world.status(1)?.state).toBe("starting");
    expect(requests).toHaveLength(1);
    first.resolve(0);
    await world.clock.advance(5);
    expect(world.status(1)).toMatchObject({ state: "running", attempt: 1 });
    expect(requests).toMatchObject([{ ...seed, tty: false, stdin: false }, { argv: ["warm", "up"] }]);
  });

  test("that ran are not run again after the agent's restart; those that it was killed in are", async () => {
    const world = await new AgentWorld().start();
    let runs = 0;
    let end: Promise<number> = NEVER();
    world.engine.onExec = () => {
      runs++;
      return end;
    };
    await world.give(hooked({ postStart: [hook("seed")] }));
    await world.stop();
    end = Promise.resolve(0);
    await world.start();
    expect(runs).toBe(2);
    expect(world.status(1)?.state).toBe("running");
    await world.stop();
    await world.start();
    expect(runs).toBe(2);
    expect(world.made).toBe(1);
  });

  test("that fail end the attempt with what they said, and the next attempt runs them again", async () => {
    const world = await new AgentWorld().start();
    let runs = 0;
    world.engine.onExec = () => Promise.resolve(runs++ === 0 ? 3 : 0);
    await world.give(hooked({ postStart: [hook("seed", "db"), hook("never")] }));
    expect(world.status(1)).toMatchObject({
      state: "failed",
      attempt: 1,
      reason: expect.stringContaining("post_start hook seed db: exit code 3"),
    });
    await world.clock.advance(1_500);
    expect(world.status(1)).toMatchObject({ state: "running", attempt: 2 });
    expect(runs).toBe(3);
  });

  test("that cannot be started end the attempt with the engine's words", async () => {
    const world = await new AgentWorld().start();
    world.engine.onExec = () => Promise.reject(new EngineError("invalid", "exec: seed: not found"));
    await world.give(hooked({ postStart: [hook("seed")] }));
    expect(world.status(1)).toMatchObject({ state: "failed", reason: expect.stringContaining("seed: not found") });
  });

  test("that hang end the attempt after their time", async () => {
    const world = await new AgentWorld().start();
    world.engine.onExec = NEVER;
    await world.give(hooked({ postStart: [hook("sleep")] }));
    await world.clock.advance(POST_START_TIMEOUT_MS - 100);
    expect(world.status(1)?.state).toBe("starting");
    await world.clock.advance(200);
    expect(world.status(1)).toMatchObject({ state: "failed", reason: expect.stringContaining("no end within 60 s") });
  });

  test("that hang do not keep their task from being stopped", async () => {
    const world = await new AgentWorld().start();
    world.engine.onExec = NEVER;
    const work = hooked({ postStart: [hook("sleep")] });
    await world.give(work);
    await world.give({ ...work, desired: "shutdown" });
    expect(world.engine.running).toEqual([]);
    expect(world.status(1)?.state).toBe("shutdown");
  });

  test("in a container that ends under them leave the container's own end as the reason", async () => {
    const world = await new AgentWorld().start();
    const end = Promise.withResolvers<number>();
    world.engine.onExec = () => end.promise;
    await world.give(hooked({ postStart: [hook("seed")] }));
    world.engine.exit(world.engine.running[0]?.id ?? "", 2);
    end.resolve(137);
    await world.clock.advance(5);
    expect(world.status(1)).toMatchObject({ state: "failed", reason: "exit code 2" });
  });
});

describe("pre_stop hooks", () => {
  test("run before the signal, and the stop has what is left of the grace", async () => {
    const world = await new AgentWorld().start();
    world.engine.onExec = () => world.clock.sleep(3_000).then(() => 0);
    const graces: (number | undefined)[] = [];
    const stopContainer = world.engine.stopContainer.bind(world.engine);
    world.engine.stopContainer = (id, graceMs) => {
      graces.push(graceMs);
      return stopContainer(id, graceMs);
    };
    const work = hooked({ preStop: [hook("drain")], stopGraceMs: 10_000 });
    await world.give(work);
    await world.give({ ...work, desired: "shutdown" });
    expect(world.engine.running, "the hook runs").toHaveLength(1);
    await world.clock.advance(3_000);
    expect(world.status(1)?.state).toBe("shutdown");
    expect(graces[0]).toBeLessThanOrEqual(7_000);
    expect(graces[0]).toBeGreaterThan(6_900);
  });

  test("that fail or cannot be started do not hold the stop up", async () => {
    const world = await new AgentWorld().start();
    world.engine.onExec = (_, request) =>
      request.argv[0] === "a" ? Promise.resolve(1) : Promise.reject(new EngineError("invalid", "not found"));
    const work = hooked({ preStop: [hook("a"), hook("b")] });
    await world.give(work);
    await world.give({ ...work, desired: "shutdown" });
    expect(world.status(1)?.state).toBe("shutdown");
  });

  test("that hang leave the container a second of its grace for its own shutdown", async () => {
    const world = await new AgentWorld().start();
    world.engine.onExec = NEVER;
    const work = hooked({ preStop: [hook("drain"), hook("second")], stopGraceMs: 5_000 });
    await world.give(work);
    await world.give({ ...work, desired: "shutdown" });
    await world.clock.advance(3_900);
    expect(world.engine.running).toHaveLength(1);
    await world.clock.advance(200);
    expect(world.engine.running).toEqual([]);
    expect(world.engine.calls.filter((call) => call.startsWith("exec "))).toHaveLength(1);
  });

  test("do not run when the container ends by itself, and run when it is stopped for being unhealthy", async () => {
    const world = await new AgentWorld().start();
    let runs = 0;
    world.engine.onExec = () => {
      runs++;
      return Promise.resolve(0);
    };
    const work = hooked({ preStop: [hook("drain")] });
    await world.give(work);
    world.engine.exit(world.engine.running[0]?.id ?? "", 1);
    await world.clock.advance(1_500);
    expect([world.status(1)?.attempt, runs]).toEqual([2, 0]);
    world.probes.set(work.taskId, { ok: false, answer: "500" });
    const health = { ...work.health, probe: { kind: "tcp", port: 80 }, intervalMs: 1_000, retries: 1 } as const;
    await world.give({ ...work, health: { ...health, startPeriodMs: 0, startIntervalMs: 0 }, desired: "running" });
    await world.clock.advance(3_500);
    expect(runs).toBe(1);
  });
});
