// One run of the planner: the world, what this run has taken already, and the steps so far. The helpers here make the few kinds of
// steps that every part needs: a new task, a node for a waiting one, an orderly end. Nothing of it outlives the run.

import type { IdSource, NodeId, ServiceId, TaskId } from "../model/ids.ts";
import { invariant } from "../model/invariant.ts";
import type { Rollout, Service, ServiceVersion, Task } from "../model/records.ts";
import { isPinnedVolume, type TaskTemplate } from "../model/service-spec.ts";
import { isAcknowledged, versionKey, type World } from "../model/world.ts";
import { isEnded, Ledger } from "../schedule/ledger.ts";
import { place, type Placed } from "../schedule/place.ts";
import { isOnDeadNode, isOnLostNode } from "./health.ts";
import { type Step, taskName } from "./step.ts";

export type ServiceContext = {
  readonly service: Service;
  readonly version: ServiceVersion;
  readonly rollout: Rollout | undefined;
  /** All its tasks, oldest first. */
  readonly tasks: readonly Task[];
};

export class Planning {
  readonly world: World;
  readonly nowMs: number;
  readonly newId: IdSource;
  readonly ledger: Ledger;
  readonly steps: Step[] = [];
  #wakeAtMs: number | undefined;

  constructor(world: World, nowMs: number, newId: IdSource) {
    this.world = world;
    this.nowMs = nowMs;
    this.newId = newId;
    this.ledger = new Ledger(world.state);
  }

  /** When the passing of time alone gives the planner something to do. */
  get wakeAtMs(): number | undefined {
    return this.#wakeAtMs;
  }

  /** Look again then, if that is still to come. True if the time has come. */
  isDue(atMs: number): boolean {
    if (atMs <= this.nowMs) return true;
    this.#wakeAtMs = Math.min(this.#wakeAtMs ?? atMs, atMs);
    return false;
  }

  version(serviceId: ServiceId, version: number): ServiceVersion | undefined {
    return this.world.state.serviceVersion.get(versionKey(serviceId, version));
  }

  /** Whether a task runs what its service should run: same template, and not forced since. */
  isCurrent({ service, version }: ServiceContext, task: Task): boolean {
    if (task.force < service.force) return false;
    if (task.specVersion === service.version) return true;
    return this.version(service.id, task.specVersion)?.templateHash === version.templateHash;
  }

  /** A stop by choice is under way and its container may still be there. */
  isEnding(task: Task): boolean {
    if (task.nodeId === undefined || isOnLostNode(this.world, task)) return false;
    if (task.desired === "running") return task.withdrawal !== undefined;
    const status = this.world.state.taskStatus.get(task.id);
    return status !== undefined && !isEnded(status);
  }

  name(task: Task): string {
    return taskName(task, this.world.state);
  }

  nodeName(id: NodeId | undefined): string {
    return id === undefined ? "no node" : (this.world.state.node.get(id)?.name ?? "a removed node");
  }

  /** Makes a task for a slot, placed if a node takes it now and `hold` does not ask to wait. */
  create(
    { service }: ServiceContext,
    input: {
      readonly slot: number;
      readonly version: number;
      readonly why: string;
      readonly replaces?: TaskId;
      readonly onlyNode?: NodeId;
      readonly avoid?: ReadonlySet<NodeId>;
      /** A reason to leave it without a node for now. */
      readonly hold?: string;
    },
  ): void {
    const { template } = this.#specOf(service.id, input.version);
    const base: Task = {
      id: this.newId<"task">(),
      serviceId: service.id,
      slot: input.slot,
      specVersion: input.version,
      force: service.force,
      desired: "running",
      desiredReason: input.why,
      createdAtMs: this.nowMs,
      hostPorts: [],
      volumes: volumeNames(template),
      weight: 100,
      ...(input.replaces === undefined ? {} : { replaces: input.replaces }),
      ...(input.onlyNode === undefined ? {} : { onlyNode: input.onlyNode }),
    };
    const placement =
      input.hold === undefined
        ? this.#place(service, base, template, input.avoid ?? new Set())
        : { reason: input.hold };
    const task: Task =
      "placed" in placement
        ? { ...base, ...placement.placed, assignedAtMs: this.nowMs }
        : { ...base, waiting: placement.reason };
    this.steps.push({ kind: "create", task, why: input.why });
    if (task.nodeId !== undefined) this.#book(service, task, task.nodeId, template);
  }

  /** Where a task of the service would go now, were there one. */
  wouldFit(service: Service, version: number, onlyNode?: NodeId): boolean {
    const { template } = this.#specOf(service.id, version);
    const wanted = {
      serviceId: service.id,
      template,
      mode: service.mode,
      avoid: new Set<NodeId>(),
      ...(onlyNode === undefined ? {} : { onlyNode }),
    };
    return "placed" in place(this.world, this.ledger, this.nowMs, wanted);
  }

  /** Tries again for a task without a node, or says what is in the way now. */
  placeWaiting({ service }: ServiceContext, task: Task, avoid: ReadonlySet<NodeId>): void {
    const { template } = this.#specOf(service.id, task.specVersion);
    const placement = this.#place(service, task, template, avoid);
    if ("placed" in placement) {
      const { nodeId, address, hostPorts } = placement.placed;
      this.steps.push({ kind: "place", taskId: task.id, nodeId, address, hostPorts, atMs: this.nowMs });
      this.#book(service, { ...task, ...placement.placed }, nodeId, template);
    } else {
      this.wait(task, placement.reason);
    }
  }

  /** Says why a task does not run; nothing if that is said already. */
  wait(task: Task, reason: string): void {
    if ((task.waiting ?? "") !== reason) this.steps.push({ kind: "wait", taskId: task.id, reason });
  }

  /** Ends a task in order: out of the routes first, if it can be in any; at once if nothing of it runs or can be reached. */
  end(task: Task, why: string): void {
    const { world, nowMs } = this;
    if (task.withdrawal !== undefined) return;
    if (task.nodeId === undefined) {
      this.steps.push({ kind: "forget", taskId: task.id, now: true });
    } else if (isOnLostNode(world, task) || isEnded(world.state.taskStatus.get(task.id))) {
      this.steps.push({ kind: "stop", taskId: task.id, atMs: nowMs, why });
    } else {
      this.steps.push({
        kind: "withdraw",
        taskId: task.id,
        routesGeneration: world.routesGeneration,
        atMs: nowMs,
        why,
      });
    }
  }

  /** Second phase of a stop: once every node has applied routes without the task. */
  finishWithdrawal(task: Task): void {
    if (task.withdrawal === undefined || task.desired !== "running") return;
    if (isAcknowledged(this.world, task.withdrawal.routesGeneration) || isOnDeadNode(this.world, task)) {
      this.steps.push({ kind: "stop", taskId: task.id, atMs: this.nowMs, why: task.desiredReason });
    }
  }

  #specOf(serviceId: ServiceId, version: number): { readonly template: TaskTemplate } {
    const record = this.version(serviceId, version);
    invariant(record !== undefined, `service ${serviceId} has no version ${version}`);
    return record.spec;
  }

  #place(
    service: Service,
    task: Task,
    template: TaskTemplate,
    avoid: ReadonlySet<NodeId>,
  ): { readonly placed: Placed } | { readonly reason: string } {
    const only = task.onlyNode === undefined ? {} : { onlyNode: task.onlyNode };
    return place(this.world, this.ledger, this.nowMs, {
      serviceId: service.id,
      template,
      mode: service.mode,
      avoid,
      ...only,
    });
  }

  #book(service: Service, task: Task, nodeId: NodeId, template: TaskTemplate): void {
    this.ledger.take({ ...task, nodeId }, nodeId);
    const isGlobal = service.mode.kind === "global" || service.mode.kind === "global-job";
    for (const volume of this.world.state.volume.values()) {
      if (!volumeNames(template).includes(volume.name) || !isPinnedVolume(volume)) continue;
      const known = this.world.state.volumePin.get(volume.id)?.nodeIds ?? [];
      if (known.includes(nodeId) || (!isGlobal && known.length > 0)) continue;
      this.steps.push({ kind: "pin", volumeId: volume.id, nodeId });
    }
  }
}

function volumeNames(template: TaskTemplate): readonly string[] {
  return template.container.mounts.flatMap((mount) => (mount.kind === "volume" ? [mount.volume] : []));
}
