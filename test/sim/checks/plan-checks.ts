// What a coordinator decides, change by change in the order of a transaction, on a copy of the state of its own. S8: no healthy task is stopped
// for an update when too few would be left. S9: not more at once than allowed. S11: a failed version starts nothing, and a rollback is not
// rolled back. S12, S13: nothing is placed where it does not fit or may not go.

import { asId, type NodeId } from "../../../src/core/model/ids.ts";
import type { Change, Node, Service, Task } from "../../../src/core/model/records.ts";
import type { Rollout } from "../../../src/core/model/rollout.ts";
import type { ServiceSpec } from "../../../src/core/model/service-spec.ts";
import type { UpdatePolicy } from "../../../src/core/model/update-policy.ts";
import { applyChange, copyState, type MutableState, type State, versionKey } from "../../../src/core/model/world.ts";
import type { Commit } from "../../../src/ports/store.ts";
import type { Coordinating, CoordinatorMachine } from "../world/coordinator-machine.ts";
import { Bystander } from "../world/universe.ts";
import { isNodeGone } from "./node-gone.ts";
import { TrialChecks } from "./trial-checks.ts";
import type { Findings } from "./violation.ts";

const ENDED: ReadonlySet<string> = new Set(["shutdown", "remove", "complete", "failed", "rejected"]);
/** Longer nobody has to wait for routes that are not acknowledged. */
const WITHDRAWAL_MS = 10_000;
/** A step of the wall clock is told by two clocks that show whole milliseconds. */
const ROUNDING_MS = 5;
const ASKED_FOR = "rolled back by request";

export class PlanChecks extends Bystander {
  readonly #findings: Findings;
  readonly #machine: CoordinatorMachine;
  #state: MutableState | undefined;
  #coordinating: Coordinating | undefined;
  /** `<service>/<version>/<force>` of changes that failed, until a user decides anew about the service. */
  readonly #failed = new Set<string>();
  readonly #trials: TrialChecks;
  readonly #withdrawnMs = new Map<string, number>();

  /** `machine`: whose decisions are looked at; others come back with old data and decide nothing. */
  constructor(findings: Findings, machine: CoordinatorMachine) {
    super();
    this.#findings = findings;
    this.#machine = machine;
    this.#trials = new TrialChecks(findings);
  }

  override coordinatorStarted(coordinating: Coordinating): void {
    if (coordinating.machine !== this.#machine) return;
    this.#state = copyState(coordinating.door.state);
    this.#coordinating = coordinating;
    this.#trials.restart();
    for (const key of this.#failed) if (!hasFailedDurably(coordinating.door.state, key)) this.#failed.delete(key);
  }

  override durable(coordinating: Coordinating): void {
    if (coordinating.machine === this.#machine) this.#trials.settle();
  }

  override submitted(coordinating: Coordinating, commit: Commit): void {
    const state = this.#state;
    if (state === undefined || coordinating !== this.#coordinating) return;
    const touched = new Set<NodeId>();
    for (const change of commit.changes) {
      this.#check(state, change);
      applyChange(state, change);
      if (change.op === "put" && change.kind === "task" && change.record.nodeId !== undefined)
        touched.add(change.record.nodeId);
    }
    for (const id of touched) this.#fits(state, id);
  }

  #check(state: MutableState, change: Change): void {
    if (change.op === "delete") return;
    switch (change.kind) {
      case "task": {
        const before = state.task.get(change.record.id);
        this.#taskChanges(state, before, change.record);
        this.#trials.task(state, before, change.record);
        return;
      }
      case "service":
        return this.#serviceChanges(state, state.service.get(change.record.id), change.record);
      case "rollout":
        this.#trials.rollout(state, change.record, {
          nowMs: this.#nowMs,
          isHealthy: (task) => this.#isHealthy(state, task),
          isLost: ({ nodeId, onlyNode = nodeId }) =>
            onlyNode !== undefined && isNodeGone(this.#coordinating, state, onlyNode),
        });
        return this.#rolloutChanges(state, change.record);
      case "taskStatus":
        return this.#trials.status(change.record, this.#nowMs);
      default:
    }
  }

  /** A wall clock that is set is no time that passed. */
  get #nowMs(): number {
    return this.#machine.clock.steadyMs();
  }

  #taskChanges(state: MutableState, before: Task | undefined, task: Task): void {
    if (before === undefined) {
      this.#isNoFailedVersion(state, task);
      this.#isWithinParallelism(state, task);
    }
    if (task.nodeId !== undefined && before?.nodeId === undefined) this.#mayGoThere(state, task, task.nodeId);
    const isWithdrawn = task.withdrawal !== undefined && before?.withdrawal === undefined;
    const isStopped = task.desired !== "running" && before?.desired === "running" && before.withdrawal === undefined;
    if (before?.desired === "running" && task.desired === "shutdown") this.#isOutOfRoutes(state, before, task);
    if (isWithdrawn) this.#withdrawnMs.set(task.id, this.#nowMs);
    if (before !== undefined && (isWithdrawn || isStopped)) this.#leavesEnough(state, before, task);
  }

  // --- S15

  /** A stop by choice comes after the withdrawal, and after everyone in reach has acknowledged it or had the time to. */
  #isOutOfRoutes(state: MutableState, before: Task, task: Task): void {
    const status = state.taskStatus.get(task.id);
    const hasEnded = status === undefined || status.exhausted || ENDED.has(status.state);
    if (before.nodeId === undefined || hasEnded || isNodeGone(this.#coordinating, state, before.nodeId)) return;
    const { withdrawal } = before;
    if (withdrawal === undefined)
      return this.#findings.report(
        "S15",
        `${nameOf(state, task)} is stopped (${task.desiredReason}) and was in the routes`,
      );
    const progress = this.#coordinating?.coordinator.worldOf(state).progress;
    const isKnown = [...state.node.values()].every(
      ({ id }) =>
        isNodeGone(this.#coordinating, state, id) ||
        (progress?.get(id)?.routesApplied ?? 0) >= withdrawal.routesGeneration,
    );
    const waitedMs = this.#nowMs - (this.#withdrawnMs.get(task.id) ?? 0);
    this.#findings.check(
      "S15",
      isKnown || waitedMs >= WITHDRAWAL_MS - ROUNDING_MS,
      () => `${nameOf(state, task)} is stopped ${waitedMs} ms after its withdrawal, and not every node knows of it`,
    );
  }

  // --- S13

  #mayGoThere(state: MutableState, task: Task, id: NodeId): void {
    const node = state.node.get(id);
    const name = nameOf(state, task);
    const isOpen = node?.availability === "active" && node.confirmedDeadAtMs === undefined;
    this.#findings.check(
      "S13",
      isOpen,
      () => `${name} is placed on ${node?.name ?? id}, which is ${node?.availability ?? "gone"}`,
    );
    const spec = specOf(state, task);
    if (node === undefined || spec === undefined) return;
    const failed = spec.template.placement.constraints.find(
      ({ attribute, operator, value }) => (labelOf(node, attribute) === value) !== (operator === "=="),
    );
    this.#findings.check(
      "S13",
      failed === undefined,
      () => `${name} is placed on ${node.name} against ${failed?.attribute}`,
    );
  }

  // --- S12

  #fits(state: MutableState, id: NodeId): void {
    const node = state.node.get(id);
    const status = state.nodeStatus.get(id);
    if (node === undefined || status === undefined) return;
    const tasks = [...state.task.values()].filter((task) => task.nodeId === id && !isOver(state, task));
    const cpus = tasks.reduce((sum, task) => sum + (specOf(state, task)?.template.resources.reservations.cpus ?? 0), 0);
    this.#findings.check(
      "S12",
      cpus <= status.resources.cpus + 1e-6,
      () => `${cpus} CPUs are reserved on ${node.name}`,
    );
    const ports = tasks.flatMap((task) => task.hostPorts.map((port) => `${port.published}/${port.protocol}`));
    this.#findings.check(
      "S12",
      new Set(ports).size === ports.length,
      () => `a host port of ${node.name} is given twice: ${ports.join()}`,
    );
    const addresses = tasks.map((task) => task.address);
    this.#findings.check(
      "S12",
      new Set(addresses).size === addresses.length,
      () => `an address of ${node.name} is given twice`,
    );
  }

  // --- S8, S9

  #policyOf(state: MutableState, service: Service): UpdatePolicy | undefined {
    const spec = state.serviceVersion.get(versionKey(service.id, service.version))?.spec;
    const policy = state.rollout.get(service.id)?.state === "rolling_back" ? spec?.rollback : spec?.update;
    if (policy?.parallelismPercent === undefined) return policy;
    const slots = this.#slotCount(state, service);
    return { ...policy, parallelism: Math.max(1, Math.floor((slots * policy.parallelismPercent) / 100)) };
  }

  /** Of how many slots a policy's share is: those in reach, and also those that wait for their next task. */
  #slotCount(state: MutableState, { id, mode }: Service): number {
    if (mode.kind === "replicated") return mode.replicas;
    const tasks = [...state.task.values()].filter((task) => task.serviceId === id && task.desired !== "remove");
    const nodes = new Set(tasks.flatMap((task) => task.onlyNode ?? task.nodeId ?? []));
    return [...nodes].filter((node) => !isNodeGone(this.#coordinating, state, node)).length;
  }

  /** Tasks by slot, of the slots that count: a global service does not wait for a node that is down. */
  #slotsOf(state: MutableState, service: Service): readonly Slot[] {
    const tasks = [...state.task.values()].filter((task) => task.serviceId === service.id);
    if (service.mode.kind === "replicated") {
      const { replicas } = service.mode;
      return Array.from({ length: replicas }, (_, at) => slotOf(tasks.filter((task) => task.slot === at + 1)));
    }
    const groups = Map.groupBy(tasks, (task) => task.onlyNode ?? task.nodeId);
    return [...groups].flatMap(([id, those]) => {
      const slot = slotOf(those);
      return id === undefined || slot.live.length === 0 || isNodeGone(this.#coordinating, state, id) ? [] : [slot];
    });
  }

  #isHealthy(state: MutableState, task: Task): boolean {
    const status = state.taskStatus.get(task.id);
    return (
      status?.state === "running" &&
      status.healthy === true &&
      task.nodeId !== undefined &&
      !isNodeGone(this.#coordinating, state, task.nodeId)
    );
  }

  #leavesEnough(state: MutableState, before: Task, task: Task): void {
    const service = state.service.get(task.serviceId);
    if (service === undefined || !task.desiredReason.startsWith("updated to version")) return;
    const policy = this.#policyOf(state, service);
    if (policy === undefined || policy.parallelism === 0 || !this.#isHealthy(state, before)) return;
    const slots = this.#slotsOf(state, service);
    const isServed = ({ live }: Slot, without?: Task): boolean =>
      live.some((other) => other.id !== without?.id && (this.#isHealthy(state, other) || isFinished(state, other)));
    const left = slots.filter((slot) => isServed(slot, task)).length;
    const had = slots.filter((slot) => isServed(slot)).length;
    // failures that the policy bears count as if they were healthy, else nothing would go on
    const failed = state.rollout.get(service.id)?.failedTaskIds ?? [];
    const isBorne = ({ live, last }: Slot): boolean =>
      (live.length > 0 ? live : last).some((one) => failed.includes(one.id));
    const borne = slots.filter((slot) => !isServed(slot) && isBorne(slot)).length;
    this.#findings.check(
      "S8",
      left >= had || left + borne >= slots.length - policy.parallelism,
      () => `${nameOf(state, task)} is stopped for an update, and ${left} of ${slots.length} slots stay healthy`,
    );
  }

  #isWithinParallelism(state: MutableState, task: Task): void {
    const service = state.service.get(task.serviceId);
    if (service === undefined || !task.desiredReason.startsWith("updates from")) return;
    const policy = this.#policyOf(state, service);
    if (policy === undefined || policy.parallelism === 0) return;
    const startedAtMs = state.rollout.get(service.id)?.startedAtMs ?? 0;
    const isUnderWay = (other: Task): boolean =>
      other.specVersion === service.version &&
      other.createdAtMs >= startedAtMs &&
      other.desiredReason.startsWith("updates from") &&
      (other.nodeId === undefined || !isNodeGone(this.#coordinating, state, other.nodeId));
    // what failed, within what the policy bears, holds nobody up
    const isDecided = (other: Task): boolean =>
      this.#isHealthy(state, other) || isFinished(state, other) || hasFailed(state, other);
    const changing = this.#slotsOf(state, service).filter(
      ({ live }) =>
        live.some(isUnderWay) && !live.some((other) => other.specVersion === service.version && isDecided(other)),
    ).length;
    this.#findings.check(
      "S9",
      changing + 1 <= policy.parallelism,
      () =>
        `${changing + 1} slots of ${service.name} change at once, ${policy.parallelism} may: ${nameOf(state, task)}`,
    );
  }

  // --- S11

  #isNoFailedVersion(state: MutableState, task: Task): void {
    const key = `${task.serviceId}/${task.specVersion}/${task.force}`;
    this.#findings.check(
      "S11",
      !this.#failed.has(key),
      () => `${nameOf(state, task)} is made of version ${task.specVersion}, which failed`,
    );
  }

  #serviceChanges(state: MutableState, before: Service | undefined, service: Service): void {
    const isByItself =
      service.isRollback && !service.changeReason.startsWith(ASKED_FOR) && service.version !== before?.version;
    if (!isByItself || before === undefined) {
      for (const key of this.#failed) if (key.startsWith(`${service.id}/`)) this.#failed.delete(key);
      return;
    }
    this.#findings.check("S11", !before.isRollback, () => `a rollback of ${service.name} is rolled back`);
    const stable = [...state.serviceVersion.values()].filter(
      (version) => version.serviceId === service.id && version.stable && version.version < before.version,
    );
    const newest = Math.max(0, ...stable.map((version) => version.version));
    this.#findings.check(
      "S11",
      newest === 0 || service.version === newest,
      () => `${service.name} goes back to version ${service.version}; the last stable one is ${newest}`,
    );
    this.#failed.add(`${service.id}/${before.version}/${before.force}`);
  }

  /** A user who lets it go on forgives what failed. */
  #rolloutChanges(state: MutableState, rollout: Rollout): void {
    this.#bearsFailures(state, rollout);
    const key = `${rollout.id}/${rollout.toVersion}/${rollout.force}`;
    const before = state.rollout.get(rollout.id);
    const wasPaused = before?.state === "paused";
    // one whose dates move with a stepped clock is put once more
    const isSame = wasPaused && before.toVersion === rollout.toVersion && before.paused?.byHand !== true;
    const isHalted = rollout.state === "paused" && rollout.paused?.byHand !== true;
    if (isHalted && !isSame && rollout.fromVersion !== rollout.toVersion) this.#failed.add(key);
    else if (wasPaused && rollout.state !== "paused") this.#failed.delete(key);
  }

  /** A rollout goes on only with as many failures as its policy bears. */
  #bearsFailures(state: MutableState, rollout: Rollout): void {
    const service = state.service.get(rollout.id);
    const before = state.rollout.get(rollout.id);
    const isSame = before?.toVersion === rollout.toVersion && before.state === rollout.state;
    const isMore = rollout.failedTaskIds.length > (before?.failedTaskIds.length ?? 0);
    if (service?.mode.kind !== "replicated" || service.version !== rollout.toVersion || !isSame || !isMore) return;
    const policy = this.#policyOf(state, service);
    if (policy === undefined || policy.failureAction === "continue" || rollout.fromVersion === undefined) return;
    const counting = rollout.failedTaskIds.length - (rollout.forgiven ?? 0);
    this.#findings.check(
      "S11",
      counting <= policy.maxFailureRatio * service.mode.replicas,
      () =>
        `the rollout of ${service.name} goes on with ${counting} failed tasks, and ${policy.maxFailureRatio} of them may fail`,
    );
  }
}

/** A coordinator that died may never have written down what it gave up. */
function hasFailedDurably(state: State, key: string): boolean {
  const service = state.service.get(asId<"service">(key.slice(0, key.indexOf("/"))));
  if (service === undefined || `${service.id}/${service.version}/${service.force}` !== key) return true;
  const rollout = state.rollout.get(service.id);
  return rollout?.state === "paused" && rollout.paused?.byHand !== true;
}

type Slot = { readonly live: readonly Task[]; /** The last one that ended. */ readonly last: readonly Task[] };

function slotOf(tasks: readonly Task[]): Slot {
  const live = tasks.filter((task) => task.desired === "running" && task.withdrawal === undefined);
  const ended = tasks.filter((task) => task.desired !== "running").toSorted((a, b) => a.createdAtMs - b.createdAtMs);
  return { live, last: ended.slice(-1) };
}

function specOf(state: State, task: Task): ServiceSpec | undefined {
  return state.serviceVersion.get(versionKey(task.serviceId, task.specVersion))?.spec;
}

function nameOf(state: MutableState, task: Task): string {
  return `${state.service.get(task.serviceId)?.name ?? task.serviceId}.${task.slot}`;
}

function labelOf(node: Node, attribute: string): string | undefined {
  if (attribute === "node.hostname") return node.name;
  return node.labels[attribute.replace("node.labels.", "")];
}

/** It ended as its restart policy lets it end. */
export function isFinished(state: State, task: Task): boolean {
  const status = state.taskStatus.get(task.id);
  const condition = specOf(state, task)?.template.restart.condition;
  return status?.state === "complete" && status.exhausted && condition !== "any";
}

/** An attempt of it failed that was not merely interrupted. */
function hasFailed(state: State, task: Task): boolean {
  const status = state.taskStatus.get(task.id);
  if (status === undefined) return false;
  const isOne = status.state === "failed" || status.state === "rejected" || status.healthy === false;
  return status.attempt - (isOne ? 0 : 1) > (status.interrupted ?? 0);
}

function isOver(state: MutableState, task: Task): boolean {
  const status = state.taskStatus.get(task.id);
  if (task.desired === "running" || status === undefined) return false;
  const isFinal = status.state === "shutdown" || status.state === "remove" || status.exhausted;
  return ENDED.has(status.state) && isFinal;
}
