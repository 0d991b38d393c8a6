// The plan: from the world and the time to steps. Planning again after the steps took effect yields what is left to do, and nothing
// at rest. Deterministic: services and slots are gone through in order, ties end at an id. Pure.

import type { IdSource, NodeId } from "../model/ids.ts";
import { asId } from "../model/ids.ts";
import { invariant } from "../model/invariant.ts";
import type { Service, Task } from "../model/records.ts";
import { versionKey, type World } from "../model/world.ts";
import { isLost } from "./health.ts";
import { planRollout } from "../rollout/rollout.ts";
import { meets, runsPlatform } from "../schedule/constraint.ts";
import { planConfigs, planHistory, planLeftovers, planRemoved } from "./history.ts";
import { Planning, type ServiceContext } from "./planning.ts";
import { planSlot, type Slot, slotOf } from "./slots.ts";
import type { Step } from "./step.ts";

export type Plan = {
  readonly steps: readonly Step[];
  /** When the passing of time alone makes a new plan worthwhile (coordinator's wall clock); undefined: nothing is timed. */
  readonly wakeAtMs: number | undefined;
};

/** The steps towards what is desired. Apply them all, in order, then plan again. */
export function plan(world: World, nowMs: number, newId: IdSource): Plan {
  const planning = new Planning(world, nowMs, newId);
  const tasksOf = groupTasks(world);
  for (const id of serviceIds(world, tasksOf)) {
    const service = world.state.service.get(id);
    const tasks = tasksOf.get(id) ?? [];
    if (service === undefined) planRemoved(planning, asId<"service">(id), tasks);
    else if (service.mode.kind === "replicated" || service.mode.kind === "global")
      planService(planning, service, tasks);
  }
  planConfigs(planning);
  return { steps: planning.steps, wakeAtMs: planning.wakeAtMs };
}

function groupTasks(world: World): ReadonlyMap<string, Task[]> {
  const groups = new Map<string, Task[]>();
  for (const task of world.state.task.values()) {
    const group = groups.get(task.serviceId);
    if (group === undefined) groups.set(task.serviceId, [task]);
    else group.push(task);
  }
  for (const group of groups.values()) group.sort((a, b) => a.createdAtMs - b.createdAtMs || (a.id < b.id ? -1 : 1));
  return groups;
}

/** Services that exist, then those of which only traces are left. */
function serviceIds(world: World, tasksOf: ReadonlyMap<string, unknown>): readonly string[] {
  const named = [...world.state.service.values()]
    .sort((a, b) => (a.name < b.name ? -1 : 1))
    .map((service) => service.id as string);
  const traces = new Set<string>(tasksOf.keys());
  for (const version of world.state.serviceVersion.values()) traces.add(version.serviceId);
  return [...named, ...[...traces].filter((id) => !world.state.service.has(id)).sort()];
}

function planService(planning: Planning, service: Service, tasks: readonly Task[]): void {
  const version = planning.world.state.serviceVersion.get(versionKey(service.id, service.version));
  invariant(version !== undefined, `service ${service.name} has no version ${service.version}`);
  const context: ServiceContext = { service, version, rollout: planning.world.state.rollout.get(service.id), tasks };
  const before = planning.steps.length;
  for (const task of tasks) planning.finishWithdrawal(task);
  planLeftovers(planning, tasks);
  const slots = slotsOf(planning, context);
  for (const slot of slots) planSlot(planning, context, slot);
  for (const slot of slots) planHistory(planning, slot.ended);
  endExtras(planning, context, slots);
  // a rollout decides on slots at rest: what was just planned shows in the next pass
  if (planning.steps.length === before)
    planRollout(
      planning,
      context,
      slots.filter((slot) => isCounted(planning, slot)),
    );
}

function slotsOf(planning: Planning, context: ServiceContext): readonly Slot[] {
  const { service, tasks } = context;
  if (service.mode.kind === "replicated") {
    const bySlot = Map.groupBy(tasks, (task) => task.slot);
    return Array.from({ length: service.mode.replicas }, (_, at) => slotOf(planning, at + 1, bySlot.get(at + 1) ?? []));
  }
  const byNode = Map.groupBy(tasks, (task) => task.onlyNode ?? task.nodeId);
  return eligibleNodes(planning, context).map((id) => slotOf(planning, 0, byNode.get(id) ?? [], id));
}

/** A global service's nodes: those that meet its placement and take tasks; a paused one keeps what it has. */
function eligibleNodes(planning: Planning, { version, tasks }: ServiceContext): readonly NodeId[] {
  const { placement } = version.spec.template;
  const { state, presence } = planning.world;
  const has = new Set(tasks.filter((task) => task.desired === "running").map((task) => task.onlyNode ?? task.nodeId));
  return [...state.node.values()]
    .filter((node) => {
      if (node.confirmedDeadAtMs !== undefined || node.availability === "drain") return false;
      const status = state.nodeStatus.get(node.id);
      if (status === undefined && !has.has(node.id)) return false;
      if (
        !placement.constraints.every((constraint) => meets(constraint, node, status)) ||
        !runsPlatform(placement.platforms, status)
      )
        return false;
      return has.has(node.id) || (node.availability === "active" && presence.get(node.id) === "ready");
    })
    .map((node) => node.id)
    .sort();
}

/** Slots beyond the wanted number, and nodes that are no longer eligible. */
function endExtras(planning: Planning, { service, tasks }: ServiceContext, slots: readonly Slot[]): void {
  const kept = new Set<string | number>(slots.map((slot) => slot.onlyNode ?? slot.slot));
  const key = (task: Task): string | number | undefined =>
    service.mode.kind === "global" ? (task.onlyNode ?? task.nodeId) : task.slot;
  const extras = tasks.filter((task) => !kept.has(key(task) ?? -1));
  for (const task of extras) {
    if (task.desired !== "running" || task.withdrawal !== undefined) continue;
    planning.end(task, whyExtra(planning, service, task));
  }
  planHistory(
    planning,
    extras.filter((task) => task.desired === "shutdown" && !planning.isEnding(task)),
    0,
  );
}

function whyExtra(planning: Planning, service: Service, task: Task): string {
  if (service.mode.kind === "replicated") return `scaled to ${service.mode.replicas}`;
  const node = task.nodeId === undefined ? undefined : planning.world.state.node.get(task.nodeId);
  if (node === undefined) return "its node was removed";
  if (node.confirmedDeadAtMs !== undefined) return `${node.name} is confirmed dead`;
  return node.availability === "drain"
    ? `${node.name} is draining`
    : `${node.name} does not meet the placement any more`;
}

/** A global service does not wait for a node that is down. */
function isCounted(planning: Planning, slot: Slot): boolean {
  return slot.onlyNode === undefined || !isLost(planning.world, slot.onlyNode);
}
