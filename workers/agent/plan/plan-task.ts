// One task: where its attempt stands, what changes by looking, and the one next thing to do for it. Rules in order; the first that
// applies decides. An operation under way for the task means: nothing until it ends. Pure.

import type { TaskId } from "../../../src/core/model/ids.ts";
import type { TaskStatus } from "../../../src/core/model/records.ts";
import type { ContainerSpec } from "../../../src/core/model/service-spec.ts";
import type { TaskWork } from "../../../src/core/model/work.ts";
import { containerRequest } from "./container-request.ts";
import { found } from "./found-run.ts";
import { planDrain } from "./plan-drain.ts";
import { heldByLease, leasedAgain, leaseEndMs, leaseOver, stopsByLease } from "./plan-lease.ts";
import { planPrepare } from "./plan-prepare.ts";
import { exitReason } from "./reasons.ts";
import { planResize } from "./resize.ts";
import { examine, postStart, remove, start, stop } from "./task-operations.ts";
import { advance, condemn, endAttempt, isEnded, nextAttempt } from "./transitions.ts";
import {
  attemptOf,
  isUp,
  type Operation,
  type PlanInput,
  type ProbeTarget,
  type SeenContainer,
  type TaskRun,
  taskSubject,
} from "./types.ts";

export type TaskPlan = {
  readonly run?: TaskRun;
  readonly operations: readonly Operation[];
  readonly probe?: ProbeTarget;
  readonly wakeAtMs?: number;
  readonly settled: boolean;
  readonly forget?: true;
};

const SETTLED: TaskPlan = { operations: [], settled: true };
/** Exit codes of what the engine or the host stops: also 0, when a container handles SIGTERM. 255: the engine did not see the end. */
const STOPPED_FROM_OUTSIDE: ReadonlySet<number> = new Set([0, 137, 143, 255]);

/** A task that the node is to run, to stop, or to take away. `containers`: all of this task, any attempt. */
export function planTask(
  input: PlanInput,
  work: TaskWork,
  run: TaskRun | undefined,
  containers: readonly SeenContainer[],
): TaskPlan {
  const operations = stopsByLease(input, work, containers);
  if (operations.length > 0) {
    const before = run ?? found(input, work.taskId, containers);
    return { run: before.unleased === true ? before : { ...before, unleased: true }, operations, settled: false };
  }
  const plan = planDesired(input, work, leasedAgain(input, work, run, containers), containers);
  const wakeAtMs = Math.min(plan.wakeAtMs ?? Infinity, leaseEndMs(input, work) ?? Infinity);
  return wakeAtMs === Infinity ? plan : { ...plan, wakeAtMs };
}

function planDesired(
  input: PlanInput,
  work: TaskWork,
  run: TaskRun | undefined,
  containers: readonly SeenContainer[],
): TaskPlan {
  if (input.busy.has(taskSubject(work.taskId))) return { operations: [], settled: false };
  switch (work.desired) {
    case "remove":
      return planRemoval(input, work.taskId, run, containers, work.container);
    case "shutdown":
      return planShutdown(input, work, run ?? found(input, work.taskId, containers), containers);
    case "running":
      return planRunning(input, work, run ?? found(input, work.taskId, containers), containers);
  }
}

/** A task without work, or with work that says remove: stop what runs, remove all, forget. */
export function planRemoval(
  input: PlanInput,
  taskId: TaskId,
  run: TaskRun | undefined,
  containers: readonly SeenContainer[],
  spec?: ContainerSpec,
): TaskPlan {
  if (input.busy.has(taskSubject(taskId))) return { operations: [], settled: false };
  const operation = nextRemoval(taskId, containers, "it is no longer in the node's work", spec);
  if (operation !== undefined) return { operations: [operation], settled: false };
  return run === undefined ? SETTLED : { operations: [], settled: true, forget: true };
}

function nextRemoval(
  taskId: TaskId,
  containers: readonly SeenContainer[],
  reason: string,
  spec: ContainerSpec | undefined,
): Operation | undefined {
  const running = containers.find(isUp);
  if (running !== undefined) return stop(taskId, running, reason, spec);
  const [first] = containers;
  return first === undefined ? undefined : remove(taskId, first, reason);
}

function planShutdown(input: PlanInput, work: TaskWork, run: TaskRun, containers: readonly SeenContainer[]): TaskPlan {
  const { taskId } = work;
  const running = containers.find(isUp);
  if (running !== undefined) {
    const drain = planDrain(input, work, run, running);
    if (drain.kind === "draining") return { ...drain, settled: false };
    return {
      run,
      operations: [stop(taskId, running, "the task is to shut down", work.container)],
      settled: false,
    };
  }
  const unstarted = containers.find((container) => container.state === "created");
  if (unstarted !== undefined)
    return { run, operations: [remove(taskId, unstarted, "it was never started")], settled: false };
  const current = currentOf(run, containers);
  // it will make no further attempt: whoever waits for its end (a volume's next writer) may go on
  if (isEnded(run.status.state))
    return {
      run: run.status.exhausted ? run : { ...run, status: { ...run.status, exhausted: true } },
      operations: [],
      settled: true,
    };
  if (current !== undefined && current.examined === undefined)
    return { run, operations: [examine(taskId, current)], settled: false };
  const { healthy: _, ...status } = run.status;
  const changes = current?.exitCode === undefined ? { reason: "" } : { reason: "", exitCode: current.exitCode };
  return { run: advance({ ...run, status }, "shutdown", input.nowMs, changes), operations: [], settled: true };
}

function planRunning(
  input: PlanInput,
  work: TaskWork,
  before: TaskRun,
  containers: readonly SeenContainer[],
): TaskPlan {
  const { taskId } = work;
  let run = before;
  if (isEnded(run.status.state)) {
    if (!isRetryDue(run, input.nowMs)) {
      const tidy = oldContainers(run, containers, 1)[0];
      return {
        run,
        operations: tidy === undefined ? [] : [remove(taskId, tidy, "only the last ended attempt is kept")],
        settled: true,
        ...(run.retryAtMs === undefined ? {} : { wakeAtMs: run.retryAtMs }),
      };
    }
    run = nextAttempt(run, input.bootId, input.nowMs);
  }
  const stray = containers.find((container) => attemptOf(container) !== run.status.attempt && isUp(container));
  if (stray !== undefined)
    return {
      run,
      operations: [stop(taskId, stray, "a later attempt takes its place", work.container)],
      settled: false,
    };
  const plan = planAttempt(input, work, run, currentOf(run, containers));
  if (plan.operations.length > 0) return plan;
  const [old] = oldContainers(plan.run ?? run, containers, 1);
  return old === undefined
    ? plan
    : { ...plan, operations: [remove(taskId, old, "only the last ended attempt is kept")] };
}

/** A wall clock that was set back to before the attempt's end must not hold the next one up. */
function isRetryDue(run: TaskRun, nowMs: number): boolean {
  if (run.status.exhausted || run.retryAtMs === undefined) return false;
  return nowMs >= run.retryAtMs || nowMs < run.status.stateAtMs;
}

function planAttempt(input: PlanInput, work: TaskWork, run: TaskRun, container: SeenContainer | undefined): TaskPlan {
  const { taskId } = work;
  if (container === undefined) {
    if (run.status.containerId === undefined) return planCreate(input, work, run);
    const end = { state: "failed", reason: "its container was removed by somebody else", interrupted: false } as const;
    return { run: endAttempt(run, work, end, input.nowMs), operations: [], settled: false, wakeAtMs: input.nowMs };
  }
  switch (container.state) {
    case "created": {
      const reason = heldByLease(input, work);
      if (reason !== undefined)
        return { run: advance(run, "ready", input.nowMs, { reason }), operations: [], settled: true };
      const starting = advance(run, "starting", input.nowMs, { containerId: container.id });
      return {
        run: starting,
        operations: [start(taskId, container, run.status.state === "starting")],
        settled: false,
      };
    }
    case "running":
    case "paused":
    case "restarting":
      return planRunningContainer(input, work, run, container);
    case "removing":
      return { run, operations: [], settled: false };
    case "exited":
    case "dead":
      if (container.examined === undefined) return { run, operations: [examine(taskId, container)], settled: false };
      return {
        run: endOf(input, work, run, container, container.examined.lastOutput),
        operations: [],
        settled: false,
        wakeAtMs: input.nowMs,
      };
  }
}

function planCreate(input: PlanInput, work: TaskWork, run: TaskRun): TaskPlan {
  // what is looked up for an attempt is compared with its time: a wall clock that was set back must not have everything looked up for ever
  const made = run.attemptAtMs > input.nowMs ? { ...run, attemptAtMs: input.nowMs } : run;
  const preparing = advance(made, "preparing", input.nowMs);
  const preparation = planPrepare(input, work, preparing);
  switch (preparation.kind) {
    case "refused": {
      const end = { state: "rejected", reason: preparation.reason, interrupted: false } as const;
      return {
        run: endAttempt(preparing, work, end, input.nowMs),
        operations: [],
        settled: false,
        wakeAtMs: input.nowMs,
      };
    }
    case "waiting":
      return {
        run: advance(preparing, "preparing", input.nowMs, { reason: preparation.reason }),
        operations: [],
        settled: false,
        wakeAtMs: preparation.wakeAtMs,
      };
    case "working":
      return {
        run: preparing,
        operations: preparation.operations.filter((operation) => !input.busy.has(operation.subject)),
        settled: false,
      };
    case "ready": {
      const { taskId } = work;
      const request = containerRequest(input, work, run.status.attempt);
      return {
        run: preparing,
        operations: [{ kind: "create", pool: "start", subject: taskSubject(taskId), taskId, request }],
        settled: false,
      };
    }
  }
}

function planRunningContainer(input: PlanInput, work: TaskWork, before: TaskRun, container: SeenContainer): TaskPlan {
  const started: Partial<TaskStatus> = {
    containerId: container.id,
    startedAtMs: container.startedAtMs ?? before.status.startedAtMs ?? input.nowMs,
  };
  const isNew = before.status.state !== "running";
  if (before.condemned !== undefined) {
    return {
      run: before,
      operations: [stop(work.taskId, container, before.condemned, work.container)],
      settled: false,
    };
  }
  if (isNew && before.postStarted !== true && (work.container.postStart ?? []).length > 0) {
    return {
      run: advance(before, "starting", input.nowMs, started),
      operations:
        container.state === "running" ? [postStart(work.taskId, container, before.status.attempt, work.container)] : [],
      settled: false,
    };
  }
  const resize = planResize(
    work,
    advance(before, "running", input.nowMs, isNew ? { ...started, reason: "" } : started),
    container,
    input.nowMs,
  );
  if (resize.operation !== undefined)
    return { run: resize.run, operations: [resize.operation], settled: false, ...probeOf(work, container) };
  const { run } = resize;
  const verdict = verdictOf(input, work, run, container);
  if (verdict.kind === "bad") {
    const condemned = condemn(
      run,
      `unhealthy: ${verdict.answer === "" ? "its probe failed" : verdict.answer}`,
      verdict.answer,
    );
    return {
      run: condemned,
      operations: [stop(work.taskId, container, "unhealthy", work.container)],
      settled: false,
    };
  }
  const watched = { operations: [], settled: true, ...probeOf(work, container) };
  if (verdict.kind === "good")
    return { ...watched, run: advance(run, "running", input.nowMs, { healthy: true, reason: reasonLeft(work, run) }) };
  return { ...watched, run, ...(verdict.wakeAtMs === undefined ? {} : { wakeAtMs: verdict.wakeAtMs }) };
}

/** All is well, unless the engine would not give it the limits that it is to have. */
function reasonLeft(work: TaskWork, { status }: TaskRun): string {
  return status.unresizedTo === work.specVersion ? status.reason : "";
}

/** What the agent itself has to look at, if anything. */
function probeOf(work: TaskWork, container: SeenContainer): { readonly probe?: ProbeTarget } {
  if (!isOwnProbe(work)) return {};
  return {
    probe: {
      containerId: container.id,
      taskId: work.taskId,
      // in the host's own network a task has no address of its own
      address: work.container.networkMode === "host" ? "127.0.0.1" : work.address,
      health: work.health,
    },
  };
}

type Health =
  | { readonly kind: "good" }
  | { readonly kind: "bad"; readonly answer: string }
  | { readonly kind: "open"; readonly wakeAtMs?: number };

/** Without any check a task counts as healthy once it has run for its settle time. */
function verdictOf(input: PlanInput, work: TaskWork, run: TaskRun, container: SeenContainer): Health {
  if (isOwnProbe(work)) {
    const verdict = input.verdicts.get(container.id);
    if (verdict === undefined) return { kind: "open" };
    return verdict.healthy ? { kind: "good" } : { kind: "bad", answer: verdict.answer };
  }
  const engine = work.health.probe.kind === "image" ? container.engineHealth : undefined;
  if (engine !== undefined) {
    if (engine.status === "starting") return { kind: "open" };
    return engine.status === "healthy" ? { kind: "good" } : { kind: "bad", answer: engine.answer };
  }
  const settledAtMs = (run.status.startedAtMs ?? input.nowMs) + work.settleMs;
  // a wall clock that was set back must not keep a task unsettled for long
  if (input.nowMs >= settledAtMs || settledAtMs > input.nowMs + work.settleMs) return { kind: "good" };
  return { kind: "open", wakeAtMs: settledAtMs };
}

function isOwnProbe(work: TaskWork): boolean {
  const { kind } = work.health.probe;
  return kind !== "image" && kind !== "none";
}

function endOf(input: PlanInput, work: TaskWork, run: TaskRun, container: SeenContainer, lastOutput: string): TaskRun {
  const exitCode = container.exitCode ?? 0;
  const changes: Partial<TaskStatus> = {
    containerId: container.id,
    exitCode,
    ...(lastOutput === "" ? {} : { lastOutput }),
  };
  const stoppedFor = run.condemned ?? (run.unleased === undefined ? undefined : leaseOver(work.leaseMs ?? 0));
  if (stoppedFor !== undefined) {
    const interrupted = run.condemned === undefined;
    return endAttempt(run, work, { state: "failed", reason: stoppedFor, interrupted, changes }, input.nowMs);
  }
  const rebooted = run.bootId !== input.bootId;
  const fromOutside = STOPPED_FROM_OUTSIDE.has(exitCode) && container.oomKilled !== true;
  if (exitCode === 0 && (work.isJob || !(rebooted || container.endedUnseen === true))) {
    return endAttempt(
      run,
      work,
      {
        state: "complete",
        reason: work.isJob ? "" : "it ended by itself with exit code 0",
        interrupted: false,
        changes: { containerId: container.id, exitCode },
      },
      input.nowMs,
    );
  }
  if (fromOutside && (rebooted || container.endedUnseen === true)) {
    const reason = rebooted ? "the host rebooted" : "it was stopped while the container engine or the agent was down";
    return endAttempt(run, work, { state: "failed", reason, interrupted: true, changes }, input.nowMs);
  }
  return endAttempt(
    run,
    work,
    { state: "failed", reason: exitReason(container, work), interrupted: false, changes },
    input.nowMs,
  );
}

function currentOf(run: TaskRun, containers: readonly SeenContainer[]): SeenContainer | undefined {
  return containers.find((container) => attemptOf(container) === run.status.attempt);
}

/** Ended containers of earlier attempts beyond the `keep` newest; their logs go with them. */
function oldContainers(run: TaskRun, containers: readonly SeenContainer[], keep: number): readonly SeenContainer[] {
  const old = containers.filter(
    (container) => attemptOf(container) !== run.status.attempt && !isUp(container) && container.state !== "removing",
  );
  return old.toSorted((a, b) => attemptOf(b) - attemptOf(a)).slice(keep);
}
