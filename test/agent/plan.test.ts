// The agent's planner as a function: whatever is remembered and found, planning comes to rest, states only grow within an attempt, and
// nobody else's containers are touched. And the same of the whole agent under a storm of faults.

import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { stateRank } from "../../src/core/work/merge-status.ts";
import type { TaskId } from "../../src/core/model/ids.ts";
import type { DesiredState, TaskStatus } from "../../src/core/model/records.ts";
import { planAgent } from "../../workers/agent/plan/plan-agent.ts";
import { firstRun } from "../../workers/agent/plan/transitions.ts";
import { describeOperation, type PlanInput, type SeenContainer, type TaskRun } from "../../workers/agent/plan/types.ts";
import { AgentWorld, CLUSTER_ID, IMAGE, NODE, NODE_ID, taskId, workOf } from "./agent-world.ts";

const NOW_MS = 1_800_000_000_000;
const NUMBERS = [1, 2, 3] as const;
const DESIRED: readonly DesiredState[] = ["running", "shutdown", "remove"];

type Pick = { readonly number: number };
const anyContainer: fc.Arbitrary<SeenContainer> = fc
  .record({
    number: fc.constantFrom(...NUMBERS, 9),
    attempt: fc.integer({ min: 1, max: 4 }),
    owner: fc.constantFrom("ours", "other", "none"),
    state: fc.constantFrom("created", "running", "exited", "dead", "removing", "paused"),
    exitCode: fc.constantFrom(0, 1, 137, 143, 255),
    isExamined: fc.boolean(),
    endedUnseen: fc.boolean(),
    key: fc.uuid(),
  })
  .map(({ number, attempt, owner, state, exitCode, isExamined, endedUnseen, key }) => ({
    id: `${owner}-${key}`,
    name: key,
    imageId: "",
    state: state as SeenContainer["state"],
    labels:
      owner === "none"
        ? {}
        : {
            "davit.cluster": owner === "ours" ? CLUSTER_ID : "o".repeat(25),
            "davit.task": taskId(number),
            "davit.attempt": String(attempt),
          },
    ...(state === "exited" || state === "dead" ? { exitCode } : {}),
    ...(isExamined ? { examined: { lastOutput: "bye" } } : {}),
    ...(endedUnseen ? { endedUnseen: true } : {}),
  }));

const anyRun: fc.Arbitrary<TaskRun> = fc
  .record({
    number: fc.constantFrom(...NUMBERS, 8),
    attempt: fc.integer({ min: 1, max: 4 }),
    state: fc.constantFrom("accepted", "preparing", "ready", "starting", "running", "failed", "rejected", "complete"),
    exhausted: fc.boolean(),
    hasContainer: fc.boolean(),
    bootId: fc.constantFrom("boot-1", "boot-0"),
    retryInMs: fc.constantFrom(-5_000, 0, 5_000),
  })
  .map(({ number, attempt, state, exhausted, hasContainer, bootId, retryInMs }) => {
    const run = firstRun(taskId(number), bootId, NOW_MS - 10_000);
    const status = { ...run.status, attempt, state: state as TaskStatus["state"] };
    const isEnded = ["failed", "rejected", "complete"].includes(state);
    return {
      ...run,
      status: {
        ...status,
        exhausted: isEnded && exhausted,
        ...(hasContainer ? { containerId: `ours-${number}` } : {}),
      },
      ...(isEnded && !exhausted ? { retryAtMs: NOW_MS + retryInMs } : {}),
    };
  });

const anyInput: fc.Arbitrary<PlanInput> = fc
  .record({
    desired: fc.array(fc.constantFrom(...DESIRED, "absent"), { minLength: 3, maxLength: 3 }),
    containers: fc.uniqueArray(anyContainer, {
      maxLength: 6,
      selector: (each) => `${each.labels["davit.task"]}/${each.labels["davit.attempt"]}/${each.id.slice(0, 5)}`,
    }),
    runs: fc.uniqueArray(anyRun, { maxLength: 4, selector: (run) => run.status.id }),
    known: fc.uniqueArray(anyRun, { maxLength: 4, selector: (run) => run.status.id }),
    hasImage: fc.boolean(),
    condition: fc.constantFrom("any", "on-failure", "none"),
  })
  .map(({ desired, containers, runs, known, hasImage, condition }) => ({
    clusterId: CLUSTER_ID,
    nodeId: NODE_ID,
    node: NODE,
    tasks: new Map(
      NUMBERS.flatMap((number, index) => {
        const wanted = desired[index];
        if (wanted === undefined || wanted === "absent") return [];
        const restart = { condition, delayMs: 1_000, maxAttempts: 0, windowMs: 0 } as const;
        return [[taskId(number), workOf(number, { desired: wanted, restart })] as const];
      }),
    ),
    runs: new Map(runs.map((run) => [run.status.id, run])),
    knownOf: (id: TaskId) => known.find(({ status }) => status.id === id)?.status,
    containers,
    images: new Map(hasImage ? [[IMAGE, { kind: "present", hasHealthCheck: false } as const]] : []),
    volumes: new Map(),
    bridge: { kind: "present", subnet: NODE.subnet, containers: 0, atMs: NOW_MS } as const,
    drains: false,
    connections: new Map(),
    network: { isInForceFor: () => true, reason: "" },
    heldConfigs: new Set<string>(),
    configs: new Map(),
    isConnected: true,
    verdicts: new Map(),
    busy: new Set<string>(),
    stopping: new Set<string>(),
    leaseLeftMs: () => 0,
    portOwner: () => undefined,
    bootId: "boot-1",
    nowMs: NOW_MS,
  }));

/** The input after a plan's runs were taken over, with nothing done yet. */
function taken(input: PlanInput, plan: ReturnType<typeof planAgent>): PlanInput {
  const runs = new Map(input.runs);
  for (const run of plan.runs) runs.set(run.status.id, run);
  for (const id of plan.forget) runs.delete(id);
  return { ...input, runs };
}

function expectForward(before: TaskStatus | undefined, after: TaskStatus): void {
  if (before === undefined) return;
  expect(after.attempt).toBeGreaterThanOrEqual(before.attempt);
  if (after.attempt === before.attempt)
    expect(stateRank(after.state), `${before.state} → ${after.state}`).toBeGreaterThanOrEqual(stateRank(before.state));
}

describe("a plan", () => {
  test("comes to rest: taking over what it says a few times leaves nothing to change, and the same operations", () => {
    fc.assert(
      fc.property(anyInput, (first) => {
        let input = first;
        for (let pass = 0; pass < 8; pass++) {
          const plan = planAgent(input);
          if (plan.runs.length === 0 && plan.forget.length === 0) {
            expect(planAgent(input)).toEqual(plan);
            return;
          }
          for (const run of plan.runs) expectForward(input.runs.get(run.status.id)?.status, run.status);
          input = taken(input, plan);
        }
        expect.fail("it still changes runs after eight passes");
      }),
      { numRuns: 2_000 },
    );
  });

  test("acts on containers of this cluster's tasks only, one operation a subject, and never on what is busy", () => {
    fc.assert(
      fc.property(anyInput, fc.subarray([...NUMBERS]), (input, busyNumbers) => {
        const busy = new Set(busyNumbers.map((number) => `task/${taskId(number)}`));
        const { operations } = planAgent({ ...input, busy });
        for (const operation of operations) {
          if ("containerId" in operation) expect(operation.containerId).toMatch(/^ours-/);
          expect(busy.has(operation.subject), describeOperation(operation)).toBe(false);
        }
        expect(new Set(operations.map((operation) => operation.subject)).size).toBe(operations.length);
      }),
      { numRuns: 1_000 },
    );
  });

  test("never makes a container beside one that is up for the same task, nor for a task that is to end", () => {
    fc.assert(
      fc.property(anyInput, (input) => {
        for (const operation of planAgent(input).operations) {
          if (operation.kind !== "create" && operation.kind !== "start") continue;
          expect(input.tasks.get(operation.taskId)?.desired).toBe("running");
          const up = input.containers.filter(
            (container) =>
              container.state === "running" &&
              container.labels["davit.task"] === operation.taskId &&
              container.labels["davit.cluster"] === CLUSTER_ID,
          );
          expect(up).toEqual([]);
        }
      }),
      { numRuns: 1_000 },
    );
  });

  test("without work nothing is done and nothing forgotten, whatever is found", () => {
    fc.assert(
      fc.property(anyInput, (input) => {
        expect(planAgent({ ...input, node: undefined })).toMatchObject({ operations: [], runs: [], forget: [] });
      }),
    );
  });
});

type Fault =
  | ({ readonly kind: "exit"; readonly code: number } & Pick)
  | ({ readonly kind: "vanish" } & Pick)
  | ({ readonly kind: "desire"; readonly desired: DesiredState } & Pick)
  | { readonly kind: "restart" | "reboot" | "engine" | "loseImage" | "stepWall" }
  | { readonly kind: "wait"; readonly forMs: number };

const anyNumber = fc.constantFrom(...NUMBERS);
const anyFault: fc.Arbitrary<Fault> = fc.oneof(
  fc.record({ kind: fc.constant("exit" as const), number: anyNumber, code: fc.constantFrom(0, 1, 137) }),
  fc.record({ kind: fc.constant("vanish" as const), number: anyNumber }),
  fc.record({ kind: fc.constant("desire" as const), number: anyNumber, desired: fc.constantFrom(...DESIRED) }),
  fc.record({ kind: fc.constantFrom("restart", "reboot", "engine", "loseImage", "stepWall") }),
  fc.record({ kind: fc.constant("wait" as const), forMs: fc.constantFrom(0, 100, 2_000, 70_000) }),
);

class Storm {
  readonly world = new AgentWorld();
  readonly #desired = new Map<number, DesiredState>(NUMBERS.map((number) => [number, "running"]));
  readonly #last = new Map<TaskId, TaskStatus>();

  async begin(): Promise<void> {
    this.world.engine.registryImages.add(IMAGE);
    await this.world.start();
    await this.#giveAll();
  }

  desired(number: number): DesiredState {
    return this.#desired.get(number) ?? "running";
  }

  async strike(fault: Fault): Promise<void> {
    const { world } = this;
    switch (fault.kind) {
      case "exit":
      case "vanish": {
        const up = world.engine.running.find((each) => each.labels["davit.task"] === taskId(fault.number));
        if (up === undefined) return;
        if (fault.kind === "vanish") world.engine.vanish(up.id);
        else world.engine.exit(up.id, fault.code);
        break;
      }
      case "desire":
        // as the coordinator does it: an ending is never taken back
        if (DESIRED.indexOf(fault.desired) < DESIRED.indexOf(this.desired(fault.number))) return;
        this.#desired.set(fault.number, fault.desired);
        await this.#giveAll();
        break;
      case "restart":
        await world.stop();
        await world.start();
        break;
      case "reboot":
        await world.reboot();
        break;
      case "engine":
        world.engine.hangUp();
        break;
      case "loseImage":
        world.engine.localImages.clear();
        break;
      case "stepWall":
        world.clock.stepWall(-3_600_000);
        break;
      case "wait":
        await world.clock.advance(fault.forMs);
    }
    await world.clock.advance(10);
    this.check();
  }

  check(): void {
    const { world } = this;
    for (const number of NUMBERS) {
      const id = taskId(number);
      expect(world.engine.running.filter((each) => each.labels["davit.task"] === id).length).toBeLessThanOrEqual(1);
      const status = world.core.runs.all.get(id)?.status;
      if (status === undefined) continue;
      expectForward(this.#last.get(id), status);
      this.#last.set(id, status);
    }
  }

  #giveAll(): Promise<void> {
    return this.world.give(...NUMBERS.map((number) => workOf(number, { desired: this.desired(number) })));
  }
}

describe("the agent in a storm", () => {
  test("whatever comes, a task has one container at most, its states only grow, and at the end all is as the work says", async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(anyFault, { maxLength: 25 }), async (faults) => {
        const storm = new Storm();
        await storm.begin();
        for (const fault of faults) await storm.strike(fault);
        const { world } = storm;
        await world.clock.advance(200_000);
        storm.check();
        for (const number of NUMBERS) {
          const status = world.status(number);
          const up = world.engine.running.filter((each) => each.labels["davit.task"] === taskId(number)).length;
          if (storm.desired(number) === "running") expect([status?.state, up]).toEqual(["running", 1]);
          else expect(up).toBe(0);
          if (storm.desired(number) === "shutdown") expect(["shutdown", "failed", "complete"]).toContain(status?.state);
          if (storm.desired(number) === "remove") expect(status).toBeUndefined();
        }
        const { calls } = world.engine;
        const before = calls.length;
        await world.clock.advance(200_000);
        expect(calls.slice(before).filter((call) => !call.startsWith("listContainers"))).toEqual([]);
        await world.stop();
      }),
      { numRuns: 150 },
    );
  }, 60_000);
});
