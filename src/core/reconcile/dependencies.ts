// depends_on: what a service waits for before its first tasks, and before those of a new version. It is a barrier, passed once for each change:
// what is moved, made again or scaled up later does not wait again. Whatever can never come, a service that wants no task, one that is
// removed or suspended, is not waited for. Pure.

import { madeFor, runsOf, serviceNamed } from "../jobs/job-context.ts";
import type { Service, ServiceVersion, Task } from "../model/records.ts";
import type { Rollout } from "../model/rollout.ts";
import { type Dependency, isJobMode } from "../model/service-spec.ts";
import { wantedReplicas } from "../model/scale.ts";
import { versionKey, type World } from "../model/world.ts";
import { hasFailed, isFinished, isHealthy, isResizeRefused } from "./health.ts";

/** What holds a service back: the other service, and a sentence. */
export type Held = { readonly by: Service; readonly reason: string };

/** A rollout in one of these is over, or only looked at. */
const SETTLED: ReadonlySet<Rollout["state"]> = new Set(["watching", "completed", "rolled_back", "superseded"]);

/** Why the service's current version may not start yet; undefined if it may, or has begun. `tasks`: all of the service. */
export function heldBack(
  world: World,
  service: Service,
  version: ServiceVersion,
  tasks: readonly Task[],
): Held | undefined {
  const { dependsOn = [] } = version.spec;
  if (dependsOn.length === 0 || service.isRollback || hasBegun(world, service, version, tasks)) return undefined;
  const isFirst =
    world.state.rollout.get(service.id)?.fromVersion === undefined && service.previousVersion === undefined;
  for (const dependency of dependsOn) {
    const by = serviceNamed(world, dependency.service);
    if (by === undefined || (!isFirst && !isChanging(world, by))) continue;
    const reason = unmet(world, by, dependency);
    if (reason !== undefined) return { by, reason: `${by.name} comes first: ${reason}` };
  }
  return undefined;
}

/** One of its tasks was given to a node, or its run was made: who waits no more need not wait again, also when that node is gone. */
function hasBegun(world: World, service: Service, version: ServiceVersion, tasks: readonly Task[]): boolean {
  if (isJobMode(service.mode)) return world.state.job.get(service.id)?.made === madeFor(service, version);
  const rollout = world.state.rollout.get(service.id);
  const isOfThis = rollout?.toVersion === service.version && rollout.force === service.force;
  if (isOfThis && (rollout.progress?.done ?? 0) > 0) return true;
  return tasks.some((task) => task.nodeId !== undefined && isCurrent(world, service, version, task));
}

function isCurrent({ state }: World, service: Service, version: ServiceVersion, task: Task): boolean {
  if (task.force < service.force || isResizeRefused(state, task)) return false;
  if (task.specVersion === version.version) return true;
  return state.serviceVersion.get(versionKey(service.id, task.specVersion))?.templateHash === version.templateHash;
}

/** A service is changed together with those that wait for it: who is at rest has nothing to do with the change. */
function isChanging(world: World, service: Service): boolean {
  if (isJobMode(service.mode)) return true;
  const rollout = world.state.rollout.get(service.id);
  if (rollout === undefined || rollout.toVersion !== service.version || rollout.force !== service.force) return true;
  return !SETTLED.has(rollout.state);
}

function unmet(world: World, by: Service, dependency: Dependency): string | undefined {
  const version = world.state.serviceVersion.get(versionKey(by.id, by.version));
  if (version === undefined) return undefined;
  const found = isJobMode(by.mode)
    ? unmetJob(world, by, version, dependency)
    : unmetService(world, by, version, dependency);
  // what need not be there is waited for while it is on its way, not when it fails
  return found === undefined || (found.hasFailed && !dependency.required) ? undefined : found.reason;
}

type Unmet = { readonly reason: string; readonly hasFailed: boolean };

function unmetJob(world: World, by: Service, version: ServiceVersion, { condition }: Dependency): Unmet | undefined {
  const job = world.state.job.get(by.id);
  const { spec } = version;
  const runsAtDeploy = spec.job?.schedule === undefined && spec.job?.after.length === 0;
  if (by.job?.suspended === true) return undefined;
  if (!runsAtDeploy)
    return (job?.succeeded ?? 0) > 0 ? undefined : { reason: "none of its runs has succeeded yet", hasFailed: false };
  if (job?.made !== madeFor(by, version)) return { reason: "its run is still to be made", hasFailed: false };
  const runs = runsOf(world, by).filter(({ state }) => state !== "skipped");
  const last = runs.at(-1);
  // once this version did its work a later run that fails says nothing about what waits for it
  const deployed = runs.findLast(({ cause }) => cause === "deployed")?.number ?? 0;
  const isDone = runs.some(({ number, state }) => number >= deployed && state === "succeeded");
  if (last === undefined || isDone || condition === "service_started") return undefined;
  if (last.state === "running") return { reason: `its run ${last.number} is under way`, hasFailed: false };
  const why = last.message === "" ? "" : `: ${last.message}`;
  return { reason: `its run ${last.number} ${last.state}${why}`, hasFailed: true };
}

function unmetService(
  world: World,
  by: Service,
  version: ServiceVersion,
  { condition }: Dependency,
): Unmet | undefined {
  const { state } = world;
  const replicas = wantedReplicas(by);
  if (replicas === 0) return undefined;
  const tasks = [...state.task.values()].filter(
    (task) => task.serviceId === by.id && task.desired === "running" && isCurrent(world, by, version, task),
  );
  const rollout = state.rollout.get(by.id);
  const isPaused = rollout?.state === "paused" || rollout?.state === "rollback_paused";
  const failed = tasks.filter((task) => hasFailed(state.taskStatus.get(task.id)));
  const isStuck = isPaused || (tasks.length > 0 && failed.length === tasks.length);
  switch (condition) {
    case "service_started": {
      const hasStarted = (task: Task): boolean =>
        ["running", "complete"].includes(state.taskStatus.get(task.id)?.state ?? "");
      return tasks.some(hasStarted) ? undefined : { reason: "none of its tasks has started yet", hasFailed: isStuck };
    }
    case "service_healthy":
      return tasks.some((task) => isHealthy(world, task))
        ? undefined
        : { reason: "none of its tasks is healthy yet", hasFailed: isStuck };
    case "service_completed_successfully": {
      const done = new Set(tasks.filter((task) => isFinished(state, task)).map((task) => task.onlyNode ?? task.slot));
      const wanted = replicas ?? Math.max(1, tasks.length);
      if (done.size >= wanted) return undefined;
      return { reason: `${done.size} of its ${wanted} tasks have completed`, hasFailed: isStuck };
    }
  }
}
