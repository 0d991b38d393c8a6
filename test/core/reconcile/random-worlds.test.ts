// Random worlds: nodes come and go, images break, users change their minds. Whatever happens, every step keeps the invariants; and
// once nothing happens any more, everything converges, and planning again changes nothing.

import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { Service, Task } from "../../../src/core/model/records.ts";
import { versionKey } from "../../../src/core/model/world.ts";
import { isHealthy } from "../../../src/core/reconcile/health.ts";
import type { WorldModel } from "../../fakes/world-model.ts";
import { assertThat } from "./invariants.ts";
import { anyEvent, Story, type StoryEvent } from "./story.ts";

/** What is true once nothing happens any more. */
function assertConverged({ model }: Story): void {
  expect(model.plan()).toEqual([]);
  for (const task of model.state.task.values()) {
    const isReachable = task.nodeId !== undefined && model.presence.get(task.nodeId) === "ready";
    const runs = isReachable && model.state.taskStatus.get(task.id)?.state === "running";
    const isWanted = task.desired === "running" && task.withdrawal === undefined;
    assertThat(!runs || isWanted, () => `S7: ${task.id} runs and is not wanted`);
  }
  for (const one of model.state.service.values()) assertServiceConverged(model, one);
}

function assertServiceConverged(model: WorldModel, one: Service): void {
  const world = model.world();
  const state = model.state.rollout.get(one.id)?.state ?? "none";
  const live = model.live(one.id);
  const slots = [...Map.groupBy(live, (task) => task.onlyNode ?? task.slot).values()];
  const isWaiting = (task: Task): boolean => (task.waiting ?? "") !== "";
  const tell = (): string => `${one.name} (${state}): ${JSON.stringify(live)}\n${model.told.slice(-12).join("\n")}`;
  // a version that failed after the switch gets no further task, and what is only kept for a way back is not made anew: the user decides
  const isUndecided = state === "paused" && model.state.rollout.get(one.id)?.paused?.from === "switched";
  if (one.mode.kind === "replicated" && !isUndecided)
    assertThat(slots.length === one.mode.replicas, () => `L1, slots: ${tell()}`);
  for (const slot of slots) {
    const isSettled = slot.some((task) => isHealthy(world, task) || isWaiting(task));
    assertThat(isSettled, () => `L1, L6: neither healthy nor a reason: ${tell()}`);
  }
  const isHeld = state === "trial" && model.state.rollout.get(one.id)?.healthySinceMs !== undefined;
  const isOver = ["completed", "rolled_back", "paused", "rollback_paused"].includes(state) || isHeld;
  assertThat(isOver || live.some(isWaiting), () => `L2: for ever under way: ${tell()}`);
  if (state !== "completed" || live.some(isWaiting)) return;
  const hashOf = (version: number): string | undefined =>
    model.state.serviceVersion.get(versionKey(one.id, version))?.templateHash;
  assertThat(live.length === slots.length, () => `twins: ${tell()}`);
  assertThat(
    live.every((task) => hashOf(task.specVersion) === hashOf(one.version)),
    () => `outdated: ${tell()}`,
  );
}

const USUAL = {
  parallelism: 0,
  order: "start-first",
  failureAction: "pause",
  delayMs: 0,
  monitorMs: 0,
  progressDeadlineMs: 30_000,
  strategy: undefined,
} as const;
/** On trial is what ran two changes ago, and of that a task is gone that the change between had not reached: it is not made again without end. */
const BACK_ON_TRIAL: readonly StoryEvent[] = [
  { kind: "deploy", service: "api", image: 4, replicas: 1, shape: "plain", update: USUAL },
  { kind: "deploy", service: "api", image: 0, replicas: 1, shape: "plain", update: { ...USUAL, parallelism: 1 } },
  { kind: "force", service: "api" },
  { kind: "exhaust", pick: 7 },
  {
    kind: "deploy",
    service: "api",
    image: 4,
    replicas: 1,
    shape: "plain",
    update: { ...USUAL, strategy: { kind: "canary", canaries: { percent: 50 }, weight: 100, holdMs: 10_000 } },
  },
  { kind: "wait", steps: 1, ms: 200 },
];

/** A node loses the label that the version on trial asks for, before anything of it is there: the switch does not wait for that node. */
const UNLABELLED_ON_TRIAL: readonly StoryEvent[] = [
  { kind: "deploy", service: "api", image: 0, replicas: 1, shape: "plain", update: USUAL },
  { kind: "restart" },
  {
    kind: "deploy",
    service: "api",
    image: 0,
    replicas: 1,
    shape: "onSsd",
    update: { ...USUAL, strategy: { kind: "blue-green", holdMs: 0, keepMs: 20_000 } },
  },
  { kind: "label", node: "n4" },
  { kind: "wait", steps: 1, ms: 200 },
  { kind: "label", node: "n1" },
];

/** All that is on trial is on one node, and that is lost: the trial waits for it, and is not over for want of anything to try. */
const LOST_ON_TRIAL: readonly StoryEvent[] = [
  { kind: "restart" },
  { kind: "deploy", service: "api", image: 0, replicas: 1, shape: "onSsd", update: USUAL },
  { kind: "return", node: "n4" },
  {
    kind: "deploy",
    service: "api",
    image: 0,
    replicas: 1,
    shape: "plain",
    update: { ...USUAL, strategy: { kind: "canary", canaries: { tasks: 1 }, weight: 10 } },
  },
  { kind: "lose", node: "n4" },
  { kind: "valve" },
  { kind: "wait", steps: 1, ms: 200 },
];

const RUNS = Number(process.env["PLANNER_RUNS"] ?? 200);

describe("random worlds", () => {
  test("every step keeps the invariants, and all converges once faults stop", () => {
    fc.assert(
      fc.property(fc.array(anyEvent, { minLength: 5, maxLength: 40, size: "max" }), (events) => {
        const story = new Story();
        for (const one of events) story.tell(one);
        story.heal();
        assertConverged(story);
      }),
      { numRuns: RUNS, examples: [[BACK_ON_TRIAL], [UNLABELLED_ON_TRIAL], [LOST_ON_TRIAL]] },
    );
  }, 120_000);
});
