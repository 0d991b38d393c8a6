// What must come about once faults are over. L1: every service that can be has its healthy tasks, by what truly runs. L2: rollouts end. L3:
// planning again changes nothing. L5: drained nodes are empty. L6: what waits says why. S7: nothing else runs. S21: history is bounded.

import { nextTick } from "../fakes/calendar.ts";
import { asId, idSourceFrom } from "../../../src/core/model/ids.ts";
import {
  KEPT_TASKS_PER_SLOT,
  KEPT_VERSIONS,
  type Node,
  type Service,
  type Task,
} from "../../../src/core/model/records.ts";
import { type Rollout } from "../../../src/core/model/rollout.ts";
import { isJobMode, type TaskTemplate } from "../../../src/core/model/service-spec.ts";
import { type State, versionKey } from "../../../src/core/model/world.ts";
import { plan } from "../../../src/core/reconcile/plan.ts";
import { isPaused } from "../../../src/core/rollout/phase.ts";
import { changesOf, describeStep } from "../../../src/core/reconcile/step.ts";
import type { Box } from "../fakes/machine-engine.ts";
import { KEPT_ENTRIES } from "../fakes/sim-store.ts";
import { isErrandDone } from "../story/jobs.ts";
import { isGood } from "../story/services.ts";
import type { Cluster } from "../world/cluster.ts";
import type { Host } from "../world/host.ts";
import { wrongRules } from "./network-checks.ts";
import { isFinished } from "./plan-checks.ts";
import type { Violation } from "./violation.ts";

/** A service's own, the one before it, the last stable one, and both of its rollout. */
const NEEDED_VERSIONS = 5;

type Shortfall = Omit<Violation, "atMs">;

/** Everything that is not yet as it must be; empty at rest. */
export function shortfalls(cluster: Cluster, givenUp: ReadonlySet<Host>): readonly Shortfall[] {
  const { running, state } = cluster;
  if (running === undefined) return isTakenOver(cluster) ? [] : [{ invariant: "L1", sentence: "no coordinator runs" }];
  const hosts = cluster.nodes.filter((host) => isCounted(state, host));
  const disconnected = hosts.find((host) => !running.coordinator.isReady(host.id));
  if (disconnected !== undefined)
    return [
      {
        invariant: "L1",
        sentence: `${disconnected.name} is not in contact: ${running.coordinator.messageOf(disconnected.id)}`,
      },
    ];
  return [
    ...[...state.service.values()].flatMap((service) => serviceShortfalls(cluster, service, hosts)),
    ...hosts.flatMap((host) => orphans(state, host, givenUp)),
    ...drained(state, hosts, running.clock.nowMs()),
    ...wrongRules(hosts).map((sentence) => ({ invariant: "S14", sentence })),
    ...notPlanned(cluster),
    ...unbounded(cluster),
    ...hosts.flatMap((host) => wrongSizes(state, host)),
  ];
}

/** A node that lost its files obeys an old copy of the data if that finds it first, and refuses the true coordinator, which ends as it must. */
function isTakenOver({ machine, nodes }: Cluster): boolean {
  const refusing = nodes.find(({ name }) => machine.refused?.startsWith(`${name} refuses this coordinator`) === true);
  return refusing?.hasLostFiles === true;
}

function isCounted(state: State, host: Host): boolean {
  const node = state.node.get(host.id);
  return node !== undefined && node.confirmedDeadAtMs === undefined;
}

// --- L1, L2, L6

function serviceShortfalls({ state }: Cluster, service: Service, hosts: readonly Host[]): readonly Shortfall[] {
  if (isJobMode(service.mode)) return jobShortfalls(state, service);
  const rollout = state.rollout.get(service.id);
  const image = imageOf(state, service);
  if (rollout === undefined || rollout.toVersion !== service.version)
    return [
      { invariant: "L2", sentence: `the rollout of ${service.name} to version ${service.version} has not begun` },
    ];
  const tasks = [...state.task.values()].filter((task) => task.serviceId === service.id && task.desired === "running");
  const waiting = tasks.filter((task) => task.nodeId === undefined);
  if (waiting.some(({ waiting: reason }) => reason?.includes("comes first") === true))
    return isRightlyHeld(state, hosts, service)
      ? []
      : [{ invariant: "L6", sentence: `${service.name} waits for what is there: ${waiting[0]?.waiting}` }];
  const stuck = waiting.flatMap((task) => wrongWait(state, service, task));
  if (stuck.length > 0) return stuck;
  // what waits for a node holds up a rollout, and the slots behind it
  if (waiting.length > 0 || rollout.state === "paused" || rollout.state === "rollback_paused") return [];
  if (isRightlyHeld(state, hosts, service)) return [];
  if (isHeld(state, rollout)) return [];
  // what cannot work is not asked to: it pauses, goes back, or says so; a first deploy keeps trying
  if (!isGood(image))
    return isUnderWay(rollout) && rollout.fromVersion !== undefined ? [unended(service, rollout)] : [];
  const healthy = tasks.filter((task) => isTrulyHealthy(hosts, task) || isFinished(state, task));
  const { wanted, atMost } = wantedTasks(state, service);
  if (healthy.length < wanted || tasks.length > atMost)
    return [
      {
        invariant: "L1",
        sentence: `${service.name} has ${healthy.length} healthy tasks of ${wanted}, and ${tasks.length} are to run`,
      },
    ];
  return isUnderWay(rollout) ? [unended(service, rollout)] : [];
}

/** No job begins by itself at rest: what was asked for has begun, and what can end has ended. */
function jobShortfalls(state: State, service: Service): readonly Shortfall[] {
  const job = state.job.get(service.id);
  if ((service.job?.requested ?? 0) > (job?.requested ?? 0))
    return [{ invariant: "L1", sentence: `a run of ${service.name} was asked for, and does not begin` }];
  const ended = [...state.run.values()].filter((run) => run.serviceId === service.id && run.state !== "running");
  const kept = state.serviceVersion.get(versionKey(service.id, service.version))?.spec.job?.keptRuns ?? 0;
  if (ended.length > 2 * kept)
    return [{ invariant: "S21", sentence: `${ended.length} runs of ${service.name} are kept, and ${kept} may` }];
  return [...state.run.values()].flatMap((run) => {
    if (run.serviceId !== service.id || run.state !== "running") return [];
    const spec = state.serviceVersion.get(versionKey(service.id, run.specVersion))?.spec;
    const tasks = [...state.task.values()].filter((task) => task.serviceId === service.id && task.run === run.number);
    const waiting = tasks.filter((task) => task.desired === "running" && task.nodeId === undefined);
    const stuck = waiting.flatMap((task) => wrongWait(state, service, task));
    const isLimited = (spec?.job?.timeoutMs ?? 0) > 0;
    const mayWait = waiting.length > 0 && !isLimited;
    if (stuck.length > 0 || mayWait) return stuck;
    const isToEnd = isLimited || isErrandDone(spec?.template.container.image ?? "");
    return isToEnd ? [{ invariant: "L2", sentence: `run ${run.number} of ${service.name} has not ended` }] : [];
  });
}

/** Something that it depends on has no task that works: its own shortfalls say whether that may be. */
function isRightlyHeld(state: State, hosts: readonly Host[], service: Service): boolean {
  const spec = state.serviceVersion.get(versionKey(service.id, service.version))?.spec;
  const isMissing = (name: string): boolean => {
    const other = [...state.service.values()].find((one) => one.name === name);
    if (other === undefined || (other.mode.kind === "replicated" && other.mode.replicas === 0)) return false;
    const tasks = [...state.task.values()].filter(
      (task) => task.serviceId === other.id && task.specVersion === other.version && task.force >= other.force,
    );
    return !tasks.some((task) => isTrulyHealthy(hosts, task));
  };
  return (spec?.dependsOn ?? []).some(({ service: name }) => isMissing(name));
}

/** A task without a node although one would take it, or without a word. */
function wrongWait(state: State, service: Service, task: Task): readonly Shortfall[] {
  const reason = task.waiting ?? "";
  if (reason === "")
    return [{ invariant: "L6", sentence: `a task of ${service.name} has no node and does not say why` }];
  const template = state.serviceVersion.get(versionKey(service.id, task.specVersion))?.spec.template;
  // another task of the slot, its data, or a node's ten minutes: these are none of capacity
  if (template === undefined || /stops first|its data is on|twice in ten minutes|comes first:/.test(reason)) return [];
  if (template.ports.length > 0 || template.placement.maxPerNode > 0 || template.container.mounts.length > 0) return [];
  const taker = [...state.node.values()].find(
    (node) =>
      (task.onlyNode ?? node.id) === node.id && node.availability === "active" && wouldTake(state, node, template),
  );
  if (taker === undefined) return [];
  return [
    { invariant: "L6", sentence: `a task of ${service.name} waits (${reason}), and ${taker.name} has room for it` },
  ];
}

function wouldTake(state: State, node: Node, template: TaskTemplate): boolean {
  const { cpus } = template.resources.reservations;
  const taken = [...state.task.values()]
    .filter((task) => task.nodeId === node.id && task.desired === "running")
    .reduce((sum, task) => sum + cpusOf(state, task), 0);
  return (
    node.confirmedDeadAtMs === undefined &&
    meets(node, template) &&
    // named resources have a checker of their own, and wait for a user
    Object.keys(template.resources.reservations.generic).length === 0 &&
    taken + cpus <= (state.nodeStatus.get(node.id)?.resources.cpus ?? 0)
  );
}

function cpusOf(state: State, task: Task): number {
  const spec = state.serviceVersion.get(versionKey(task.serviceId, task.specVersion))?.spec;
  return spec?.template.resources.reservations.cpus ?? 0;
}

function meets(node: Node, template: TaskTemplate): boolean {
  return template.placement.constraints.every(
    ({ attribute, operator, value }) =>
      (node.labels[attribute.replace("node.labels.", "")] === value) === (operator === "=="),
  );
}

function isUnderWay({ state }: Rollout): boolean {
  return ["trial", "switched", "updating", "rolling_back", "watching"].includes(state);
}

/** Its new tasks are all healthy, and nobody promotes them. */
function isHeld(state: State, { id, toVersion, healthySinceMs, ...rollout }: Rollout): boolean {
  const strategy = state.serviceVersion.get(versionKey(id, toVersion))?.spec.update.strategy;
  const isUntilPromoted = strategy !== undefined && strategy.holdMs === undefined;
  return rollout.state === "trial" && healthySinceMs !== undefined && isUntilPromoted;
}

function unended({ name }: Service, rollout: Rollout): Shortfall {
  return { invariant: "L2", sentence: `the rollout of ${name} has not ended: ${rollout.state}: ${rollout.message}` };
}

function imageOf(state: State, service: Service): string {
  return state.serviceVersion.get(versionKey(service.id, service.version))?.spec.template.container.image ?? "";
}

/** A paused node keeps what it has of a global service. */
function wantedTasks(state: State, service: Service): { readonly wanted: number; readonly atMost: number } {
  if (service.mode.kind === "replicated") return { wanted: service.mode.replicas, atMost: service.mode.replicas };
  const template = state.serviceVersion.get(versionKey(service.id, service.version))?.spec.template;
  const nodes = [...state.node.values()].filter(
    (node) => node.confirmedDeadAtMs === undefined && template !== undefined && meets(node, template),
  );
  const wanted = nodes.filter((node) => node.availability === "active").length;
  return { wanted, atMost: wanted + nodes.filter((node) => node.availability === "pause").length };
}

function isTrulyHealthy(hosts: readonly Host[], task: Task): boolean {
  const host = hosts.find((one) => one.id === task.nodeId);
  return (
    host?.engine.running.some((box) => box.labels["davit.task"] === task.id && host.engine.probe(box.id).ok) === true
  );
}

// --- S7

function orphans(state: State, host: Host, givenUp: ReadonlySet<Host>): readonly Shortfall[] {
  if (givenUp.has(host)) return [];
  const isAssigned = (box: Box): boolean => {
    const task = state.task.get(box.labels["davit.task"] ?? "");
    return task !== undefined && task.nodeId === host.id && task.desired === "running";
  };
  return host.engine.running
    .filter((box) => box.request !== undefined && !isAssigned(box))
    .map((box) => ({ invariant: "S7", sentence: `${box.name} runs on ${host.name}, and nobody wants it there` }));
}

/** What runs has the limits of the version that its task says, or the rollout is not over. */
function wrongSizes(state: State, host: Host): readonly Shortfall[] {
  return host.engine.running.flatMap((box) => {
    const task = state.task.get(box.labels["davit.task"] ?? "");
    const rollout = task === undefined ? undefined : state.rollout.get(task.serviceId);
    if (task === undefined || rollout === undefined || isPaused(rollout)) return [];
    const version = state.serviceVersion.get(versionKey(task.serviceId, task.specVersion));
    const has = JSON.stringify(box.request?.task.resources.limits);
    if (has === JSON.stringify(version?.spec.template.resources.limits)) return [];
    return [{ invariant: "L2", sentence: `${box.name} has limits ${has}, not those of version ${task.specVersion}` }];
  });
}

// --- L5

/** Unless what is there waits for a successor that cannot work, or that a user must decide about; after its deadline a node is empty. */
function drained(state: State, hosts: readonly Host[], nowMs: number): readonly Shortfall[] {
  const draining = hosts.filter((host) => state.node.get(host.id)?.availability === "drain");
  return draining.flatMap((host) =>
    host.engine.running
      .filter((box) => box.request !== undefined && (isPast(state, host, nowMs) || !mayStay(state, host, box)))
      .map((box) => ({ invariant: "L5", sentence: `${host.name} is draining, and ${box.name} runs there` })),
  );
}

/** What was begun on every node is finished there, or times out. */
function isOfGlobalJob(state: State, box: Box): boolean {
  return state.service.get(box.labels["davit.service.id"] ?? "")?.mode.kind === "global-job";
}

function isPast(state: State, host: Host, nowMs: number): boolean {
  return (state.node.get(host.id)?.drainUntilMs ?? Number.POSITIVE_INFINITY) < nowMs;
}

/** Until its deadline what fits nowhere else stays. */
function mayStay(state: State, host: Host, box: Box): boolean {
  return (
    state.node.get(host.id)?.drainUntilMs !== undefined || hasBadSuccessor(state, box) || isOfGlobalJob(state, box)
  );
}

/** What comes after it, or the service goes back to, cannot work: what does stays. */
function hasBadSuccessor(state: State, box: Box): boolean {
  const task = state.task.get(asId(box.labels["davit.task"] ?? ""));
  const version = task === undefined ? undefined : state.service.get(task.serviceId)?.version;
  const successor = [...state.task.values()].find(
    (one) =>
      one.desired === "running" &&
      (one.replaces === box.labels["davit.task"] ||
        (one.serviceId === task?.serviceId && one.slot === task.slot && one.specVersion === version)),
  );
  if (successor === undefined || successor.id === task?.id) return false;
  const spec = state.serviceVersion.get(versionKey(successor.serviceId, successor.specVersion))?.spec;
  return !isGood(spec?.template.container.image ?? "");
}

// --- L3

/** What a planner that looks at everything would do, and the coordinator's own, which looks at what changed, does not. */
export function overlooked(cluster: Cluster): readonly Shortfall[] {
  return cluster.running?.coordinator.isAtRest === true ? notPlanned(cluster) : [];
}

function notPlanned({ running }: Cluster): readonly Shortfall[] {
  if (running === undefined) return [];
  const { coordinator, door, clock } = running;
  const { steps } = plan(coordinator.worldOf(door.state), clock.nowMs(), idSourceFrom("again"), nextTick);
  const [first] = steps.filter((step) => changesOf(step, door.state).length > 0);
  return first === undefined
    ? []
    : [{ invariant: "L3", sentence: `planning again would ${describeStep(first, door.state)}` }];
}

// --- S21

function unbounded({ state, machine }: Cluster): readonly Shortfall[] {
  const found: Shortfall[] = [];
  const report = (what: string): void => void found.push({ invariant: "S21", sentence: what });
  for (const service of state.service.values()) {
    const tasks = [...state.task.values()].filter((task) => task.serviceId === service.id);
    const ended = Map.groupBy(
      tasks.filter((task) => task.desired === "shutdown"),
      // a job keeps the tasks of its kept runs
      (task) =>
        `${task.slot === 0 ? (task.onlyNode ?? "") : task.slot}${task.run === undefined ? "" : ` of run ${task.run}`}`,
    );
    for (const [slot, those] of ended)
      if (those.length > KEPT_TASKS_PER_SLOT)
        report(`slot ${slot} of ${service.name} keeps ${those.length} ended tasks`);
    const versions = [...state.serviceVersion.values()].filter((version) => version.serviceId === service.id).length;
    // each slot keeps the last of its tasks, and they may all be of other versions
    const named = new Set(tasks.map((task) => task.specVersion)).size;
    if (versions > KEPT_VERSIONS + NEEDED_VERSIONS + named) report(`${versions} versions of ${service.name} are kept`);
  }
  for (const task of state.task.values())
    if (!state.service.has(task.serviceId)) report(`task ${task.id} of a removed service is kept`);
  if (machine.file.events.length > 2 * KEPT_ENTRIES) report(`${machine.file.events.length} events are kept`);
  return found;
}
