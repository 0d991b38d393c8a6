// Which tasks would go elsewhere if they were placed now: what a node that joined, or one that is back, changes. Only what the ranking's counts
// say counts: what is measured moves nothing. Moves are tried one by one on a copy until none betters anything. Pure.

import { runsPinned } from "./pinned.ts";
import type { Service, ServiceVersion, Task } from "../model/records.ts";
import { isJobMode } from "../model/service-spec.ts";
import { copyState, type MutableState, versionKey, type World } from "../model/world.ts";
import { isHealthy } from "../reconcile/health.ts";
import { wantedOf } from "./asking.ts";
import { Ledger } from "./ledger.ts";
import { betterPlace } from "./place.ts";

/** A task is looked at so often: a move may make room for a better one. */
const MAX_PASSES = 10;

export type Rebalanced = {
  readonly moves: readonly { readonly task: Task; readonly nodeId: string; readonly why: string }[];
  readonly stays: readonly { readonly service: Service; readonly reason: string }[];
};

/** The moves towards where tasks would be placed now, and why services take no part. Services by name, tasks by slot. */
export function planRebalance(world: World, nowMs: number): Rebalanced {
  const stays: { service: Service; reason: string }[] = [];
  const movable: { service: Service; version: ServiceVersion }[] = [];
  for (const service of [...world.state.service.values()].sort((a, b) => (a.name < b.name ? -1 : 1))) {
    const version = world.state.serviceVersion.get(versionKey(service.id, service.version));
    if (version === undefined || service.mode.kind === "global" || isJobMode(service.mode)) continue;
    const reason = whyNot(world, service, version);
    if (reason === undefined) movable.push({ service, version });
    else stays.push({ service, reason });
  }
  const state = copyState(world.state);
  const scratch: World = { ...world, state, measured: new Map() };
  for (let pass = 0; pass < MAX_PASSES; pass++) {
    const before = movable.map(({ service, version }) => moveOnce(scratch, state, nowMs, service, version));
    if (!before.includes(true)) break;
  }
  const moved = movable
    .flatMap(({ service }) => tasksOf(world, service.id))
    .filter((task) => {
      const end = state.task.get(task.id)?.nodeId;
      return end !== undefined && end !== task.nodeId;
    });
  return { moves: moved.map((task) => described(world, nowMs, state, task)), stays };
}

/** Why nothing of a service is moved; undefined if it may be. */
function whyNot(world: World, service: Service, version: ServiceVersion): string | undefined {
  const { state } = world;
  const { placement } = version.spec.template;
  if (placement.with !== undefined) return `it follows ${placement.with}`;
  // what fills nodes and what evens them out would chase each other
  if (placement.strategy === "binpack") return "its strategy is binpack";
  const pinned = runsPinned(state, version.spec.template);
  if (pinned !== undefined) return pinned;
  const rollout = state.rollout.get(service.id);
  const isSettled = rollout?.state === "completed" || rollout?.state === "rolled_back" || rollout?.state === "watching";
  if (!isSettled || rollout.toVersion !== service.version || rollout.force !== service.force)
    return "a change of it is under way";
  const ill = tasksOf(world, service.id).find((task) => !isHealthy(world, task));
  return ill === undefined ? undefined : "not all of its tasks are healthy";
}

function tasksOf({ state }: World, id: string): readonly Task[] {
  return [...state.task.values()]
    .filter((task) => task.serviceId === id && task.desired === "running" && task.withdrawal === undefined)
    .sort((a, b) => a.slot - b.slot || (a.id < b.id ? -1 : 1));
}

/** Tries to better the place of each task of a service, those on the fullest nodes first, so that few have to move. True if one was. */
function moveOnce(
  world: World,
  state: MutableState,
  nowMs: number,
  service: Service,
  version: ServiceVersion,
): boolean {
  let hasMoved = false;
  const before = new Ledger(state, world.routesGeneration > 0);
  const fullness = ({ nodeId }: Task): number => (nodeId === undefined ? 0 : (before.nodeUse(nodeId)?.tasks ?? 0));
  for (const task of tasksOf(world, service.id).toSorted((a, b) => fullness(b) - fullness(a))) {
    const ledger = new Ledger(state, world.routesGeneration > 0);
    const wanted = wantedOf(service, version, { force: task.force, slot: task.slot }, new Set());
    const better = ledger.without(task, () => betterPlace(world, ledger, nowMs, wanted, task.nodeId));
    if (better === undefined) continue;
    state.task.set(task.id, { ...task, ...better.placed });
    hasMoved = true;
  }
  return hasMoved;
}

/** What the first score that differs says of the two nodes, all other moves made. */
function described(world: World, nowMs: number, state: MutableState, task: Task): Rebalanced["moves"][number] {
  const end = state.task.get(task.id);
  const service = state.service.get(task.serviceId);
  const version = state.serviceVersion.get(versionKey(task.serviceId, task.specVersion));
  const nodeId = end?.nodeId ?? "";
  if (service === undefined || version === undefined) return { task, nodeId, why: "" };
  const ledger = new Ledger(world.state, world.routesGeneration > 0);
  const wanted = wantedOf(service, version, { force: task.force, slot: task.slot }, new Set());
  const quiet = { ...world, measured: new Map() };
  const better = ledger.without(task, () => betterPlace(quiet, ledger, nowMs, wanted, task.nodeId));
  return { task, nodeId, why: better?.why ?? "makes room for others" };
}
