// The plan: from the world and the time to steps. Planning again after the steps took effect yields what is left to do, and nothing
// at rest. Deterministic: services and slots are gone through in order, ties end at an id. Pure.

import type { IdSource } from "../model/ids.ts";
import { asId } from "../model/ids.ts";
import { invariant } from "../model/invariant.ts";
import type { NextTick } from "../model/job.ts";
import { isJobMode } from "../model/service-spec.ts";
import type { NodeId, ServiceId } from "../model/ids.ts";
import type { Service, ServiceVersion, Task } from "../model/records.ts";
import type { Rollout } from "../model/rollout.ts";
import { wantedReplicas } from "../model/scale.ts";
import { versionKey, type World } from "../model/world.ts";
import { isLost } from "./health.ts";
import { planJob } from "../jobs/plan-job.ts";
import { planRollout } from "../rollout/rollout.ts";
import { planAddresses } from "./addresses.ts";
import { isBeside } from "../rollout/phase.ts";
import { isOurs, planSuperseded, planTracks, planWeights, type Tracks, tracksOf } from "../rollout/tracks.ts";
import { eligibleNodes } from "./eligible.ts";
import { planConfigs, planHistory, planLeftovers, planRemoved } from "./history.ts";
import { dropMoves, dropStuckMoves, MoveBudget } from "./moves.ts";
import { Planning, type Rest, type ServiceContext } from "./planning.ts";
import { planSlot, type Slot, slotOf } from "./slots.ts";
import type { Step } from "./step.ts";

export type Plan = {
  readonly steps: readonly Step[];
  /** When the passing of time alone makes a new plan worthwhile (coordinator's wall clock); undefined: nothing is timed. */
  readonly wakeAtMs: number | undefined;
  /** Services of which there is nothing to do. */
  readonly settled: readonly Settled[];
};

export type Settled = Rest & { readonly id: ServiceId };

export type PlanScope = {
  /** No further service is looked at once there are so many steps; those of one service are never cut, so that each plan is whole. */
  readonly limit?: number;
  /** Services that an earlier plan called settled, and of which nothing changed since: they are not looked at. */
  readonly isSettled?: (id: string) => boolean;
};

/** The steps towards what is desired. Apply them all, in order, then plan again. */
export function plan(
  world: World,
  nowMs: number,
  newId: IdSource,
  nextTick: NextTick,
  { limit = Number.POSITIVE_INFINITY, isSettled = () => false }: PlanScope = {},
): Plan {
  const planning = new Planning(world, nowMs, newId);
  const settled: Settled[] = [];
  // of one that was removed since, all tasks count
  const isAtRest = (id: string): boolean => isSettled(id) && world.state.service.has(id);
  const tasksOf = groupTasks(world, isAtRest);
  for (const id of serviceIds(world, tasksOf, isAtRest)) {
    if (planning.steps.length >= limit) return { steps: planning.steps, wakeAtMs: planning.wakeAtMs, settled };
    const service = world.state.service.get(id);
    const tasks = tasksOf.get(id) ?? [];
    if (service === undefined) planRemoved(planning, asId<"service">(id), tasks);
    else {
      const rest = planning.restOf(() => planService(planning, service, tasks, nextTick));
      if (rest !== undefined) settled.push({ id: service.id, ...rest });
    }
  }
  planConfigs(planning);
  if (planning.steps.length === 0) dropStuckMoves(planning);
  planAddresses(planning);
  return { steps: planning.steps, wakeAtMs: planning.wakeAtMs, settled };
}

/** Tasks of the services that are looked at, oldest first. */
function groupTasks(world: World, isAtRest: (id: string) => boolean): ReadonlyMap<string, Task[]> {
  const groups = new Map<string, Task[]>();
  const resting = new Set<string>();
  for (const task of world.state.task.values()) {
    const { serviceId } = task;
    const group = groups.get(serviceId);
    if (group !== undefined) group.push(task);
    else if (resting.has(serviceId)) continue;
    else if (isAtRest(serviceId)) resting.add(serviceId);
    else groups.set(serviceId, [task]);
  }
  for (const group of groups.values()) group.sort((a, b) => a.createdAtMs - b.createdAtMs || (a.id < b.id ? -1 : 1));
  return groups;
}

/** Services that exist, those of higher priority first, then those of which only traces are left. */
function serviceIds(
  world: World,
  tasksOf: ReadonlyMap<string, unknown>,
  isAtRest: (id: string) => boolean,
): readonly string[] {
  const named = [...world.state.service.values()]
    .filter(({ id }) => !isAtRest(id))
    .map((service) => ({ service, priority: priorityOf(world, service) }))
    .sort((a, b) => b.priority - a.priority || (a.service.name < b.service.name ? -1 : 1))
    .map(({ service }) => service.id as string);
  const traces = new Set<string>(tasksOf.keys());
  for (const version of world.state.serviceVersion.values()) traces.add(version.serviceId);
  for (const run of world.state.run.values()) traces.add(run.serviceId);
  return [...named, ...[...traces].filter((id) => !world.state.service.has(id)).sort()];
}

function priorityOf({ state }: World, { id, version }: Service): number {
  return state.serviceVersion.get(versionKey(id, version))?.spec.template.placement.priority ?? 0;
}

function planService(planning: Planning, service: Service, tasks: readonly Task[], nextTick: NextTick): void {
  const version = planning.world.state.serviceVersion.get(versionKey(service.id, service.version));
  invariant(version !== undefined, `service ${service.name} has no version ${service.version}`);
  if (isJobMode(service.mode)) return planJob(planning, service, version, tasks, nextTick);
  const context: ServiceContext = { service, version, rollout: planning.world.state.rollout.get(service.id), tasks };
  const before = planning.steps.length;
  for (const task of tasks) planning.finishWithdrawal(task);
  planLeftovers(planning, tasks);
  if (dropMoves(planning, context)) return;
  if (context.rollout !== undefined && !isOurs(context)) {
    planTakeover(planning, context, context.rollout);
    return;
  }
  const all = slotsOf(planning, context);
  const counted = all.wanted.filter((slot) => isCounted(planning, slot));
  const tracks = tracksOf(planning, context, all.old, counted);
  fill(planning, context, all.slots, tracks);
  for (const slot of all.slots) planHistory(planning, slot.ended);
  endExtras(planning, context, all);
  planWeights(planning, context);
  // a rollout decides on slots at rest: what was just planned shows in the next pass
  if (planning.steps.length === before) planRollout(planning, context, counted, tracks);
}

/** One task for each slot; of two versions side by side one each. */
function fill(planning: Planning, context: ServiceContext, slots: readonly Slot[], tracks: Tracks | undefined): void {
  const { rollout } = context;
  if (rollout !== undefined && tracks !== undefined) {
    planTracks(planning, context, rollout, tracks);
    return;
  }
  const budget = new MoveBudget(planning, context, slots);
  for (const slot of slots) planSlot(planning, context, slot, budget);
}

/** Another change takes over: its rollout begins before anything else is decided. */
function planTakeover(planning: Planning, context: ServiceContext, rollout: Rollout): void {
  if (isBeside(rollout)) planSuperseded(planning, context, rollout);
  planRollout(planning, context, [], undefined);
}

type Slots = {
  readonly slots: readonly Slot[];
  /** Those that the version of today is for. */
  readonly wanted: readonly Slot[];
  /** Those that tasks from before are for: others only while two versions run side by side. */
  readonly old: readonly Slot[];
};

function slotsOf(planning: Planning, context: ServiceContext): Slots {
  const { service, version, tasks } = context;
  const replicas = wantedReplicas(service);
  if (replicas !== undefined) {
    const bySlot = Map.groupBy(tasks, (task) => task.slot);
    const slots = Array.from({ length: replicas }, (_, at) => slotOf(planning, at + 1, bySlot.get(at + 1) ?? []));
    return { slots, wanted: slots, old: slots };
  }
  const byNode = Map.groupBy(tasks, (task) => task.onlyNode ?? task.nodeId);
  const wanted = new Set(eligibleNodes(planning.world, version, tasks));
  const before = versionBeside(planning, context);
  const old = before === undefined ? wanted : new Set(eligibleNodes(planning.world, before, tasks));
  const slots = [...new Set([...wanted, ...old])].sort().map((id) => slotOf(planning, 0, byNode.get(id) ?? [], id));
  const isIn = (ids: ReadonlySet<NodeId>) => (slot: Slot) => slot.onlyNode !== undefined && ids.has(slot.onlyNode);
  return { slots, wanted: slots.filter(isIn(wanted)), old: slots.filter(isIn(old)) };
}

/** The version from before, while its tasks are to run beside those of today. */
function versionBeside(planning: Planning, { service, rollout }: ServiceContext): ServiceVersion | undefined {
  if (!isBeside(rollout) || rollout.fromVersion === undefined) return undefined;
  return planning.version(service.id, rollout.fromVersion);
}

/** Slots beyond the wanted number, and nodes that are no longer eligible for the version of a task. */
function endExtras(planning: Planning, context: ServiceContext, { wanted, old }: Slots): void {
  const { service, tasks } = context;
  const keysOf = (slots: readonly Slot[]) => new Set<string | number>(slots.map((slot) => slot.onlyNode ?? slot.slot));
  const [kept, keptOfOld] = [keysOf(wanted), keysOf(old)];
  const key = (task: Task): string | number | undefined =>
    service.mode.kind === "global" ? (task.onlyNode ?? task.nodeId) : task.slot;
  const extras = tasks.filter((task) => !(planning.isCurrent(context, task) ? kept : keptOfOld).has(key(task) ?? -1));
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
  if (service.asleep !== undefined) return "its service fell asleep: nobody called it";
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
