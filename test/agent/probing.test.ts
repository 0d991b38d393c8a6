// When a container is probed and what the answers add up to, on a clock that is moved by hand.

import { expect, test } from "vitest";
import type { HealthSpec } from "../../src/core/model/service-spec.ts";
import { Prober } from "../../workers/agent/health/prober.ts";
import type { ProbeTarget } from "../../workers/agent/plan/types.ts";
import { FakeClock, settle } from "../fakes/fake-clock.ts";
import { taskId } from "./agent-world.ts";

const HEALTH: HealthSpec = {
  probe: { kind: "tcp", port: 80 },
  intervalMs: 10_000,
  timeoutMs: 1_000,
  retries: 3,
  startPeriodMs: 0,
  startIntervalMs: 2_000,
};

type Watched = {
  readonly clock: FakeClock;
  readonly prober: Prober;
  readonly at: number[];
  verdicts: number;
  isUp: boolean;
};

/** A prober on one container; `at` collects when it was probed, in milliseconds after its start. */
function watch(health: Partial<HealthSpec> = {}, isUp = false): Watched {
  const clock = new FakeClock();
  const startMs = clock.bootMs();
  const target: ProbeTarget = {
    containerId: "c1",
    taskId: taskId(1),
    address: "10.210.1.10",
    health: { ...HEALTH, ...health },
  };
  const runner = {
    probe: async () => {
      watched.at.push(clock.bootMs() - startMs);
      return { ok: watched.isUp, answer: watched.isUp ? "" : "connection refused" };
    },
  };
  const prober = new Prober(runner, clock, () => void watched.verdicts++);
  const watched: Watched = { clock, prober, at: [], verdicts: 0, isUp };
  prober.sync([target]);
  return watched;
}

test("a container that is up at once is known to be after 10 ms, and then probed at its interval", async () => {
  const watched = watch({}, true);
  await watched.clock.advance(10);
  expect(watched.prober.verdicts.get("c1")).toEqual({ healthy: true, answer: "" });
  await watched.clock.advance(30_000);
  expect(watched.at).toEqual([10, 10_010, 20_010, 30_010]);
  expect(watched.verdicts, "only a change wakes the agent").toBe(1);
});

test("until the first success it is looked at soon, and then so often that it is found at most a quarter late", async () => {
  const watched = watch({ retries: 100 });
  await watched.clock.advance(8_000);
  const early = watched.at.filter((at) => at < 4_000);
  expect(early.slice(0, 5)).toEqual([10, 20, 30, 40, 50]);
  for (const [index, at] of early.entries()) {
    const before = early[index - 1] ?? 0;
    expect(at - before).toBeLessThanOrEqual(Math.max(10, before / 4 + 1));
  }
  const [first = 0, ...late] = watched.at.filter((at) => at >= 4_000);
  expect(late.map((at) => at - first)).toEqual([2_000]);
});

test("a command, which costs a process in the container, is run at doubling distances", async () => {
  const watched = watch({ retries: 100, probe: { kind: "command", argv: ["true"] } });
  await watched.clock.advance(8_000);
  expect(watched.at.map((at, index) => at - (watched.at[index - 1] ?? 0))).toEqual([
    50, 50, 100, 200, 400, 800, 1_600, 2_000, 2_000,
  ]);
});

test("early failures do not count: it takes as many regular ones as `retries` says", async () => {
  const watched = watch();
  await watched.clock.advance(5_149);
  expect(watched.prober.verdicts.get("c1")).toBeUndefined();
  await watched.clock.advance(4_100);
  expect(watched.prober.verdicts.get("c1")).toEqual({ healthy: false, answer: "connection refused" });
});

test("failures within the start period do not count, a success in it does", async () => {
  const watched = watch({ startPeriodMs: 60_000 });
  await watched.clock.advance(59_000);
  expect(watched.prober.verdicts.size).toBe(0);
  watched.isUp = true;
  await watched.clock.advance(2_000);
  expect(watched.prober.verdicts.get("c1")?.healthy).toBe(true);
});

test("after a success failures count even within the start period, and one success forgets them", async () => {
  const watched = watch({ startPeriodMs: 600_000 }, true);
  await watched.clock.advance(100);
  watched.isUp = false;
  await watched.clock.advance(20_000);
  expect(watched.prober.verdicts.get("c1")?.healthy, "two of three").toBe(true);
  watched.isUp = true;
  await watched.clock.advance(10_000);
  watched.isUp = false;
  await watched.clock.advance(20_000);
  expect(watched.prober.verdicts.get("c1")?.healthy).toBe(true);
  await watched.clock.advance(10_000);
  expect(watched.prober.verdicts.get("c1")?.healthy).toBe(false);
});

test("a container that is watched no longer is probed no longer, and has no verdict", async () => {
  const watched = watch({}, true);
  await watched.clock.advance(100);
  watched.prober.sync([]);
  await watched.clock.advance(60_000);
  expect(watched.at).toEqual([10]);
  expect(watched.prober.verdicts.size).toBe(0);
});

test("an answer that comes after the container was taken from the watch changes nothing", async () => {
  const clock = new FakeClock();
  const { promise, resolve } = Promise.withResolvers<{ ok: boolean; answer: string }>();
  const prober = new Prober({ probe: () => promise }, clock, () => {});
  prober.sync([{ containerId: "c1", taskId: taskId(1), address: "10.210.1.10", health: HEALTH }]);
  await clock.advance(60);
  prober.sync([]);
  resolve({ ok: true, answer: "" });
  await settle();
  expect(prober.verdicts.size).toBe(0);
});
