// Tasks as the API shows them: what was assigned and what the agent said of it, in one. Pure.

import type { Node, Task, TaskState, TaskStatus } from "../../core/model/records.ts";
import type { TaskView } from "../../core/model/views.ts";
import { type State, versionKey, type World } from "../../core/model/world.ts";
import { lagging } from "../../core/reconcile/acknowledged.ts";
import { isOnLostNode } from "../../core/reconcile/health.ts";
import { taskName } from "../../core/reconcile/step.ts";
import { isEnded } from "../../core/schedule/ledger.ts";
import { iso, maybe } from "./time.ts";

/** One task. */
export function taskView(world: World, task: Task): TaskView {
  const { state } = world;
  const service = state.service.get(task.serviceId);
  const spec = state.serviceVersion.get(versionKey(task.serviceId, task.specVersion))?.spec;
  const status = state.taskStatus.get(task.id);
  const nodeId = task.nodeId ?? task.onlyNode;
  const unseenSinceMs = task.nodeId === undefined ? undefined : state.nodeStatus.get(task.nodeId)?.unseenSinceMs;
  return {
    id: task.id,
    name: taskName(task, state),
    serviceId: task.serviceId,
    service: service?.name ?? spec?.name ?? task.serviceId,
    ...maybe("stack", service?.stack ?? spec?.stack),
    slot: task.slot,
    specVersion: task.specVersion,
    image: spec?.template.container.image ?? "",
    desired: task.desired,
    desiredReason: task.desiredReason,
    state: stateOf(task, status),
    stateAt: iso(status?.stateAtMs ?? task.assignedAtMs ?? task.createdAtMs),
    attempt: status?.attempt ?? 0,
    reason: reasonFor(world, task, status),
    ...maybe("healthy", status?.healthy),
    ...maybe("exitCode", status?.exitCode),
    ...maybe("nodeId", nodeId),
    ...maybe("node", nodeId === undefined ? undefined : state.node.get(nodeId)?.name),
    ...maybe("unseenSince", unseenSinceMs === undefined ? undefined : iso(unseenSinceMs)),
    ...maybe("address", task.address),
    hostPorts: task.hostPorts,
    ...maybe("generic", task.generic),
    volumes: task.volumes,
    weight: task.weight,
    ...maybe("containerId", status?.containerId),
    ...maybe("lastOutput", status?.lastOutput),
    ...maybe("probeAnswer", status?.probeAnswer),
    createdAt: iso(task.createdAtMs),
  };
}

/** Before its node has said anything a task is pending or assigned. */
function stateOf(task: Task, status: TaskStatus | undefined): TaskState {
  if (status !== undefined) return status.state;
  return task.nodeId === undefined ? "pending" : "assigned";
}

function reasonFor(world: World, task: Task, status: TaskStatus | undefined): string {
  if (task.waiting !== undefined) return task.waiting;
  if (task.nodeId !== undefined && isOnLostNode(world, task)) {
    const node = world.state.node.get(task.nodeId);
    if (node === undefined) return "its node was removed";
    return node.confirmedDeadAtMs === undefined ? `${node.name} is lost` : `${node.name} is confirmed dead`;
  }
  if (task.desired === "running" && task.withdrawal !== undefined) {
    const late = lagging(world, task.withdrawal.routesGeneration);
    if (late.length > 0)
      return `stops once it is out of the routes of ${late.map((node) => lateNode(world, node)).join(", ")}`;
  }
  return status?.reason ?? "";
}

/** "n2 (firewall: nft is not installed)" */
function lateNode({ state }: World, { id, name }: Node): string {
  const trouble = state.nodeStatus.get(id)?.networkTrouble;
  return trouble === undefined ? name : `${name} (${trouble})`;
}

/** Whether a task is part of the present: to run, or not yet ended. What is left is history. */
export function isPresent(state: State, task: Task): boolean {
  if (task.desired === "running") return true;
  const status = state.taskStatus.get(task.id);
  return task.desired === "shutdown" && status !== undefined && !isEnded(status);
}

/** By service, then slot or node, the newest first within a slot. */
export function compareTasks(a: TaskView, b: TaskView): number {
  return (
    compare(a.service, b.service) ||
    a.slot - b.slot ||
    compare(a.node ?? "", b.node ?? "") ||
    compare(b.createdAt, a.createdAt) ||
    compare(a.id, b.id)
  );
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
