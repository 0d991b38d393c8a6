// Which slots of a rollout change next, and how: beside the old task, after it, or not yet because the new one fits nowhere. Never
// more at once than allowed, and no healthy task is stopped when fewer would be left than allowed. Pure.

import type { Service, Task } from "../model/records.ts";
import type { UpdatePolicy } from "../model/update-policy.ts";
import { isHealthy, isOnLostNode, isResizeRefused } from "../reconcile/health.ts";
import type { Planning, ServiceContext } from "../reconcile/planning.ts";
import { resizeInPlace } from "./resize.ts";
import { holdBehind, needsStopFirst, type Slot } from "../reconcile/slots.ts";

export type View = {
  /** Slots that hold a healthy task of the current template and nothing else. */
  readonly done: readonly Slot[];
  /** Slots whose task of the current template failed: they hold nobody up. */
  readonly failed: readonly Slot[];
  /** How many of them failed by this rollout, within what its policy bears. */
  readonly tolerated: number;
  /** Slots with tasks of an older template only, or with none since the last of those ended. */
  readonly outdated: readonly Slot[];
  /** Slots between the two. */
  readonly changing: readonly Slot[];
};

/** Starts as many changes as the policy allows now. True if something began. */
export function planBatch(planning: Planning, context: ServiceContext, policy: UpdatePolicy, view: View): boolean {
  const before = planning.steps.length;
  const slotCount = view.done.length + view.failed.length + view.outdated.length + view.changing.length;
  let mayStop = stoppable(planning, policy, view, slotCount);
  let budget = policy.parallelism === 0 ? view.outdated.length : policy.parallelism - view.changing.length;
  for (const slot of brokenFirst(planning, view.outdated)) {
    if (budget <= 0) break;
    if (resizeInPlace(planning, context, slot)) {
      budget -= 1;
      continue;
    }
    const way = wayFor(planning, context, slot, policy);
    const stopsHealthy = way === "stop-first" && isInService(planning, slot);
    if (stopsHealthy && mayStop <= 0) continue;
    if (stopsHealthy) mayStop -= 1;
    budget -= 1;
    change(planning, context, slot, way);
  }
  return planning.steps.length > before;
}

/** New tasks that wait beside the old one get its place once they would fit there. True if one did. */
export function planHandovers(planning: Planning, context: ServiceContext, policy: UpdatePolicy, view: View): boolean {
  const before = planning.steps.length;
  const slotCount = view.done.length + view.failed.length + view.outdated.length + view.changing.length;
  let mayStop = stoppable(planning, policy, view, slotCount);
  for (const slot of view.changing) {
    const next = slot.live.find((task) => task.nodeId === undefined && planning.isCurrent(context, task));
    const old = slot.live.find((task) => task.nodeId !== undefined && !isOnLostNode(planning.world, task));
    if (next === undefined || old === undefined || planning.isCurrent(context, old)) continue;
    if (!planning.wouldFit(context.service, next.specVersion, slot.onlyNode, old)) continue;
    if (isInService(planning, slot) && mayStop-- <= 0) continue;
    planning.end(old, `updated to version ${next.specVersion}`);
  }
  return planning.steps.length > before;
}

/** How many healthy tasks may be stopped now. Failures that the policy bears count as if they were healthy, else nothing would go on. */
function stoppable(planning: Planning, policy: UpdatePolicy, view: View, slotCount: number): number {
  if (policy.parallelism === 0) return slotCount;
  const inService = [...view.outdated, ...view.changing].filter((slot) => isInService(planning, slot)).length;
  return inService + view.done.length + view.tolerated - (slotCount - policy.parallelism);
}

function isInService(planning: Planning, slot: Slot): boolean {
  return slot.live.some((task) => isHealthy(planning.world, task));
}

function brokenFirst(planning: Planning, slots: readonly Slot[]): readonly Slot[] {
  const broken = slots.filter((slot) => !isInService(planning, slot));
  return [...broken, ...slots.filter((slot) => isInService(planning, slot))];
}

type Way = "start-first" | "stop-first" | "wait";

function wayFor(planning: Planning, { service, version }: ServiceContext, slot: Slot, policy: UpdatePolicy): Way {
  const old = oldOf(slot);
  if (old?.nodeId === undefined) return "stop-first";
  const mayRunBeside = policy.order === "start-first" && !needsStopFirst(version.spec.template);
  if (mayRunBeside && planning.wouldFit(service, version.version, slot.onlyNode, undefined, slot.slot))
    return "start-first";
  return planning.wouldFit(service, version.version, slot.onlyNode, old) ? "stop-first" : "wait";
}

function change(planning: Planning, context: ServiceContext, slot: Slot, way: Way): void {
  const { service, version } = context;
  const old = oldOf(slot) ?? slot.ended.at(-1);
  if (old === undefined) return;
  planning.create(context, {
    slot: slot.slot,
    version: service.version,
    why: whyChanged(planning, service, old),
    replaces: old.id,
    onlyNode: slot.onlyNode,
    // one that was never placed has nothing to stop, but what it waited for may still be there
    hold:
      way === "stop-first" && mustStop(planning, old)
        ? planning.stopsFirst(old)
        : holdBehind(planning, slot.ending, version.spec.template),
  });
  for (const task of slot.live)
    if (way === "stop-first" || task.nodeId === undefined) planning.end(task, `updated to version ${service.version}`);
}

/** Beside the one that runs there may be a newer one, of a change that was given up before it found a node. */
function oldOf({ live }: Slot): Task | undefined {
  return live.findLast(({ nodeId }) => nodeId !== undefined) ?? live.at(-1);
}

function whyChanged(planning: Planning, service: Service, old: Task): string {
  if (isResizeRefused(planning.world.state, old))
    return `updates from version ${old.resize?.fromVersion}: ${planning.world.state.taskStatus.get(old.id)?.reason}`;
  return old.specVersion === service.version ? "made anew by force" : `updates from version ${old.specVersion}`;
}

/** Something of it may run that its successor has to wait for. */
function mustStop(planning: Planning, old: Task): boolean {
  return old.desired === "running" && old.nodeId !== undefined && !isOnLostNode(planning.world, old);
}
