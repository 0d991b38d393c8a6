// Services and stacks as the API shows them: what is desired beside what is there. Pure.

import { versionsOf, currentVersion, specOf } from "../../core/commands/versions.ts";
import type { Service, ServiceVersion, Task } from "../../core/model/records.ts";
import type { RolloutState } from "../../core/model/rollout.ts";
import type {
  ServiceDetailView,
  ServiceVersionView,
  ServiceView,
  StackView,
  UpdateStatusView,
} from "../../core/model/views.ts";
import { isJobMode } from "../../core/model/service-spec.ts";
import { wantedReplicas } from "../../core/model/scale.ts";
import { type State, versionKey, type World } from "../../core/model/world.ts";
import { isHealthy, isResizeRefused } from "../../core/reconcile/health.ts";
import { isBeside, phaseOf } from "../../core/rollout/phase.ts";
import { updateStatusOf } from "../../core/rollout/rollout.ts";
import { meets, runsPlatform } from "../../core/schedule/constraint.ts";
import { compareTasks, isPresent, taskView } from "./tasks.ts";
import { iso, maybe } from "./time.ts";

/** A service with its present tasks, looked up once for both. */
export type Counted = {
  readonly service: Service;
  readonly version: ServiceVersion;
  /** To run and not being withdrawn. */
  readonly live: readonly Task[];
  /** Those of them that fill the slots: while two versions run side by side, of the one that does. */
  readonly serving: readonly Task[];
  readonly healthy: readonly Task[];
  readonly desired: number;
};

/** Tasks by service: one walk for a list of services. */
export function tasksByService(world: World): ReadonlyMap<string, readonly Task[]> {
  return Map.groupBy(world.state.task.values(), (task) => task.serviceId);
}

/** What counts of a service's tasks now. */
export function countService(world: World, service: Service, tasks: readonly Task[]): Counted {
  const version = currentVersion(world.state, service);
  const live = tasks.filter((task) => task.desired === "running" && task.withdrawal === undefined);
  const serving = live.filter((task) => isServing(world.state, service, version, task));
  const healthy = isJobMode(service.mode) ? serving : serving.filter((task) => isHealthy(world, task));
  return { service, version, live, serving, healthy, desired: desiredCount(world, service, version, live) };
}

/** Not one that is on trial, nor one that is only kept for a way back. */
function isServing(state: State, service: Service, version: ServiceVersion, task: Task): boolean {
  const rollout = state.rollout.get(service.id);
  if (!isBeside(rollout) || rollout.toVersion !== service.version || rollout.force !== service.force) return true;
  return isCurrentTask(state, service, version, task) === (phaseOf(rollout) === "switched");
}

/** Whether a task runs what its service should run. */
export function isCurrentTask(state: State, service: Service, version: ServiceVersion, task: Task): boolean {
  if (task.force < service.force || isResizeRefused(state, task)) return false;
  return (
    task.specVersion === service.version ||
    state.serviceVersion.get(versionKey(service.id, task.specVersion))?.templateHash === version.templateHash
  );
}

function desiredCount(world: World, service: Service, version: ServiceVersion, live: readonly Task[]): number {
  switch (service.mode.kind) {
    case "replicated":
      return wantedReplicas(service) ?? 0;
    // what runs of a job comes and goes: its runs say how far it is
    case "replicated-job":
    case "global-job":
      return live.length;
    case "global":
      return globalNodes(world, version, live);
  }
}

/** Nodes that a global service is for: those that meet its placement and can be reached. */
function globalNodes(world: World, version: ServiceVersion, live: readonly Task[]): number {
  const { placement } = version.spec.template;
  const has = new Set(live.map((task) => task.onlyNode ?? task.nodeId));
  let count = 0;
  for (const node of world.state.node.values()) {
    const status = world.state.nodeStatus.get(node.id);
    const presence = world.presence.get(node.id);
    if (
      node.confirmedDeadAtMs !== undefined ||
      node.availability === "drain" ||
      presence === "lost" ||
      status === undefined
    )
      continue;
    if (
      !placement.constraints.every((constraint) => meets(constraint, node, status)) ||
      !runsPlatform(placement.platforms, status)
    )
      continue;
    if (has.has(node.id) || (node.availability === "active" && presence === "ready")) count += 1;
  }
  return count;
}

/** A service in a list. */
export function serviceView(world: World, { service, version, live, serving, healthy, desired }: Counted): ServiceView {
  const { state } = world;
  const rollout = state.rollout.get(service.id);
  const status = updateStatusOf(rollout);
  const updateStatus: UpdateStatusView | undefined =
    status === undefined
      ? undefined
      : {
          state: status.state,
          startedAt: iso(status.startedAtMs),
          ...maybe("completedAt", status.completedAtMs === undefined ? undefined : iso(status.completedAtMs)),
          message: status.message,
        };
  return {
    id: service.id,
    index: service.index,
    name: service.name,
    ...maybe("stack", service.stack),
    image: version.spec.template.container.image,
    mode: service.mode,
    version: service.version,
    ...maybe("previousVersion", service.previousVersion),
    desired,
    running: serving.filter((task) => state.taskStatus.get(task.id)?.state === "running").length,
    healthy: healthy.length,
    ...maybe("address", service.address),
    ports: version.spec.template.ports,
    ...maybe("updateStatus", updateStatus),
    ...maybe("rolloutState", rollout?.state),
    ...(service.asleep === undefined ? {} : { asleep: true as const }),
    waiting: byFrequency(live.flatMap((task) => (task.waiting === undefined ? [] : [task.waiting]))),
    createdAt: iso(service.createdAtMs),
    updatedAt: iso(service.updatedAtMs),
  };
}

function byFrequency(reasons: readonly string[]): readonly string[] {
  const counts = new Map<string, number>();
  for (const reason of reasons) counts.set(reason, (counts.get(reason) ?? 0) + 1);
  return [...counts].sort(([a, countA], [b, countB]) => countB - countA || (a < b ? -1 : 1)).map(([reason]) => reason);
}

/** A service with all that there is to it. */
export function serviceDetailView(world: World, service: Service, tasks: readonly Task[]): ServiceDetailView {
  const counted = countService(world, service, tasks);
  return {
    ...serviceView(world, counted),
    spec: specOf(world.state, service),
    versions: versionsOf(world.state, service.id).map(versionView),
    tasks: tasks
      .filter((task) => isPresent(world.state, task))
      .map((task) => taskView(world, task))
      .sort(compareTasks),
  };
}

function versionView(version: ServiceVersion): ServiceVersionView {
  const { hash, templateHash, stable, spec } = version;
  return { version: version.version, hash, templateHash, stable, createdAt: iso(version.createdAtMs), spec };
}

/** All services, by name. */
export function serviceViews(world: World, stack?: string): readonly ServiceView[] {
  const tasks = tasksByService(world);
  return [...world.state.service.values()]
    .filter((service) => stack === undefined || service.stack === stack)
    .sort((a, b) => (a.name < b.name ? -1 : 1))
    .map((service) => serviceView(world, countService(world, service, tasks.get(service.id) ?? [])));
}

/** Stacks that have services, by name. */
export function stackViews(services: readonly ServiceView[]): readonly StackView[] {
  const stacks = Map.groupBy(
    services.filter((service) => service.stack !== undefined),
    (service) => service.stack ?? "",
  );
  return [...stacks].sort(([a], [b]) => (a < b ? -1 : 1)).map(([name, members]) => stackView(name, members));
}

const ON_THE_MOVE: ReadonlySet<RolloutState | undefined> = new Set(["trial", "updating", "rolling_back"] as const);

/** One stack from the views of its services. */
export function stackView(name: string, services: readonly ServiceView[]): StackView {
  const isSettled = (service: ServiceView): boolean =>
    service.healthy === service.desired && !ON_THE_MOVE.has(service.rolloutState);
  const sum = (of: (service: ServiceView) => number): number =>
    services.reduce((total, service) => total + of(service), 0);
  const state = services.some((service) => service.waiting.length > 0)
    ? "waiting"
    : services.every(isSettled)
      ? "healthy"
      : "converging";
  return {
    name,
    services: services.length,
    desired: sum((service) => service.desired),
    healthy: sum((service) => service.healthy),
    state,
  };
}
