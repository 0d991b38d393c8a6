// What moves tasks without a new version, change by change in the order of a transaction, on a copy of the state of its own. S8: nobody leaves for
// a rebalance, or for a drain that another node can serve, before the other one works. S9: no more leave at once than the service's updates may
// change. S12: named resources are never given twice. S13: nobody starts for the first time before what it depends on.

import type { Change, Service, Task } from "../../../src/core/model/records.ts";
import type { ServiceSpec } from "../../../src/core/model/service-spec.ts";
import { applyChange, copyState, type MutableState, versionKey } from "../../../src/core/model/world.ts";
import type { Commit } from "../../../src/ports/store.ts";
import type { Coordinating } from "../world/coordinator-machine.ts";
import { Bystander } from "../world/universe.ts";
import { isNodeGone } from "./node-gone.ts";
import type { Findings } from "./violation.ts";

export class MoveChecks extends Bystander {
  readonly #findings: Findings;
  /** Services of which a task was given to a node. */
  readonly #begun = new Set<string>();
  #state: MutableState | undefined;
  #coordinating: Coordinating | undefined;

  constructor(findings: Findings) {
    super();
    this.#findings = findings;
  }

  override coordinatorStarted(coordinating: Coordinating): void {
    this.#state = copyState(coordinating.door.state);
    this.#coordinating = coordinating;
  }

  override submitted(coordinating: Coordinating, commit: Commit): void {
    const state = this.#state;
    if (state === undefined || coordinating !== this.#coordinating) return;
    const placed: Task[] = [];
    for (const change of commit.changes) {
      this.#check(state, change);
      const isTask = change.op === "put" && change.kind === "task";
      // a user may take resources away from a node that has given them
      if (isTask && state.task.get(change.record.id)?.nodeId === undefined) placed.push(change.record);
      applyChange(state, change);
    }
    for (const task of placed) this.#hasNamedResources(state, task);
  }

  #check(state: MutableState, change: Change): void {
    if (change.op === "delete" || change.kind !== "task") return;
    const task = change.record;
    const before = state.task.get(task.id);
    if (before === undefined) this.#isWithinParallelism(state, task);
    if (task.nodeId !== undefined && before?.nodeId === undefined) {
      this.#isItsTurn(state, task);
      this.#writesAlone(state, task);
    }
    if (task.withdrawal !== undefined && before?.withdrawal === undefined && before !== undefined)
      this.#isReplaced(state, before, task);
  }

  #isHealthy(state: MutableState, task: Task): boolean {
    const status = state.taskStatus.get(task.id);
    const isThere = task.nodeId !== undefined && !isNodeGone(this.#coordinating, state, task.nodeId);
    return isThere && task.desired === "running" && status?.state === "running" && status.healthy === true;
  }

  #stays(state: MutableState, task: Task): boolean {
    return this.#isHealthy(state, task) && state.node.get(task.nodeId ?? "")?.availability !== "drain";
  }

  #slot(state: MutableState, { serviceId, slot }: Task): readonly Task[] {
    return [...state.task.values()].filter((task) => task.serviceId === serviceId && task.slot === slot);
  }

  // --- S8

  #isReplaced(state: MutableState, before: Task, task: Task): void {
    if (!task.desiredReason.startsWith("rebalanced to") || !this.#isHealthy(state, before)) return;
    const isServed = this.#slot(state, task).some((other) => other.id !== task.id && this.#isHealthy(state, other));
    this.#findings.check("S8", isServed, () => `${nameOf(state, task)} leaves for a rebalance, and no other one works`);
  }

  // --- S9

  #isWithinParallelism(state: MutableState, task: Task): void {
    const service = state.service.get(task.serviceId);
    const isMove = (one: Task): boolean =>
      /is draining$|^rebalanced from/.test(one.desiredReason) && one.replaces !== undefined;
    if (service?.mode.kind !== "replicated" || !isMove(task)) return;
    const { parallelism: fixed = 0, parallelismPercent: percent } =
      specOf(state, service.id, service.version)?.update ?? {};
    const { replicas } = service.mode;
    const parallelism = percent === undefined ? fixed : Math.max(1, Math.floor((replicas * percent) / 100));
    const original = state.task.get(task.replaces ?? "");
    // what does not work may leave at any time
    if (parallelism === 0 || original === undefined || !this.#isHealthy(state, original)) return;
    const isOnItsWay = (one: Task): boolean => {
      const left = state.task.get(one.replaces ?? "");
      const status = state.taskStatus.get(one.id);
      return (
        one.desired === "running" &&
        // one that is given up never arrives, and what it was to replace goes on
        one.withdrawal === undefined &&
        isMove(one) &&
        // of two versions side by side each has its own
        one.specVersion === task.specVersion &&
        one.nodeId !== undefined &&
        !isNodeGone(this.#coordinating, state, one.nodeId) &&
        !this.#isHealthy(state, one) &&
        // failures hold nobody up, and what was ill before it left was not counted
        (status === undefined ||
          (status.attempt === 1 && !["failed", "rejected", "complete"].includes(status.state))) &&
        status?.healthy !== false &&
        left !== undefined &&
        this.#isHealthy(state, left) &&
        // one that works and may stay, back from a lost node, has settled the slot
        !this.#slot(state, one).some((other) => other.replaces === left.id && this.#stays(state, other))
      );
    };
    const moving = [...state.task.values()].filter((one) => one.serviceId === service.id && isOnItsWay(one)).length;
    this.#findings.check(
      "S9",
      moving + 1 <= parallelism,
      () => `${moving + 1} tasks of ${service.name} move at once, ${parallelism} may: ${nameOf(state, task)}`,
    );
  }

  // --- S12

  #hasNamedResources(state: MutableState, { nodeId: id, serviceId, specVersion }: Task): void {
    const node = id === undefined ? undefined : state.node.get(id);
    const asked = specOf(state, serviceId, specVersion)?.template.resources.reservations.generic ?? {};
    if (node === undefined || Object.keys(asked).length === 0) return;
    const taken = new Map<string, number>();
    for (const task of state.task.values()) {
      const status = state.taskStatus.get(task.id);
      const hasEnded =
        status !== undefined && ["shutdown", "remove", "complete", "failed", "rejected"].includes(status.state);
      if (task.nodeId !== id || (task.desired !== "running" && hasEnded)) continue;
      const { generic = {} } = specOf(state, task.serviceId, task.specVersion)?.template.resources.reservations ?? {};
      for (const [kind, amount] of Object.entries(generic)) taken.set(kind, (taken.get(kind) ?? 0) + amount);
    }
    for (const [kind, amount] of [...taken].filter(([name]) => name in asked))
      this.#findings.check(
        "S12",
        amount <= amountOf(node.generic?.[kind]),
        () => `${amount} ${kind} are given on ${node.name}, which has ${amountOf(node.generic?.[kind])}`,
      );
  }

  /** Whoever wrote to a volume of the slot before has ended, for all that its node said. */
  #writesAlone(state: MutableState, task: Task): void {
    const volumes = writtenBy(state, task);
    if (task.onlyNode !== undefined || volumes.length === 0) return;
    const other = this.#slot(state, task).find(
      (one) =>
        one.id !== task.id &&
        one.nodeId !== undefined &&
        !isNodeGone(this.#coordinating, state, one.nodeId) &&
        !writesNoMore(state, one) &&
        writtenBy(state, one).some((name) => volumes.includes(name)),
    );
    this.#findings.check(
      "S12",
      other === undefined,
      () => `${nameOf(state, task)} is placed, and one before it may still write to ${volumes.join()}`,
    );
  }

  // --- S13

  #isItsTurn(state: MutableState, task: Task): void {
    const service = state.service.get(task.serviceId);
    if (service === undefined || service.previousVersion !== undefined || service.force > 0) return;
    for (const one of state.task.values()) if (one.nodeId !== undefined) this.#begun.add(one.serviceId);
    // its tasks may all be gone since, with their node
    if (this.#begun.has(service.id)) return;
    for (const { service: name, condition, required } of specOf(state, service.id, service.version)?.dependsOn ?? []) {
      const other = [...state.service.values()].find((one) => one.name === name);
      if (other === undefined || !required || condition !== "service_healthy") continue;
      if (other.mode.kind === "replicated" && other.mode.replicas === 0) continue;
      const isThere = [...state.task.values()].some((one) => one.serviceId === other.id && this.#isHealthy(state, one));
      this.#findings.check(
        "S13",
        isThere,
        () => `${nameOf(state, task)} is placed before ${other.name}, on which it depends, is healthy`,
      );
    }
  }
}

function writtenBy(state: MutableState, { serviceId, specVersion }: Task): readonly string[] {
  const mounts = specOf(state, serviceId, specVersion)?.template.container.mounts ?? [];
  return mounts.flatMap((mount) => (mount.kind === "volume" && !mount.readOnly ? [mount.volume] : []));
}

function writesNoMore(state: MutableState, { id }: Task): boolean {
  const status = state.taskStatus.get(id);
  return status !== undefined && (status.exhausted || status.state === "shutdown" || status.state === "remove");
}

function specOf(state: MutableState, serviceId: string, version: number): ServiceSpec | undefined {
  return state.serviceVersion.get(versionKey(serviceId, version))?.spec;
}

function nameOf(state: MutableState, task: Task): string {
  const service: Service | undefined = state.service.get(task.serviceId);
  return `${service?.name ?? task.serviceId}.${task.slot}`;
}

function amountOf(what: number | readonly string[] = 0): number {
  return typeof what === "number" ? what : what.length;
}
