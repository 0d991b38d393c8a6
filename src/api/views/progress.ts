// How far a service is on its way to what is desired, and whether a waiting command may end. Always says what it waits for. Pure.

import { wasAskedToRollBack } from "../../core/commands/services.ts";
import type { Service, Task } from "../../core/model/records.ts";
import type { Rollout } from "../../core/model/rollout.ts";
import type { ProgressView } from "../../core/model/views.ts";
import { isJobMode } from "../../core/model/service-spec.ts";
import type { State, World } from "../../core/model/world.ts";
import { heldBack } from "../../core/reconcile/dependencies.ts";
import { hasFailed, isAnyNodeSilent, isFinished, isOnLostNode, isResizing } from "../../core/reconcile/health.ts";
import { isPaused } from "../../core/rollout/phase.ts";
import { taskName } from "../../core/reconcile/step.ts";
import { isEnded } from "../../core/schedule/ledger.ts";
import { jobProgress } from "./job-progress.ts";
import { countService, type Counted, isCurrentTask } from "./services.ts";
import { compareTasks, isPresent, taskView } from "./tasks.ts";

type Verdict = Pick<ProgressView, "state" | "done" | "ok" | "message">;

/** The progress of one service, by id. `waitMonitor`: not done before the watching after convergence is over. */
export function progressView(world: World, serviceId: string, waitMonitor: boolean): ProgressView {
  const { state } = world;
  const tasks = [...state.task.values()].filter((task) => task.serviceId === serviceId);
  const views = tasks
    .filter((task) => isPresent(state, task))
    .map((task) => taskView(world, task))
    .sort(compareTasks);
  const service = state.service.get(serviceId);
  if (service === undefined) {
    const verdict = removal(world, tasks);
    return {
      service: views[0]?.service ?? nameOfRemoved(state, serviceId),
      serviceId,
      ...verdict,
      desired: 0,
      healthy: 0,
      updated: 0,
      tasks: views,
    };
  }
  if (isJobMode(service.mode))
    return { service: service.name, serviceId, ...jobProgress(world, service, tasks), tasks: views };
  const counted = countService(world, service, tasks);
  const atRest = counted.live.filter(
    (task) => (counted.healthy.includes(task) && !isResizing(state, task)) || isFinished(state, task),
  );
  const updated = atRest.filter((task) => isCurrentTask(state, service, counted.version, task));
  const verdict = judge(world, counted, updated.length, tasks, waitMonitor);
  return {
    service: service.name,
    serviceId,
    ...verdict,
    desired: counted.desired,
    healthy: counted.healthy.length,
    updated: updated.length,
    tasks: views,
  };
}

function nameOfRemoved(state: State, serviceId: string): string {
  for (const version of state.serviceVersion.values()) if (version.serviceId === serviceId) return version.spec.name;
  return serviceId;
}

function removal(world: World, tasks: readonly Task[]): Verdict {
  const left = tasks.filter((task) => isHeld(world, task));
  const unreachable = left.filter((task) => isOnLostNode(world, task));
  if (left.length === unreachable.length) {
    const rest = unreachable.length === 0 ? "" : `; ${removedLater(unreachable.length)}`;
    return { state: "removed", done: true, ok: true, message: `removed${rest}` };
  }
  const stopping = left.length - unreachable.length;
  const message = stopping === 1 ? "1 task is stopping" : `${stopping} tasks are stopping`;
  return { state: "removing", done: false, ok: true, message };
}

function removedLater(count: number): string {
  return count === 1
    ? "1 task on a node that cannot be reached is removed when the node is back"
    : `${count} tasks on nodes that cannot be reached are removed when these are back`;
}

/** It is to stop: out of the routes first, then by its agent. */
function isLeaving(task: Task): boolean {
  return task.desired !== "running" || task.withdrawal !== undefined;
}

/** Its container may still be there. */
function isHeld(world: World, task: Task): boolean {
  if (task.nodeId === undefined) return false;
  const status = world.state.taskStatus.get(task.id);
  return task.desired === "running" || (status !== undefined && !isEnded(status));
}

function judge(world: World, counted: Counted, updated: number, tasks: readonly Task[], waitMonitor: boolean): Verdict {
  const { service, live, desired } = counted;
  const rollout = world.state.rollout.get(service.id);
  const isOurs = rollout !== undefined && rollout.toVersion === service.version && rollout.force === service.force;
  const early = isOurs ? (stuckVerdict(counted, rollout) ?? besideVerdict(counted, rollout, waitMonitor)) : undefined;
  if (early !== undefined) return early;
  const isFilled =
    updated >= desired &&
    live.length === desired &&
    !tasks.some((task) => isLeaving(task) && isHeld(world, task) && !isOnLostNode(world, task));
  const isOver = isOurs && ["watching", "completed", "rolled_back"].includes(rollout.state);
  if (isFilled && isOver && (service.moves ?? []).length === 0) return settled(counted, rollout, waitMonitor);
  if (isOver && hasEndedWithFailures(world, counted, rollout))
    return { state: "converged", done: true, ok: false, message: rollout.message };
  if (isOver && (service.moves ?? []).length > 0)
    return { state: "converging", done: false, ok: true, message: movesLeft(service.moves?.length ?? 0) };
  const held = heldVerdict(world, counted, tasks);
  if (held !== undefined) return held;
  const waiting = unplaceable(world, live);
  if (waiting !== undefined) {
    // a node that is merely silent may be the one that takes it
    const done = !isMoving(world, counted) && !isAnyNodeSilent(world);
    return { state: "unplaceable", done, ok: false, message: waiting };
  }
  const isRollingBack = service.isRollback && !isOver;
  return {
    state: isRollingBack ? "rolling_back" : "converging",
    done: false,
    ok: !isRollingBack || wasAskedToRollBack(service),
    message: whatIsAwaited(world, counted, updated),
  };
}

function movesLeft(count: number): string {
  return count === 1 ? "1 task is still to move" : `${count} tasks are still to move`;
}

/** Another service comes first: with it fails what waits for it. */
function heldVerdict(world: World, { service, version }: Counted, tasks: readonly Task[]): Verdict | undefined {
  const held = heldBack(world, service, version, tasks);
  if (held === undefined) return undefined;
  const first = progressView(world, held.by.id, false);
  const isOver = first.done && !first.ok;
  return { state: "converging", done: isOver, ok: !isOver, message: held.reason };
}

function stuckVerdict({ service }: Counted, rollout: Rollout): Verdict | undefined {
  if (!isPaused(rollout)) return undefined;
  if (isToGoOn(service, rollout))
    return { state: "converging", done: false, ok: true, message: "it goes on in a moment" };
  return { state: "paused", done: true, ok: false, message: rollout.message };
}

/** Asked for, and not yet done. */
function isToGoOn({ asked }: Service, rollout: Rollout): boolean {
  if (asked?.paused === true) return false;
  return rollout.paused?.byHand === true || (asked?.resumes ?? 0) > (rollout.answered?.resumes ?? 0);
}

/** New tasks that are all healthy beside the old ones: the command need not wait for a person. */
function besideVerdict({ service, version }: Counted, rollout: Rollout, waitMonitor: boolean): Verdict | undefined {
  const isPromoted = (service.asked?.promotions ?? 0) > (rollout.answered?.promotions ?? 0);
  if (rollout.state === "switched")
    return { state: "switched", done: !waitMonitor && !isPromoted, ok: true, message: rollout.message };
  if (rollout.state !== "trial" || rollout.healthySinceMs === undefined) return undefined;
  const isUntilPromoted =
    version.spec.update.strategy !== undefined && version.spec.update.strategy.holdMs === undefined;
  return { state: "trial", done: isUntilPromoted && !isPromoted, ok: true, message: rollout.message };
}

/** All that is desired is there. A rollback that nobody asked for is a failed change. */
function settled({ service, desired }: Counted, rollout: Rollout, waitMonitor: boolean): Verdict {
  // what was changed after it, such as the number of replicas, has not failed with it
  const isLast = (rollout.completedAtMs ?? 0) >= service.updatedAtMs;
  if (rollout.state === "rolled_back" && isLast)
    return { state: "rolled_back", done: true, ok: wasAskedToRollBack(service), message: rollout.message };
  if (rollout.state === "watching")
    return { state: "watching", done: !waitMonitor, ok: true, message: rollout.message };
  return {
    state: "converged",
    done: true,
    ok: true,
    message: desired === 0 ? "no task is wanted" : "every task is healthy",
  };
}

/** The change is over as its failure action wants it: every slot was changed, and some of the tasks are not healthy. */
function hasEndedWithFailures(world: World, { service, live, healthy, desired }: Counted, rollout: Rollout): boolean {
  const isLast = (rollout.completedAtMs ?? 0) >= service.updatedAtMs;
  const failing = live.filter((task) => !healthy.includes(task) && hasFailed(world.state.taskStatus.get(task.id)));
  return isLast && failing.length > 0 && healthy.length + failing.length >= desired;
}

/** Why a task finds no node; waiting for the one before it to stop is no such reason. */
function unplaceable(world: World, live: readonly Task[]): string | undefined {
  const task = live.find(
    (candidate) => candidate.nodeId === undefined && candidate.waiting !== undefined && !isBehind(world, candidate),
  );
  const lost = live.find(
    (candidate) => candidate.nodeId !== undefined && candidate.waiting !== undefined && isOnLostNode(world, candidate),
  );
  const found = task ?? lost;
  return found === undefined ? undefined : `${taskName(found, world.state)}: ${found.waiting}`;
}

/** Also for the moment between the end of the one before and the plan that sees it. */
function isBehind(world: World, task: Task): boolean {
  const before = task.replaces === undefined ? undefined : world.state.task.get(task.replaces);
  if (before === undefined || isOnLostNode(world, before)) return false;
  return isLeaving(before) && task.waiting?.includes(" stops first") === true;
}

/** Some task is still on its way to healthy, so room may yet come of it. */
function isMoving(world: World, { live, healthy }: Counted): boolean {
  return live.some(
    (task) =>
      task.nodeId !== undefined &&
      !healthy.includes(task) &&
      !isOnLostNode(world, task) &&
      !hasFailed(world.state.taskStatus.get(task.id)),
  );
}

function whatIsAwaited(world: World, { service, version, live, desired }: Counted, updated: number): string {
  for (const task of live) {
    const status = world.state.taskStatus.get(task.id);
    if (hasFailed(status) && status !== undefined && status.reason !== "")
      return `${taskName(task, world.state)}: ${status.reason}`;
  }
  const rollout = world.state.rollout.get(service.id);
  if (rollout?.state === "trial" && rollout.toVersion === service.version)
    return `${updated} new tasks are healthy beside the old ones`;
  if (updated >= desired) return "all that is wanted is there; tasks that are not wanted any more stop";
  const isChange = live.some((task) => !isCurrentTask(world.state, service, version, task));
  return `${updated} of ${desired} tasks are ${isChange ? "changed and healthy" : "healthy"}`;
}
