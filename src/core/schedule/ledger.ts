// What is taken on each node: resources, host ports, addresses, volumes, tasks per service. Made from the world at the start of a
// plan, and written to by each placement of the plan, so that no plan over-commits. Owned by one plan; nothing of it outlives the plan.

import type { NodeId, ServiceId, TaskId } from "../model/ids.ts";
import type { HostPort, Node, NodeStatus, ServiceVersion, Task, TaskStatus, Volume } from "../model/records.ts";
import { collides } from "../model/published-port.ts";
import { isPinnedVolume, type PortSpec, type ResourceAmounts } from "../model/service-spec.ts";
import { type State, versionKey } from "../model/world.ts";
import type { Candidates } from "./candidates.ts";

/** States in which a container no longer holds anything, and none follows it. */
export function isEnded(status: TaskStatus | undefined): boolean {
  switch (status?.state) {
    case "shutdown":
    case "remove":
      return true;
    case "complete":
    case "failed":
    case "rejected":
      return status.exhausted;
    default:
      return false;
  }
}

/** Whether a task holds nothing on its node any more. Silence of the node says nothing: what was given counts until it is taken back. */
export function isOver(state: State, task: Task): boolean {
  return task.desired !== "running" && isEnded(state.taskStatus.get(task.id));
}

type AddressUse = { readonly holders: number; readonly sinceMs: number };

/** Tasks of one service, one template and one force: what a rollout turns the others into. */
export type Make = string;

/** The make of tasks with a template, by its hash. */
export function makeOf(serviceId: ServiceId, templateHash: string, force: number): Make {
  return `${serviceId}/${force}/${templateHash}`;
}

/** Failed attempts of one version on one node, within this time, after which the node is taken last for it. */
const SEVERAL_FAILURES = 3;
const FAILURES_COUNT_MS = 600_000;

/** How many attempts of a task failed; those that the host or the engine ended do not count. */
export function failedAttempts(status: TaskStatus | undefined): number {
  if (status === undefined) return 0;
  const hasEnded = status.state === "failed" || status.state === "rejected";
  return Math.max(0, (hasEnded ? status.attempt : status.attempt - 1) - (status.interrupted ?? 0));
}

/** One node, with what is taken on it. */
export type NodeUse = {
  readonly node: Node;
  readonly status: NodeStatus | undefined;
  cpus: number;
  memoryBytes: number;
  readonly generic: Map<string, number>;
  /** Ids of named resources that tasks hold. */
  readonly ids: Map<string, Set<string>>;
  tasks: number;
  readonly byService: Map<ServiceId, number>;
  /** Of those, the ones that are not ending: the company that others look for. */
  readonly settled: Map<ServiceId, number>;
  /** By name of a service: those with settled tasks here that must not be with it, with how many. */
  readonly refused: Map<string, Map<string, number>>;
  readonly byMake: Map<Make, number>;
  readonly ports: { readonly port: HostPort; readonly taskId: TaskId; readonly serviceId: ServiceId }[];
  readonly addresses: Map<string, AddressUse>;
  addressesHeld: number;
  /** Of those, the ones that nobody has any more, but some node may still route to. */
  addressesLeft: number;
};

/** A pinned volume, and the nodes that have its data; the array grows as the plan places the first task with it. */
export type Pin = { readonly volume: Volume; readonly nodeIds: readonly NodeId[] };

export class Ledger {
  readonly #state: State;
  readonly #hasRoutes: boolean;
  readonly #uses = new Map<NodeId, NodeUse>();
  readonly #pins = new Map<string, Pin>();
  readonly #settled = new Map<ServiceId, number>();
  #byName: ReadonlyMap<string, ServiceId> | undefined;
  #refusers: ReadonlyMap<string, readonly ServiceId[]> | undefined;
  #bySlot: ReadonlyMap<string, readonly Task[]> | undefined;
  /** Tasks that this plan ends. */
  readonly #ending = new Set<TaskId>();
  readonly #failing = new Map<string, ReadonlySet<NodeId>>();
  #byVersion: ReadonlyMap<string, readonly Task[]> | undefined;
  #byNode: ReadonlyMap<NodeId | undefined, readonly Task[]> | undefined;
  /** Nodes on which something was booked or given back since `candidates` were asked last; whoever asks them clears it. */
  readonly touched = new Set<NodeUse>();
  /** Of the version that was placed last: the next task is most often of the same. */
  candidates: Candidates | undefined;

  /** `hasRoutes`: nodes route by addresses, so that one is free only when all have left it behind. */
  constructor(state: State, hasRoutes: boolean) {
    this.#state = state;
    this.#hasRoutes = hasRoutes;
    for (const node of state.node.values()) this.#uses.set(node.id, emptyUse(node, state.nodeStatus.get(node.id)));
    for (const volume of state.volume.values()) {
      if (!isPinnedVolume(volume)) continue;
      this.#pins.set(volume.name, { volume, nodeIds: state.volumePin.get(volume.id)?.nodeIds ?? [] });
    }
    for (const task of state.task.values()) if (task.nodeId !== undefined) this.take(task, task.nodeId);
    if (hasRoutes) this.#holdFreed();
  }

  /** Every node, with its use. */
  get nodes(): Iterable<NodeUse> {
    return this.#uses.values();
  }

  nodeUse(id: NodeId): NodeUse | undefined {
    return this.#uses.get(id);
  }

  /** The service of a full name. */
  serviceNamed(name: string): ServiceId | undefined {
    this.#byName ??= new Map([...this.#state.service.values()].map((service) => [service.name, service.id]));
    return this.#byName.get(name);
  }

  /** Services whose version of today must not be with the one of that name, whether or not they have tasks yet. */
  refusersOf(name: string): readonly ServiceId[] {
    this.#refusers ??= refusersByName(this.#state);
    return this.#refusers.get(name) ?? [];
  }

  /** Whether a service has a task somewhere that is not ending, placed by this plan or before. */
  isAnySettled(id: ServiceId): boolean {
    return (this.#settled.get(id) ?? 0) > 0;
  }

  /** A slot's tasks as they were before this plan. */
  tasksOf(id: ServiceId, slot: number): readonly Task[] {
    this.#bySlot ??= Map.groupBy(this.#state.task.values(), (task) => `${task.serviceId}/${task.slot}`);
    return this.#bySlot.get(`${id}/${slot}`) ?? [];
  }

  /** Tasks that held something on a node before this plan. */
  tasksOn(id: NodeId): readonly Task[] {
    this.#byNode ??= Map.groupBy(
      [...this.#state.task.values()].filter((task) => !isOver(this.#state, task)),
      (task) => task.nodeId,
    );
    return this.#byNode.get(id) ?? [];
  }

  /** Nodes on which a version failed several times of late, in whatever slots: what is wrong may be the node. */
  failingNodes(id: ServiceId, version: number, nowMs: number): ReadonlySet<NodeId> {
    const key = versionKey(id, version);
    const known = this.#failing.get(key);
    if (known !== undefined) return known;
    this.#byVersion ??= Map.groupBy(this.#state.task.values(), (task) => versionKey(task.serviceId, task.specVersion));
    const counts = new Map<NodeId, number>();
    for (const task of this.#byVersion.get(key) ?? []) {
      if (task.nodeId === undefined || nowMs - (task.endedAtMs ?? nowMs) > FAILURES_COUNT_MS) continue;
      const failed = failedAttempts(this.#state.taskStatus.get(task.id));
      if (failed > 0) counts.set(task.nodeId, (counts.get(task.nodeId) ?? 0) + failed);
    }
    const found = new Set([...counts].flatMap(([nodeId, count]) => (count >= SEVERAL_FAILURES ? [nodeId] : [])));
    this.#failing.set(key, found);
    return found;
  }

  /** Keeps resources on a node for a task that will get them when others have ended. */
  reserve(use: NodeUse, { cpus, memoryBytes, generic }: ResourceAmounts): void {
    this.touched.add(use);
    use.cpus += cpus;
    use.memoryBytes += memoryBytes;
    for (const [kind, amount] of Object.entries(generic)) use.generic.set(kind, (use.generic.get(kind) ?? 0) + amount);
  }

  /** Addresses that some node may still route to. */
  #holdFreed(): void {
    const bySubnet = new Map([...this.#uses.values()].map((use) => [prefixOf(use.node.subnet), use]));
    for (const { id } of this.#state.freedAddress.values()) {
      const use = bySubnet.get(prefixOf(id));
      if (use === undefined) continue;
      hold(use, id, true, 0);
      use.addressesLeft += 1;
    }
  }

  /** Books a task on its node. One that is over keeps only its address booked, as the one to be given away last. */
  take(task: Task, nodeId: NodeId): void {
    const use = this.#uses.get(nodeId);
    if (use === undefined) return;
    this.touched.add(use);
    const held = !isOver(this.#state, task);
    const isRouted = this.#hasRoutes && task.released !== true;
    if (task.address !== undefined) hold(use, task.address, held || isRouted, task.createdAtMs);
    if (!held) return;
    this.#count(use, task, 1);
    for (const port of task.hostPorts) use.ports.push({ port, taskId: task.id, serviceId: task.serviceId });
  }

  /** A task that this plan ends holds what it has until it has ended, and is no company from now on. */
  end(task: Task): void {
    const use = task.nodeId === undefined ? undefined : this.#uses.get(task.nodeId);
    const isCompany = task.desired === "running" && !this.isEnding(task) && use !== undefined;
    if (isCompany) {
      this.touched.add(use);
      this.#countCompany(use, task, this.#versionOf(task), -1);
    }
    this.#ending.add(task.id);
  }

  /** Whether a task is ending, by this plan or before. */
  isEnding({ id, withdrawal }: Task): boolean {
    return withdrawal !== undefined || this.#ending.has(id);
  }

  /** What `ask` answers if this task were not on its node: whether its place would do for its successor. */
  without<Answer>(task: Task, ask: () => Answer): Answer {
    const use = task.nodeId === undefined ? undefined : this.#uses.get(task.nodeId);
    if (use === undefined || isOver(this.#state, task)) return ask();
    this.touched.add(use);
    const mine = use.ports.filter((held) => held.taskId === task.id);
    const others = use.ports.filter((held) => held.taskId !== task.id);
    this.#count(use, task, -1);
    if (task.address !== undefined) use.addressesHeld -= 1;
    use.ports.splice(0, use.ports.length, ...others);
    try {
      return ask();
    } finally {
      this.touched.add(use);
      this.#count(use, task, 1);
      if (task.address !== undefined) use.addressesHeld += 1;
      use.ports.push(...mine);
    }
  }

  /** What `ask` answers if none of these tasks were there. */
  withoutAll<Answer>(tasks: readonly Task[], ask: () => Answer): Answer {
    return tasks.reduce((rest, task) => () => this.without(task, rest), ask)();
  }

  #count(use: NodeUse, task: Task, sign: 1 | -1): void {
    const version = this.#versionOf(task);
    const reserved = this.#reservedBy(task, version);
    if (reserved !== undefined) {
      use.cpus += sign * reserved.cpus;
      use.memoryBytes += sign * reserved.memoryBytes;
      for (const [kind, amount] of Object.entries(reserved.generic)) {
        use.generic.set(kind, (use.generic.get(kind) ?? 0) + sign * amount);
      }
    }
    for (const [kind, ids] of Object.entries(task.generic ?? {})) {
      const held = use.ids.get(kind) ?? new Set<string>();
      use.ids.set(kind, held);
      for (const id of ids) {
        if (sign > 0) held.add(id);
        else held.delete(id);
      }
    }
    if (task.desired !== "running") return;
    use.tasks += sign;
    use.byService.set(task.serviceId, (use.byService.get(task.serviceId) ?? 0) + sign);
    const make = makeOf(task.serviceId, version?.templateHash ?? "", task.force);
    use.byMake.set(make, (use.byMake.get(make) ?? 0) + sign);
    if (!this.isEnding(task)) this.#countCompany(use, task, version, sign);
  }

  #countCompany(use: NodeUse, task: Task, version: ServiceVersion | undefined, sign: 1 | -1): void {
    use.settled.set(task.serviceId, (use.settled.get(task.serviceId) ?? 0) + sign);
    this.#settled.set(task.serviceId, (this.#settled.get(task.serviceId) ?? 0) + sign);
    for (const { service, required } of version?.spec.template.placement.antiAffinity ?? []) {
      if (!required || version === undefined) continue;
      const refusers = use.refused.get(service) ?? new Map<string, number>();
      use.refused.set(service, refusers.set(version.spec.name, (refusers.get(version.spec.name) ?? 0) + sign));
    }
  }

  #versionOf({ serviceId, specVersion }: Task, number = specVersion): ServiceVersion | undefined {
    return this.#state.serviceVersion.get(versionKey(serviceId, number));
  }

  /** What a task keeps from others: while its container is being changed, the larger of both. */
  #reservedBy(task: Task, version: ServiceVersion | undefined): ResourceAmounts | undefined {
    const now = version?.spec.template.resources.reservations;
    if (now === undefined || task.resize === undefined) return now;
    const before = this.#versionOf(task, task.resize.fromVersion)?.spec.template.resources.reservations;
    if (before === undefined || this.#state.taskStatus.get(task.id)?.limitsOf === task.specVersion) return now;
    return {
      cpus: Math.max(now.cpus, before.cpus),
      memoryBytes: Math.max(now.memoryBytes, before.memoryBytes),
      generic: now.generic,
    };
  }

  /** Pinned volumes by name, with the nodes that have their data; names of others are left out. */
  pinsOf(names: readonly string[]): readonly Pin[] {
    if (names.length === 0) return [];
    return names.flatMap((name) => this.#pins.get(name) ?? []);
  }

  /** From now on a volume's data is on this node. */
  pin(name: string, nodeId: NodeId): void {
    const pin = this.#pins.get(name);
    if (pin !== undefined) this.#pins.set(name, { ...pin, nodeIds: [...pin.nodeIds, nodeId] });
  }

  /** A host port for each spec that asks for the task's own node, or the first one that finds none. Other ports are the cluster's. */
  portsFor(
    use: NodeUse,
    specs: readonly PortSpec[],
    serviceId: ServiceId,
  ): readonly HostPort[] | { readonly taken: PortSpec; readonly by: string } {
    const found: HostPort[] = [];
    for (const spec of specs) {
      if (spec.mode !== "host") continue;
      const port = this.#freePort(use, spec, serviceId, found);
      if (typeof port === "string") return { taken: spec, by: port };
      found.push(port);
    }
    return found;
  }

  #freePort(use: NodeUse, spec: PortSpec, serviceId: ServiceId, also: readonly HostPort[]): HostPort | string {
    let by = "";
    for (let published = spec.published.from; published <= spec.published.to; published++) {
      const { target, protocol, hostIp } = spec;
      const port: HostPort = { published, target, protocol, ...(hostIp === undefined ? {} : { hostIp }) };
      const holder = use.ports.find((held) => collides(held.port, port));
      const publisher = this.#publisherOf(port);
      if (publisher !== undefined) by = `${publisher}, on every node`;
      else if (holder !== undefined) by = this.#holderName(holder.serviceId, serviceId);
      else if (also.some((held) => collides(held, port))) by = "the task itself";
      else if (use.status?.listening.includes(`${protocol}/${published}`) === true) by = "something outside davit";
      else return port;
    }
    return by;
  }

  /** Who has it on every node: connections would be led there, whatever listens. */
  #publisherOf(port: HostPort): string | undefined {
    return this.#state.service.values().find(({ ports = [] }) => ports.some((one) => collides(one, port)))?.name;
  }

  #holderName(holder: ServiceId, asking: ServiceId): string {
    if (holder === asking) return "another task of the service";
    return this.#state.service.get(holder)?.name ?? "a task that is stopping";
  }
}

function refusersByName({ service, serviceVersion }: State): ReadonlyMap<string, readonly ServiceId[]> {
  const found = new Map<string, ServiceId[]>();
  for (const { id, version } of service.values()) {
    for (const refused of serviceVersion.get(versionKey(id, version))?.spec.template.placement.antiAffinity ?? []) {
      if (refused.required) found.set(refused.service, [...(found.get(refused.service) ?? []), id]);
    }
  }
  return found;
}

function hold(use: NodeUse, address: string, isHeld: boolean, sinceMs: number): void {
  const before = use.addresses.get(address) ?? { holders: 0, sinceMs: 0 };
  if (isHeld && before.holders === 0) use.addressesHeld += 1;
  use.addresses.set(address, {
    holders: before.holders + (isHeld ? 1 : 0),
    sinceMs: Math.max(before.sinceMs, sinceMs),
  });
}

/** "10.210.3" of an address or a node's subnet. */
function prefixOf(address: string): string {
  return address.slice(0, address.lastIndexOf("."));
}

function emptyUse(node: Node, status: NodeStatus | undefined): NodeUse {
  return {
    node,
    status,
    cpus: 0,
    memoryBytes: 0,
    generic: new Map(),
    ids: new Map(),
    tasks: 0,
    byService: new Map(),
    settled: new Map(),
    refused: new Map(),
    byMake: new Map(),
    ports: [],
    addresses: new Map(),
    addressesHeld: 0,
    addressesLeft: 0,
  };
}
