// One run under way: which of its tasks are made next, when it is done, when it has failed. A task whose attempts are used up fails the
// run; one on a lost node is made again elsewhere. Pure.

import type { NodeId } from "../model/ids.ts";
import type { JobRun, RunState } from "../model/job.ts";
import type { ServiceVersion, Task } from "../model/records.ts";
import { isOnDeadNode, isOnLostNode } from "../reconcile/health.ts";
import { planHistory } from "../reconcile/history.ts";
import { drainUntilMs, isDrainOver } from "../reconcile/moves.ts";
import type { Planning } from "../reconcile/planning.ts";
import type { JobContext } from "./job-context.ts";

type SlotState =
  | { readonly kind: "done" }
  | { readonly kind: "failed"; readonly task: Task }
  /** Runs, waits for a node, or stops to be made again. */
  | { readonly kind: "active" }
  | { readonly kind: "open"; readonly replaces?: Task };

type RunSlot = { readonly slot: number; readonly onlyNode?: NodeId; readonly state: SlotState };

/** The next steps of a run. */
export function planRun(context: JobContext, run: JobRun): void {
  const { planning, service, spec } = context;
  const version = planning.version(service.id, run.specVersion);
  if (version === undefined) return finish(context, run, "failed", `version ${run.specVersion} is no longer kept`);
  // a change in the middle, back to a version without one above all, must not let it go on for ever
  const { timeoutMs } = version.spec.job ?? spec;
  if (timeoutMs > 0 && planning.isDue(run.createdAtMs + timeoutMs))
    return finish(context, run, "failed", `it took longer than ${timeoutMs / 1_000} s`);
  const tasks = context.tasks.filter((task) => task.run === run.number);
  for (const task of tasks) leaveNode(context, task);
  const slots = slotsOf(context, run, version, tasks);
  const failed = slots.find(({ state }) => state.kind === "failed");
  if (failed?.state.kind === "failed") return finish(context, run, "failed", failureOf(context, failed.state.task));
  if (slots.every(({ state }) => state.kind === "done")) return finish(context, run, "succeeded", "");
  if (isTooLate(context, run, tasks)) return;
  placeWaiting(context, tasks);
  openSlots(context, run, version, slots);
  planHistory(
    planning,
    tasks.filter((task) => task.desired === "shutdown" && !planning.isEnding(task) && !isDone(context, task)),
  );
}

/** Ends what still runs of a run. */
export function endRun({ planning, tasks }: JobContext, run: JobRun, why: string): void {
  for (const task of tasks)
    if (task.run === run.number && task.desired === "running" && task.withdrawal === undefined) planning.end(task, why);
}

export function finish(context: JobContext, run: JobRun, state: RunState, message: string): void {
  const { planning, job, version } = context;
  planning.steps.push({ kind: "run", run: { ...run, state, message, endedAtMs: planning.nowMs }, why: message });
  if (state === "succeeded") {
    planning.steps.push({ kind: "job", job: { ...job, succeeded: Math.max(job.succeeded, run.number) } });
    if (run.specVersion === version.version && !version.stable)
      planning.steps.push({ kind: "stable", service: context.service, version: version.version });
  }
  endRun(
    context,
    run,
    state === "succeeded" ? "it is done" : `its run ${state}${message === "" ? "" : `: ${message}`}`,
  );
}

function slotsOf(
  context: JobContext,
  run: JobRun,
  version: ServiceVersion,
  tasks: readonly Task[],
): readonly RunSlot[] {
  const { mode } = version.spec;
  if (mode.kind === "replicated-job") {
    const bySlot = Map.groupBy(tasks, (task) => task.slot);
    return Array.from({ length: mode.completions }, (_, at) => ({
      slot: at + 1,
      state: stateOf(context, bySlot.get(at + 1) ?? []),
    }));
  }
  const byNode = Map.groupBy(tasks, (task) => task.onlyNode);
  const nodes = (run.nodeIds ?? []).filter((id) => {
    const node = context.planning.world.state.node.get(id);
    return node !== undefined && node.confirmedDeadAtMs === undefined;
  });
  return nodes.map((id) => ({ slot: 0, onlyNode: id, state: stateOf(context, byNode.get(id) ?? []) }));
}

function stateOf(context: JobContext, tasks: readonly Task[]): SlotState {
  const { planning } = context;
  if (tasks.some((task) => isDone(context, task))) return { kind: "done" };
  if (tasks.some((task) => planning.isEnding(task))) return { kind: "active" };
  const current = tasks.find((task) => task.desired === "running");
  const last = current ?? tasks.at(-1);
  if (last === undefined) return { kind: "open" };
  if (current === undefined) return { kind: "open", replaces: last };
  if (isUsedUp(context, current)) return { kind: "failed", task: current };
  // a task for one node waits for that node
  return isOnLostNode(planning.world, current) && current.onlyNode === undefined
    ? { kind: "open", replaces: current }
    : { kind: "active" };
}

function isDone({ planning }: JobContext, task: Task): boolean {
  return planning.world.state.taskStatus.get(task.id)?.state === "complete";
}

/** A used-up task of a node that died says nothing about the job. */
function isUsedUp({ planning }: JobContext, task: Task): boolean {
  const status = planning.world.state.taskStatus.get(task.id);
  return status?.exhausted === true && status.state !== "complete" && !isOnDeadNode(planning.world, task);
}

function failureOf({ planning }: JobContext, task: Task): string {
  const status = planning.world.state.taskStatus.get(task.id);
  const reason = status?.reason === undefined || status.reason === "" ? "its attempts are used up" : status.reason;
  return `${planning.name(task)} on ${planning.nodeName(task.nodeId)}: ${reason}`;
}

/** A lost node's task is given up once another takes its place; a draining node's task stops first. */
function leaveNode({ planning }: JobContext, task: Task): void {
  if (task.desired !== "running" || task.nodeId === undefined) return;
  // a task for one node ends there, at the latest when that one has had its time to be emptied
  if (task.onlyNode !== undefined && (isOnLostNode(planning.world, task) || !isDrainOver(planning, task))) return;
  const status = planning.world.state.taskStatus.get(task.id);
  if (status?.exhausted === true) return;
  if (isOnLostNode(planning.world, task)) planning.end(task, `${planning.nodeName(task.nodeId)} is lost`);
  else if (isToLeave(planning, task) && task.withdrawal === undefined)
    planning.end(task, `${planning.nodeName(task.nodeId)} is draining`);
}

/** What a job has done so far would be lost: with a deadline its tasks may go on until then. */
function isToLeave(planning: Planning, task: Task): boolean {
  if (task.nodeId === undefined || planning.world.state.node.get(task.nodeId)?.availability !== "drain") return false;
  return drainUntilMs(planning, task) === undefined || isDrainOver(planning, task);
}

function placeWaiting({ planning, service, version, tasks: all }: JobContext, tasks: readonly Task[]): void {
  for (const task of tasks) {
    if (task.desired !== "running" || task.nodeId !== undefined) continue;
    planning.placeWaiting({ service, version, rollout: undefined, tasks: all }, task, avoided(tasks));
  }
}

/** Nodes on which a task of the run has ended already. */
function avoided(tasks: readonly Task[]): ReadonlySet<NodeId> {
  return new Set(
    tasks.flatMap((task) => (task.desired !== "running" && task.nodeId !== undefined ? [task.nodeId] : [])),
  );
}

function openSlots(context: JobContext, run: JobRun, version: ServiceVersion, slots: readonly RunSlot[]): void {
  const { planning, service, tasks } = context;
  const { mode } = version.spec;
  const active = slots.filter(({ state }) => state.kind === "active").length;
  const limit = mode.kind === "replicated-job" && mode.concurrency > 0 ? mode.concurrency : slots.length;
  let budget = limit - active;
  for (const { slot, onlyNode, state } of slots) {
    if (state.kind !== "open" || budget-- <= 0) continue;
    planning.create(
      { service, version, rollout: undefined, tasks },
      {
        slot,
        run: run.number,
        version: run.specVersion,
        why:
          state.replaces === undefined
            ? `run ${run.number}`
            : `again for run ${run.number}: ${state.replaces.desiredReason}`,
        replaces: state.replaces?.id,
        onlyNode,
      },
    );
  }
}

/** A scheduled run that no node took within the starting deadline is not for today any more. */
function isTooLate(context: JobContext, run: JobRun, tasks: readonly Task[]): boolean {
  const { planning, spec } = context;
  if (run.tickAtMs === undefined || tasks.length === 0) return false;
  if (tasks.some((task) => task.nodeId !== undefined || task.desired !== "running")) return false;
  if (!planning.isDue(run.tickAtMs + spec.startingDeadlineMs)) return false;
  const why = tasks.find((task) => task.waiting !== undefined)?.waiting ?? "no node took it";
  finish(context, run, "failed", `it could not begin within ${spec.startingDeadlineMs / 1_000} s: ${why}`);
  return true;
}
