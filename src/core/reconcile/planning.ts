// One run of the planner: the world, what this run has taken already, and the steps so far. The helpers here make the few kinds of
// steps that every part needs: a new task, a node for a waiting one, an orderly end. Nothing of it outlives the run.

import { ownLeaseMs } from "../lease/own-lease.ts";
import type { IdSource, NodeId, ServiceId, TaskId } from "../model/ids.ts";
import { invariant } from "../model/invariant.ts";
import type { Service, ServiceVersion, Task } from "../model/records.ts";
import type { Rollout } from "../model/rollout.ts";
import { type Presence, versionKey, type World } from "../model/world.ts";
import { volumeNames, wantedOf } from "../schedule/asking.ts";
import { isEnded, isOver, Ledger } from "../schedule/ledger.ts";
import { makeRoom, place, type Placement } from "../schedule/place.ts";
import { heldBack } from "./dependencies.ts";
import { lagging } from "./acknowledged.ts";
import { goneAfter, hasOwnLease, isLost, isOnDeadNode, isOnLostNode, isResizeRefused } from "./health.ts";
import { type Step, taskName } from "./step.ts";

/** A stop by choice waits so long for nodes that do not acknowledge the routes without it: more than a lease, so they are lost by then or wrong. */
export const WITHDRAWAL_DEADLINE_MS = 10_000;

export type ServiceContext = {
  readonly service: Service;
  readonly version: ServiceVersion;
  readonly rollout: Rollout | undefined;
  /** All its tasks, oldest first. */
  readonly tasks: readonly Task[];
  /** While tasks of two versions run side by side: which of the two this is about, and what the endpoints of its tasks weigh. */
  readonly track?: { readonly isNew: boolean; readonly weight: number };
};

export type NewTask = {
  readonly slot: number;
  readonly version: number;
  readonly why: string;
  readonly replaces?: TaskId | undefined;
  /** Number of the job's run that it is of. */
  readonly run?: number;
  readonly onlyNode?: NodeId | undefined;
  /** The node that it is made for, though another would do later. */
  readonly wishedNode?: NodeId;
  /** Nodes to take only if no other will do. */
  readonly avoid?: ReadonlySet<NodeId>;
  /** A reason to leave it without a node for now. */
  readonly hold?: string | undefined;
};

/** There is nothing to do for a service, and that stays so until its own records or those of nodes change, or one of these: */
export type Rest = {
  /** Wall-clock time of the coordinator; undefined: not by the passing of time. */
  readonly wakeAtMs: number | undefined;
  /** False: until anything at all changes. */
  readonly isByItself: boolean;
  /** Whose presence was asked for. */
  readonly nodes: ReadonlySet<NodeId>;
};

/** Who is in contact, with a note of whom somebody asked for. */
class AskedPresence extends Map<NodeId, Presence> {
  asked = new Set<NodeId>();

  override get(id: NodeId): Presence | undefined {
    this.asked.add(id);
    return super.get(id);
  }
}

export class Planning {
  readonly world: World;
  readonly nowMs: number;
  readonly newId: IdSource;
  readonly steps: Step[] = [];
  #ledger: Ledger | undefined;
  #wakeAtMs: number | undefined;
  /** Tasks that this run ends: what another asked of them counts no more. */
  readonly #ending = new Map<TaskId, Task>();
  readonly #held = new Map<ServiceId, string | undefined>();
  /** Something was asked that is neither a service's own nor a node's: what others have, or what is only measured. */
  #hasLookedAround = false;
  #isRestless = false;

  readonly #presence: AskedPresence;

  constructor(world: World, nowMs: number, newId: IdSource) {
    this.#presence = new AskedPresence(world.presence);
    this.world = { ...world, presence: this.#presence };
    this.nowMs = nowMs;
    this.newId = newId;
  }

  /** What is taken on each node. Most plans place nothing and never ask. */
  get ledger(): Ledger {
    this.lookAround();
    if (this.#ledger === undefined) {
      this.#ledger = new Ledger(this.world.state, this.world.routesGeneration > 0);
      for (const task of this.#ending.values()) this.#ledger.end(task);
    }
    return this.#ledger;
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

  /** What is decided now hangs on more than the service's own records and the nodes. */
  lookAround(): void {
    this.#hasLookedAround = true;
  }

  /** Plans one service. If that gave no step: what it stays so upon. */
  restOf(planOne: () => void): Rest | undefined {
    const before = this.#wakeAtMs;
    const steps = this.steps.length;
    this.#wakeAtMs = undefined;
    this.#hasLookedAround = false;
    this.#isRestless = false;
    this.#presence.asked = new Set();
    planOne();
    const wakeAtMs = this.#wakeAtMs;
    if (before !== undefined) this.#wakeAtMs = Math.min(before, wakeAtMs ?? before);
    if (this.steps.length > steps || this.#isRestless) return undefined;
    return { wakeAtMs, isByItself: !this.#hasLookedAround, nodes: this.#presence.asked };
  }

  version(serviceId: ServiceId, version: number): ServiceVersion | undefined {
    return this.world.state.serviceVersion.get(versionKey(serviceId, version));
  }

  /** Whether a task runs what its service should run: same template, and not forced since. */
  isCurrent({ service, version }: ServiceContext, task: Task): boolean {
    if (task.force < service.force || isResizeRefused(this.world.state, task)) return false;
    if (task.specVersion === service.version) return true;
    return this.version(service.id, task.specVersion)?.templateHash === version.templateHash;
  }

  /** What comes before the current version of the service and is not there yet, in words. */
  heldBack({ service, version, tasks }: Pick<ServiceContext, "service" | "version" | "tasks">): string | undefined {
    if (version.spec.dependsOn === undefined) return undefined;
    this.lookAround();
    // asked for each slot, and the same for all of them
    if (!this.#held.has(service.id)) this.#held.set(service.id, heldBack(this.world, service, version, tasks)?.reason);
    return this.#held.get(service.id);
  }

  /** A stop by choice is under way and its container may still be there. */
  isEnding(task: Task): boolean {
    if (hasOwnLease(this.world, task))
      return task.desired === "running" ? task.withdrawal !== undefined : this.mayRun(task);
    if (task.nodeId === undefined || isOnLostNode(this.world, task)) return false;
    return task.desired === "running" ? task.withdrawal !== undefined : !isOver(this.world.state, task);
  }

  /**
   * Whether a container of the task may still be there, for all that is known: one that must never run twice is gone when its node says so, or when
   * it was given up durably and its node has been silent for longer than it may run.
   */
  mayRun(task: Task): boolean {
    const { world } = this;
    if (task.nodeId === undefined || isOnDeadNode(world, task) || isOver(world.state, task)) return false;
    if (!hasOwnLease(world, task)) return !isOnLostNode(world, task);
    if (task.desired === "running") return true;
    // a node that is heard now may yet be granted the work from before
    if (world.routesGeneration < (task.endsFrom ?? 0)) return true;
    return !this.isSilentFor(task.nodeId, goneAfter(world, task));
  }

  /** Whether a lost node has said nothing for so long; looks again when that may be. */
  isSilentFor(id: NodeId, ms: number): boolean {
    if (!isLost(this.world, id)) return false;
    // silence is of boot time, and the wall clock may be stepped: whoever waits for it is looked at each time
    this.#isRestless = true;
    const leftMs = ms - this.world.silentMs(id);
    return this.isDue(this.nowMs + Math.max(0, leftMs));
  }

  name(task: Task): string {
    return taskName(task, this.world.state);
  }

  nodeName(id: NodeId | undefined): string {
    return id === undefined ? "no node" : (this.world.state.node.get(id)?.name ?? "a removed node");
  }

  /** "web.1 on n2 stops first": why a successor is held back. */
  stopsFirst(task: Task): string {
    const where = this.nodeName(task.nodeId);
    return isOnLostNode(this.world, task)
      ? `${this.name(task)} on ${where} stops first: ${where} is lost, and it may run there until its lease is over`
      : `${this.name(task)} on ${where} stops first`;
  }

  /** Where a rollout stands from now on. */
  noteRollout(rollout: Rollout, why: string): void {
    this.steps.push({ kind: "rollout", rollout, atMs: this.nowMs, why });
  }

  /** Makes a task for a slot, placed if a node takes it now and `hold` does not ask to wait. */
  create({ service, track }: ServiceContext, input: NewTask): void {
    const made = this.#versionOf(service.id, input.version);
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
      volumes: volumeNames(made.spec.template),
      weight: track?.weight ?? 100,
      ...(input.replaces === undefined ? {} : { replaces: input.replaces }),
      ...(input.onlyNode === undefined ? {} : { onlyNode: input.onlyNode }),
      ...(input.run === undefined ? {} : { run: input.run }),
    };
    const placement: Placement =
      input.hold === undefined
        ? this.#place(service, { ...base, ...toWished(input.wishedNode) }, made, input.avoid)
        : { reason: input.hold };
    if (!("placed" in placement)) {
      this.steps.push({ kind: "create", task: { ...base, waiting: placement.reason }, why: input.why });
      return;
    }
    const task: Task = { ...base, ...placement.placed, assignedAtMs: this.nowMs };
    this.steps.push({ kind: "create", task, why: input.why });
    this.#book(service, task, placement.placed.nodeId);
  }

  /** Whether a node would take a task of this version now, given that `successorOf` makes room for it. `slot`: that of the successor unless given. */
  wouldFit(
    service: Service,
    version: number,
    onlyNode: NodeId | undefined,
    successorOf?: Task,
    slot: number | undefined = successorOf?.slot,
  ): boolean {
    const made = this.#versionOf(service.id, version);
    const wanted = wantedOf(service, made, { force: service.force, onlyNode, slot }, new Set());
    const ask = (): boolean => "placed" in place(this.world, this.ledger, this.nowMs, wanted);
    return successorOf === undefined ? ask() : this.ledger.without(successorOf, ask);
  }

  /** Why a task waits for another one of its slot: what is in its way even without that one, else that it stops first. */
  whyBehind(service: Service, task: Task, other: Task): string {
    const wanted = wantedOf(service, this.#versionOf(service.id, task.specVersion), task, new Set());
    const placement = this.ledger.without(other, () => place(this.world, this.ledger, this.nowMs, wanted));
    if ("placed" in placement) return this.stopsFirst(other);
    if (placement.retryAtMs !== undefined) this.isDue(placement.retryAtMs);
    return placement.reason;
  }

  /** Tries again for a task without a node, or says what is in the way now. */
  placeWaiting({ service }: ServiceContext, task: Task, avoid: ReadonlySet<NodeId>): void {
    const placement = this.#place(service, task, this.#versionOf(service.id, task.specVersion), avoid);
    if ("placed" in placement) {
      const { placed } = placement;
      this.steps.push({ kind: "place", taskId: task.id, ...placed, atMs: this.nowMs });
      this.#book(service, { ...task, ...placed }, placed.nodeId);
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
    if (task.withdrawal !== undefined || this.#ending.has(task.id)) return;
    this.#ending.set(task.id, task);
    this.#ledger?.end(task);
    if (task.nodeId === undefined) {
      this.steps.push({ kind: "forget", taskId: task.id, now: true });
    } else if (isOnLostNode(world, task) || isEnded(world.state.taskStatus.get(task.id))) {
      this.#stop(task, why);
    } else {
      // the routes of today still have it: the first ones without it are the next
      this.steps.push({ kind: "withdraw", taskId: task.id, routesGeneration: this.#nextGeneration, atMs: nowMs, why });
    }
  }

  get #nextGeneration(): number {
    return this.world.routesGeneration === 0 ? 0 : this.world.routesGeneration + 1;
  }

  #stop(task: Task, why: string): void {
    const from = hasOwnLease(this.world, task) ? { endsFrom: this.#nextGeneration } : {};
    this.steps.push({ kind: "stop", taskId: task.id, atMs: this.nowMs, why, ...from });
  }

  /** Second phase of a stop: once every node in reach has applied routes without the task, or had the time to. */
  finishWithdrawal(task: Task): void {
    const { withdrawal } = task;
    if (withdrawal === undefined || task.desired !== "running") return;
    this.lookAround();
    const late = isOnLostNode(this.world, task) ? [] : lagging(this.world, withdrawal.routesGeneration);
    if (late.length > 0 && !this.isDue(withdrawal.startedAtMs + WITHDRAWAL_DEADLINE_MS)) return;
    const names = late.map(({ name }) => name).join(", ");
    const but =
      late.length === 0 ? "" : `; ${names} did not leave it out of the routes in ${WITHDRAWAL_DEADLINE_MS / 1_000} s`;
    this.#stop(task, `${task.desiredReason}${but}`);
  }

  #versionOf(serviceId: ServiceId, version: number): ServiceVersion {
    const record = this.version(serviceId, version);
    invariant(record !== undefined, `service ${serviceId} has no version ${version}`);
    return record;
  }

  #place(service: Service, task: Task, version: ServiceVersion, avoid: ReadonlySet<NodeId> = new Set()): Placement {
    const other = this.#besideWhom(task, version);
    if (other !== undefined) return { reason: this.whyBehind(service, task, other) };
    const wanted = wantedOf(service, version, task, avoid);
    const placement = place(this.world, this.ledger, this.nowMs, wanted);
    if ("placed" in placement) return placement;
    if (placement.retryAtMs !== undefined) this.isDue(placement.retryAtMs);
    const room = makeRoom(this.world, this.ledger, this.nowMs, wanted);
    if (room === undefined) return placement;
    const { priority } = version.spec.template.placement;
    for (const victim of room.victims) this.end(victim, `gives way to ${this.name(task)} of priority ${priority}`);
    return { reason: `room is made on ${this.nodeName(room.nodeId)}: tasks there end first` };
  }

  /** The one door of what must never run twice: another of its slot that may still run. A node's slot is the node's own to keep. */
  #besideWhom(task: Task, { spec: { template } }: ServiceVersion): Task | undefined {
    if (task.slot === 0 || ownLeaseMs(template) === undefined) return undefined;
    return this.ledger.tasksOf(task.serviceId, task.slot).find((other) => other.id !== task.id && this.mayRun(other));
  }

  /** Books a placement, so that the next one of this run sees it; a volume's first placement says where its data is. */
  #book(service: Service, task: Task, nodeId: NodeId): void {
    this.ledger.take(task, nodeId);
    const isGlobal = service.mode.kind === "global" || service.mode.kind === "global-job";
    for (const { volume, nodeIds } of this.ledger.pinsOf(task.volumes)) {
      if (nodeIds.includes(nodeId) || (!isGlobal && nodeIds.length > 0)) continue;
      this.steps.push({ kind: "pin", volumeId: volume.id, nodeId });
      this.ledger.pin(volume.name, nodeId);
    }
  }
}

/** A wish is asked of the one node, as for a task that may be nowhere else. */
function toWished(wishedNode: NodeId | undefined): { readonly onlyNode?: NodeId } {
  return wishedNode === undefined ? {} : { onlyNode: wishedNode };
}
