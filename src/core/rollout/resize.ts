// A change of nothing but limits and reservations is made in the running container where that can be: the task keeps its container, its
// address and its connections, and runs the new version from then on. What the engine refuses goes the usual way. Pure.

import { canonicalJson } from "../model/canonical.ts";
import type { ResourceAmounts, TaskTemplate } from "../model/service-spec.ts";
import { isHealthy, templateOf } from "../reconcile/health.ts";
import { mustMove } from "../reconcile/must-move.ts";
import type { Planning, ServiceContext } from "../reconcile/planning.ts";
import type { Slot } from "../reconcile/slots.ts";
import { failedAttempts } from "../schedule/ledger.ts";
import { lacking } from "../schedule/resources.ts";

/** Whether engines can turn one into the other without a new container. A limit that was there can be changed, not taken away. */
export function canResize(before: TaskTemplate, after: TaskTemplate): boolean {
  if (canonicalJson({ ...before, resources: {} }) !== canonicalJson({ ...after, resources: {} })) return false;
  const [from, to] = [before.resources, after.resources];
  const { cpuPeriodUs, cpuQuotaUs } = after.container.runtime;
  const isCpuFree = cpuPeriodUs === undefined && cpuQuotaUs === undefined;
  const stays = (was: number, is: number): boolean => was === 0 || is > 0;
  return (
    (isCpuFree || from.limits.cpus === to.limits.cpus) &&
    stays(from.limits.cpus, to.limits.cpus) &&
    stays(from.limits.memoryBytes, to.limits.memoryBytes) &&
    stays(from.reservations.memoryBytes, to.reservations.memoryBytes) &&
    canonicalJson(from.reservations.generic) === canonicalJson(to.reservations.generic)
  );
}

/** Changes the slot's task in place, if its node has room for it. True if it does. */
export function resizeInPlace(planning: Planning, { service, version }: ServiceContext, slot: Slot): boolean {
  const [task] = slot.live;
  if (task?.nodeId === undefined || slot.live.length !== 1 || slot.ending.length > 0 || task.force < service.force)
    return false;
  const before = templateOf(planning.world.state, task);
  const after = version.spec.template;
  const use = planning.ledger.nodeUse(task.nodeId);
  if (before === undefined || use === undefined || !canResize(before, after)) return false;
  const status = planning.world.state.taskStatus.get(task.id);
  if (!isHealthy(planning.world, task) || status?.unresizedTo === version.version) return false;
  if (planning.world.presence.get(task.nodeId) !== "ready" || mustMove(planning, task) !== undefined) return false;
  const { reservations } = after.resources;
  if (planning.ledger.without(task, () => lacking(use, reservations)) !== "") return false;
  planning.ledger.reserve(use, growth(before.resources.reservations, reservations));
  planning.steps.push({
    kind: "resize",
    taskId: task.id,
    version: version.version,
    resize: { fromVersion: task.specVersion, atMs: planning.nowMs, failures: failedAttempts(status) },
  });
  return true;
}

/** What is asked for beyond what was; room that becomes free is free once the change is made. */
function growth(before: ResourceAmounts, after: ResourceAmounts): ResourceAmounts {
  return {
    cpus: Math.max(0, after.cpus - before.cpus),
    memoryBytes: Math.max(0, after.memoryBytes - before.memoryBytes),
    generic: {},
  };
}
