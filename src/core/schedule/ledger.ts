// What is taken on each node: resources, host ports, addresses, tasks per service. Made from the world at the start of a plan, and
// written to by each placement of the plan, so that no plan over-commits. Owned by one plan; nothing of it outlives the plan.

import type { NodeId, ServiceId } from "../model/ids.ts";
import type { HostPort, Node, NodeStatus, Task, TaskStatus } from "../model/records.ts";
import type { PortSpec, ResourceAmounts } from "../model/service-spec.ts";
import { type State, versionKey } from "../model/world.ts";

/** States in which a container no longer holds anything. */
export function isEnded(status: TaskStatus | undefined): boolean {
  switch (status?.state) {
    case "complete":
    case "shutdown":
    case "remove":
      return true;
    case "failed":
    case "rejected":
      return status.exhausted;
    default:
      return false;
  }
}

type Used = {
  cpus: number;
  memoryBytes: number;
  generic: Map<string, number>;
  tasks: number;
  byService: Map<ServiceId, number>;
  ports: { readonly port: HostPort; readonly serviceId: ServiceId }[];
  addresses: Map<string, { readonly inUse: boolean; readonly since: number }>;
};

export class Ledger {
  readonly #state: State;
  readonly #used = new Map<NodeId, Used>();

  constructor(state: State) {
    this.#state = state;
    for (const task of state.task.values()) if (task.nodeId !== undefined) this.take(task, task.nodeId);
  }

  #of(id: NodeId): Used {
    let used = this.#used.get(id);
    if (used === undefined) {
      used = {
        cpus: 0,
        memoryBytes: 0,
        generic: new Map(),
        tasks: 0,
        byService: new Map(),
        ports: [],
        addresses: new Map(),
      };
      this.#used.set(id, used);
    }
    return used;
  }

  /** Books a task on its node. One that has ended keeps only its address booked, as the one to be given away last. */
  take(task: Task, nodeId: NodeId): void {
    const used = this.#of(nodeId);
    const ended =
      task.desired !== "running" &&
      (isEnded(this.#state.taskStatus.get(task.id)) || !this.#state.taskStatus.has(task.id));
    if (task.address !== undefined) used.addresses.set(task.address, { inUse: !ended, since: task.createdAtMs });
    if (ended) return;
    const reserved = this.#state.serviceVersion.get(versionKey(task.serviceId, task.specVersion))?.spec.template
      .resources.reservations;
    used.cpus += reserved?.cpus ?? 0;
    used.memoryBytes += reserved?.memoryBytes ?? 0;
    for (const [kind, amount] of Object.entries(reserved?.generic ?? {}))
      used.generic.set(kind, (used.generic.get(kind) ?? 0) + amount);
    for (const port of task.hostPorts) used.ports.push({ port, serviceId: task.serviceId });
    if (task.desired !== "running") return;
    used.tasks += 1;
    used.byService.set(task.serviceId, (used.byService.get(task.serviceId) ?? 0) + 1);
  }

  tasksOn(id: NodeId): number {
    return this.#used.get(id)?.tasks ?? 0;
  }

  tasksOfService(id: NodeId, serviceId: ServiceId): number {
    return this.#used.get(id)?.byService.get(serviceId) ?? 0;
  }

  /** What is reserved on a node, as a fraction of what it has: the larger of CPU and memory. */
  reservedFraction(id: NodeId, status: NodeStatus): number {
    const used = this.#used.get(id);
    return Math.max(
      (used?.cpus ?? 0) / (status.resources.cpus || 1),
      (used?.memoryBytes ?? 0) / (status.resources.memoryBytes || 1),
    );
  }

  /** What of `wanted` the node lacks, in words; empty if it fits. */
  lacking(node: Node, status: NodeStatus | undefined, wanted: ResourceAmounts): string {
    const used = this.#used.get(node.id);
    const has = status?.resources ?? { cpus: 0, memoryBytes: 0, generic: {} };
    const lacks: string[] = [];
    if (wanted.cpus > 0 && wanted.cpus > has.cpus - node.reserved.cpus - (used?.cpus ?? 0) + 1e-9)
      lacks.push(`${wanted.cpus} CPUs free`);
    if (
      wanted.memoryBytes > 0 &&
      wanted.memoryBytes > has.memoryBytes - node.reserved.memoryBytes - (used?.memoryBytes ?? 0)
    ) {
      lacks.push(`${Math.ceil(wanted.memoryBytes / 1_048_576)} MiB of memory free`);
    }
    for (const [kind, amount] of Object.entries(wanted.generic)) {
      const free = (has.generic[kind] ?? 0) - (node.reserved.generic[kind] ?? 0) - (used?.generic.get(kind) ?? 0);
      if (amount > free) lacks.push(`${amount} ${kind}`);
    }
    return lacks.join(" and ");
  }

  /** A host port for each spec, or the first spec that finds none. */
  portsFor(
    id: NodeId,
    status: NodeStatus | undefined,
    specs: readonly PortSpec[],
    serviceId: ServiceId,
  ): readonly HostPort[] | { readonly taken: PortSpec; readonly by: string } {
    const found: HostPort[] = [];
    for (const spec of specs) {
      const port = this.#freePort(id, status, spec, serviceId, found);
      if (typeof port === "string") return { taken: spec, by: port };
      found.push(port);
    }
    return found;
  }

  #freePort(
    id: NodeId,
    status: NodeStatus | undefined,
    spec: PortSpec,
    serviceId: ServiceId,
    also: readonly HostPort[],
  ): HostPort | string {
    let by = "";
    for (let published = spec.published.from; published <= spec.published.to; published++) {
      const port: HostPort = {
        published,
        target: spec.target,
        protocol: spec.protocol,
        ...(spec.hostIp === undefined ? {} : { hostIp: spec.hostIp }),
      };
      const holder = this.#used.get(id)?.ports.find((held) => collides(held.port, port));
      if (holder !== undefined)
        by =
          holder.serviceId === serviceId
            ? "another task of the service"
            : (this.#state.service.get(holder.serviceId)?.name ?? "a task that is stopping");
      else if (also.some((held) => collides(held, port))) by = "the task itself";
      else if (status?.listening.includes(`${spec.protocol}/${published}`) === true) by = "something outside davit";
      else return port;
    }
    return by;
  }

  /** Whether an address was never given, is free again (and since when it was given), or is in use. */
  addressUse(id: NodeId, address: string): { readonly inUse: boolean; readonly since: number } | undefined {
    return this.#used.get(id)?.addresses.get(address);
  }
}

function collides(a: HostPort, b: HostPort): boolean {
  if (a.published !== b.published || a.protocol !== b.protocol) return false;
  const isAny = (ip: string | undefined): boolean => ip === undefined || ip === "0.0.0.0" || ip === "::";
  return isAny(a.hostIp) || isAny(b.hostIp) || a.hostIp === b.hostIp;
}
