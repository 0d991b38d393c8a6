// What must hold at every step of every plan, whatever happens around it; the tests of random worlds check it after each step.

import { expect } from "vitest";
import type { NodeId } from "../../../src/core/model/ids.ts";
import type { Service, Task } from "../../../src/core/model/records.ts";
import { isPinnedVolume, type ServiceSpec } from "../../../src/core/model/service-spec.ts";
import type { UpdatePolicy } from "../../../src/core/model/update-policy.ts";
import { versionKey } from "../../../src/core/model/world.ts";
import { hasFailed, isHealthy, isLost, isOnLostNode } from "../../../src/core/reconcile/health.ts";
import { WITHDRAWAL_DEADLINE_MS } from "../../../src/core/reconcile/planning.ts";
import { describeStep, type Step } from "../../../src/core/reconcile/step.ts";
import { meets } from "../../../src/core/schedule/constraint.ts";
import { collides } from "../../../src/core/model/published-port.ts";
import { isOver } from "../../../src/core/schedule/ledger.ts";
import type { WorldModel } from "../../fakes/world-model.ts";

/** Fails with a sentence unless something holds; the sentence is made only then. */
export function assertThat(holds: boolean, sentence: () => string): void {
  if (!holds) expect.fail(sentence());
}

/** Watches one world. `check` is called with each step before it takes effect, `checkState` whenever the world is at rest. */
export class Invariants {
  readonly #model: WorldModel;
  /** `<service>/<version>/<force>` of changes that failed, until a user asks for that version again. */
  readonly #failed = new Set<string>();

  constructor(model: WorldModel) {
    this.#model = model;
  }

  /** A user decided anew about a service: what failed before is forgiven. */
  forgive(serviceId: string): void {
    for (const key of this.#failed) if (key.startsWith(`${serviceId}/`)) this.#failed.delete(key);
  }

  check(step: Step): void {
    switch (step.kind) {
      case "create":
        this.#failedVersionStartsNothing(step, step.task);
        if (step.task.nodeId !== undefined) this.#placedRightly(step, step.task, step.task.nodeId);
        this.#atMostParallelism(step, step.task);
        assertThat(!this.#model.valveShut || !step.why.includes("is lost"), () => `valve shut: ${this.#tell(step)}`);
        return;
      case "place": {
        const task = this.#model.state.task.get(step.taskId);
        if (task === undefined) return;
        this.#failedVersionStartsNothing(step, task);
        this.#placedRightly(step, task, step.nodeId);
        return;
      }
      case "withdraw":
        this.#enoughStayHealthy(step);
        return;
      case "stop":
        this.#outOfTheRoutes(step);
        return;
      case "rollback":
        assertThat(!step.service.isRollback, () => `a rollback of a rollback: ${this.#tell(step)}`);
        this.#failed.add(`${step.service.id}/${step.service.version}/${step.service.force}`);
        return;
      case "rollout":
        if (
          step.rollout.state === "paused" &&
          step.rollout.paused?.byHand !== true &&
          step.rollout.fromVersion !== step.rollout.toVersion
        )
          this.#failed.add(`${step.rollout.id}/${step.rollout.toVersion}/${step.rollout.force}`);
        return;
      default:
        return;
    }
  }

  #tell(step: Step): string {
    return `${describeStep(step, this.#model.state)}\nafter ${this.#model.told.slice(-15).join("\n      ")}`;
  }

  /** S11 */
  #failedVersionStartsNothing(step: Step, task: Task): void {
    const key = `${task.serviceId}/${task.specVersion}/${task.force}`;
    assertThat(!this.#failed.has(key), () => `a failed version starts a task: ${this.#tell(step)}`);
  }

  /** S13, and the pinned half of S12 */
  #placedRightly(step: Step, task: Task, nodeId: NodeId): void {
    const { state, presence } = this.#model;
    const node = state.node.get(nodeId);
    const version = state.serviceVersion.get(versionKey(task.serviceId, task.specVersion));
    const takesTasks = node?.availability === "active" && node.confirmedDeadAtMs === undefined;
    assertThat(takesTasks && presence.get(nodeId) === "ready", () => `on a wrong node: ${this.#tell(step)}`);
    if (node === undefined || version === undefined) return;
    const { template } = version.spec;
    const isMet = template.placement.constraints.every((one) => meets(one, node, state.nodeStatus.get(nodeId)));
    assertThat(isMet, () => `against a constraint: ${this.#tell(step)}`);
    const company = this.#companyOn(nodeId, task);
    const refuses = (one: ServiceSpec, name: string): boolean =>
      (one.template.placement.antiAffinity ?? []).some(({ service, required }) => required && service === name);
    const isApart = company.every((one) => !refuses(version.spec, one.name) && !refuses(one, version.spec.name));
    assertThat(isApart, () => `beside what it must not be with: ${this.#tell(step)}`);
    const isNear = (template.placement.affinity ?? []).every((wish) =>
      company.some(({ name }) => name === wish.service),
    );
    assertThat(isNear, () => `without the company that it needs: ${this.#tell(step)}`);
    const mine = company.filter(({ name }) => name === version.spec.name).length;
    const { maxPerNode } = template.placement;
    assertThat(maxPerNode === 0 || mine < maxPerNode, () => `more than may be on a node: ${this.#tell(step)}`);
  }

  /** What the tasks on a node run that are not ending, and whose service was not removed, but for one of them. */
  #companyOn(nodeId: NodeId, except: Task): readonly ServiceSpec[] {
    const { state } = this.#model;
    return [...state.task.values()]
      .filter((task) => task.id !== except.id && task.nodeId === nodeId && task.desired === "running")
      .filter((task) => task.withdrawal === undefined && state.service.has(task.serviceId))
      .flatMap((task) => state.serviceVersion.get(versionKey(task.serviceId, task.specVersion))?.spec ?? []);
  }

  #slotsOf(service: Service): readonly (readonly Task[])[] {
    const tasks = [...this.#model.state.task.values()].filter((task) => task.serviceId === service.id);
    const live = tasks.filter((task) => task.desired === "running" && task.withdrawal === undefined);
    // a global service does not wait for a node that is down
    const world = this.#model.world();
    const nodeOf = (task: Task): NodeId | undefined => task.onlyNode ?? task.nodeId;
    const isCounted = (id: NodeId | undefined): boolean => id !== undefined && !isLost(world, id);
    if (service.mode.kind !== "replicated")
      return [...Map.groupBy(live, nodeOf)].flatMap(([id, slot]) => (isCounted(id) ? [slot] : []));
    const { replicas } = service.mode;
    return Array.from({ length: replicas }, (_, at) => live.filter((task) => task.slot === at + 1));
  }

  #policyOf(service: Service): UpdatePolicy | undefined {
    const spec = this.#model.state.serviceVersion.get(versionKey(service.id, service.version))?.spec;
    return this.#model.state.rollout.get(service.id)?.state === "rolling_back" ? spec?.rollback : spec?.update;
  }

  /** S8, for the stops that a rollout decides */
  #enoughStayHealthy(step: Extract<Step, { kind: "withdraw" }>): void {
    const task = this.#model.state.task.get(step.taskId);
    const service = task === undefined ? undefined : this.#model.state.service.get(task.serviceId);
    if (task === undefined || service === undefined || !step.why.startsWith("updated")) return;
    const policy = this.#policyOf(service);
    const world = this.#model.world();
    if (policy === undefined || policy.parallelism === 0 || !isHealthy(world, task)) return;
    const slots = this.#slotsOf(service);
    const left = slots.filter((slot) => slot.some((other) => other.id !== task.id && isHealthy(world, other))).length;
    const before = slots.filter((slot) => slot.some((other) => isHealthy(world, other))).length;
    // failures that the policy or a user's resume bears count as if they were healthy, else nothing would go on
    const failed = this.#model.state.rollout.get(service.id)?.failedTaskIds ?? [];
    const isBorne = (slot: readonly Task[]): boolean =>
      slot.some((other) => failed.includes(other.id)) && !slot.some((other) => isHealthy(world, other));
    const borne = slots.filter(isBorne).length;
    const isEnough = left >= before || left + borne >= slots.length - policy.parallelism;
    assertThat(isEnough, () => `${left} of ${slots.length} stay healthy: ${this.#tell(step)}`);
  }

  /** S9 */
  #atMostParallelism(step: Step, task: Task): void {
    const service = this.#model.state.service.get(task.serviceId);
    if (service === undefined || !task.desiredReason.startsWith("updates from")) return;
    const policy = this.#policyOf(service);
    if (policy === undefined || policy.parallelism === 0) return;
    const world = this.#model.world();
    const isUnderWay = (other: Task): boolean =>
      other.specVersion === service.version &&
      other.createdAtMs >= (this.#model.state.rollout.get(service.id)?.startedAtMs ?? 0) &&
      other.desiredReason.startsWith("updates from") &&
      !isOnLostNode(world, other);
    // what failed, and is borne or forgiven, holds nobody up
    const isDecided = (other: Task): boolean =>
      isHealthy(world, other) || hasFailed(this.#model.state.taskStatus.get(other.id));
    const inChange = this.#slotsOf(service).filter(
      (slot) => slot.some(isUnderWay) && !slot.some((other) => isUnderWay(other) && isDecided(other)),
    ).length;
    assertThat(inChange + 1 <= policy.parallelism, () => `${inChange + 1} change at once: ${this.#tell(step)}`);
  }

  /** S15 */
  #outOfTheRoutes(step: Extract<Step, { kind: "stop" }>): void {
    const { state, nowMs, progress } = this.#model;
    const world = this.#model.world();
    const task = state.task.get(step.taskId);
    if (task === undefined || !isHealthy(world, task)) return;
    assertThat(task.withdrawal !== undefined, () => `stopped while in the routes: ${this.#tell(step)}`);
    const { startedAtMs = nowMs, routesGeneration = 0 } = task.withdrawal ?? {};
    if (nowMs - startedAtMs >= WITHDRAWAL_DEADLINE_MS) return;
    for (const { id } of state.node.values()) {
      if (isLost(world, id)) continue;
      const isApplied = (progress.get(id)?.routesApplied ?? 0) >= routesGeneration;
      assertThat(isApplied, () => `${id} still routes to it: ${this.#tell(step)}`);
    }
  }

  /** S12, and that no address is given twice */
  checkState(): void {
    const { state } = this.#model;
    const placed = [...state.task.values()].filter((task) => task.nodeId !== undefined && !isOver(state, task));
    for (const [nodeId, tasks] of Map.groupBy(placed, (task) => task.nodeId)) {
      const status = nodeId === undefined ? undefined : state.nodeStatus.get(nodeId);
      if (status === undefined) continue;
      const addresses = tasks.map((task) => task.address);
      assertThat(new Set(addresses).size === addresses.length, () => `addresses on ${nodeId}: ${addresses.join(" ")}`);
      const cpus = tasks.map(
        (task) =>
          state.serviceVersion.get(versionKey(task.serviceId, task.specVersion))?.spec.template.resources.reservations
            .cpus ?? 0,
      );
      const reserved = cpus.reduce((sum, one) => sum + one, 0);
      assertThat(reserved <= status.resources.cpus + 1e-6, () => `${reserved} CPUs reserved on ${nodeId}`);
      const ports = tasks.flatMap((task) => task.hostPorts);
      const isFree = ports.every((port, at) => !ports.slice(at + 1).some((other) => collides(port, other)));
      assertThat(isFree, () => `a host port is given twice on ${nodeId}`);
    }
    for (const volume of state.volume.values()) {
      if (!isPinnedVolume(volume)) continue;
      const pins = state.volumePin.get(volume.id)?.nodeIds ?? [];
      const users = placed.filter((task) => task.volumes.includes(volume.name));
      const isOnePlace = pins.length <= 1 || users.some((task) => task.onlyNode !== undefined);
      assertThat(isOnePlace, () => `${volume.name} has its data on ${pins.join(" and ")}`);
      for (const task of placed) {
        if (!task.volumes.includes(volume.name) || task.nodeId === undefined) continue;
        assertThat(pins.includes(task.nodeId), () => `${task.id} runs where its volume is not`);
      }
    }
  }
}
