// Tasks that go to another node without a new version: how many of a service at once, how long a draining node may take, and which go where
// because a user wants the load evened out. Never more at once than the service's own updates may change. Pure.

import type { NodeId, TaskId } from "../model/ids.ts";
import type { Move, Service, Task } from "../model/records.ts";
import { parallelismOf } from "../rollout/policy.ts";
import { isOver } from "../schedule/ledger.ts";
import { hasFailed, isHealthy, isHealthyOrFinished, isLost, isOnLostNode } from "./health.ts";
import { mustMove } from "./must-move.ts";
import type { Planning, ServiceContext } from "./planning.ts";

/** What a budget asks of a slot. */
type Slot = { readonly live: readonly Task[]; readonly ending: readonly Task[] };

/** How many more tasks of a service may begin to move in this pass. */
export class MoveBudget {
  #left: number;
  readonly #limit: number;

  constructor(planning: Planning, { version }: ServiceContext, slots: readonly Slot[]) {
    const parallelism = parallelismOf(version.spec.update, slots.length);
    this.#limit = parallelism;
    this.#left =
      parallelism === 0
        ? Number.POSITIVE_INFINITY
        : parallelism - slots.filter((slot) => isInMotion(planning, slot)).length;
  }

  /** Takes a part of the budget for a task that works; what does not work may go at any time. False: not now. */
  take(planning: Planning, task: Task): boolean {
    if (!isHealthy(planning.world, task)) return true;
    if (this.#left <= 0) return false;
    this.#left -= 1;
    return true;
  }

  get isSpent(): boolean {
    return this.#left <= 0;
  }

  /** Why a task has to stay for now. */
  get reason(): string {
    return `moves later: ${this.#limit === 1 ? "one task of the service changes" : `${this.#limit} tasks of the service change`} at a time`;
  }
}

/** Between two tasks, or on its way to a healthy one. What failed, finds no node, or waits for a lost one holds nobody up. */
function isInMotion(planning: Planning, { live, ending }: Slot): boolean {
  const { world } = planning;
  const present = live.filter((task) => !isOnLostNode(world, task));
  const leaving = ending.filter((task) => !isOnLostNode(world, task));
  if (present.length === 0) return leaving.length > 0 && live.length === 0;
  if (present.length === 1) {
    const [task] = present;
    if (task === undefined || isHealthyOrFinished(world, task)) return false;
    return task.nodeId === undefined ? leaving.length > 0 : !hasFailed(world.state.taskStatus.get(task.id));
  }
  if (
    present.some(
      (task) => isHealthyOrFinished(world, task) && isHeir(task, present) && mustMove(planning, task) === undefined,
    )
  )
    return false;
  return present.some(
    (task) =>
      task.nodeId !== undefined && !isHealthyOrFinished(world, task) && !hasFailed(world.state.taskStatus.get(task.id)),
  );
}

function isHeir({ replaces }: Task, present: readonly Task[]): boolean {
  return present.some(({ id }) => id === replaces);
}

/** Whether a draining node has had its time: what is still there ends, whatever becomes of it. */
export function isDrainOver(planning: Planning, task: Task): boolean {
  const untilMs = drainUntilMs(planning, task);
  return untilMs !== undefined && planning.isDue(untilMs);
}

/** Until then a task that fits nowhere else stays on its draining node; undefined: it is ended at once. */
export function drainUntilMs({ world }: Planning, { nodeId }: Task): number | undefined {
  const node = nodeId === undefined ? undefined : world.state.node.get(nodeId);
  return node?.availability === "drain" ? node.drainUntilMs : undefined;
}

/** Where a user wants a task to go, if that is still to be done. */
export function wishedNode({ moves }: Service, taskId: TaskId): NodeId | undefined {
  return moves?.find((move) => move.taskId === taskId)?.nodeId;
}

/** The task that was made for a wish, if there is one. */
function moverOf(tasks: readonly Task[], taskId: TaskId, nodeId: NodeId): Task | undefined {
  return tasks.find((task) => task.replaces === taskId && task.nodeId === nodeId);
}

/** Drops wishes that came true, that failed, and that others overtook: a lost node, an update. True if any went. */
export function dropMoves(planning: Planning, context: ServiceContext): boolean {
  const { service, tasks } = context;
  const moves = service.moves ?? [];
  const kept = moves.filter(({ taskId, nodeId }) => {
    const task = tasks.find(({ id }) => id === taskId);
    if (task === undefined || task.desired !== "running" || task.withdrawal !== undefined) return false;
    if (isOnLostNode(planning.world, task) || !planning.isCurrent(context, task)) return false;
    if (hasFailed(planning.world.state.taskStatus.get(taskId))) return false;
    const mover = moverOf(tasks, taskId, nodeId);
    if (mover === undefined) return true;
    const isOn = mover.desired === "running" && mover.withdrawal === undefined;
    return isOn && !isOnLostNode(planning.world, mover);
  });
  if (kept.length === moves.length) return false;
  planning.steps.push({ kind: "moved", service, moves: kept, why: "done, or overtaken" });
  return true;
}

/** When nothing else goes on any more and no move can still begin, all are given up. While one can, it may make room for the next. */
export function dropStuckMoves(planning: Planning): void {
  const { state } = planning.world;
  const waiting = [...state.service.values()].filter(({ moves }) => moves !== undefined);
  if (waiting.length === 0) return;
  const tasks = [...state.task.values()];
  const leavesRoom = new Set(tasks.filter((task) => isLeaving(planning, task)).map(({ nodeId }) => nodeId));
  const wanted = tasks.filter(({ desired }) => desired === "running");
  const hasHope = (service: Service, { taskId, nodeId }: Move): boolean => {
    const task = state.task.get(taskId);
    if (task === undefined) return false;
    if (moverOf(wanted, taskId, nodeId) !== undefined || leavesRoom.has(nodeId)) return true;
    const isSilent =
      state.node.has(nodeId) && planning.world.presence.get(nodeId) !== "ready" && !isLost(planning.world, nodeId);
    return isSilent || planning.wouldFit(service, task.specVersion, nodeId, undefined, task.slot);
  };
  if (waiting.some((service) => service.moves?.some((move) => hasHope(service, move)))) return;
  for (const service of waiting.sort((a, b) => (a.name < b.name ? -1 : 1)))
    planning.steps.push({ kind: "moved", service, moves: [], why: "the nodes would not take them any more" });
}

/** Ending, on a node that will say when it has: what it holds there will be free. */
function isLeaving({ world }: Planning, task: Task): boolean {
  const isWanted = task.desired === "running" && task.withdrawal === undefined;
  return !isWanted && !isOver(world.state, task) && !isOnLostNode(world, task);
}
