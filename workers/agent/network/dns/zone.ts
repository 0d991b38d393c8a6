// The names of the cluster and who may know them: from the routes to answers. A container is known by its source address, and is told of
// services that share a network with it, of nothing else; names that it may not know do not exist for it. Pure.

import type { Endpoint, MeshRoutes, ServiceRoutes } from "../../../../src/core/model/routes.ts";
import { parseCidr, renderAddress } from "../../../../src/core/model/subnets.ts";
import type { NetworkView } from "../../../../src/ports/node-network.ts";

/** Who asks; all of one `scope` are told the same. `stranger`: an address of the pool that no route names, or not yet; `outside`: none of ours at all. */
export type Asker =
  | { readonly kind: "task"; readonly service: ServiceRoutes; readonly isOwn: boolean; readonly scope: string }
  | { readonly kind: "host"; readonly scope: string }
  | { readonly kind: "stranger" }
  | { readonly kind: "outside" };

export type ZoneRecord =
  | { readonly type: "A"; readonly name: string; readonly address: string }
  | { readonly type: "PTR"; readonly name: string; readonly target: string }
  | { readonly type: "SRV"; readonly name: string; readonly target: string; readonly port: number };

/**
 * `found`: records of the type that was asked for, none if the name has only others; `additional`: addresses of what SRV records name.
 * `absent`: there is no such name, for this asker. `unknown`: no name of ours, the host's resolvers may know it.
 */
export type ZoneAnswer =
  | { readonly kind: "found"; readonly records: readonly ZoneRecord[]; readonly additional: readonly ZoneRecord[] }
  | { readonly kind: "absent" }
  | { readonly kind: "unknown" };

/** A service under one name. `network` set: only members of it know it by this name. */
type Entry = { readonly service: ServiceRoutes; readonly network?: string };

const ABSENT: ZoneAnswer = { kind: "absent" };
const TASKS = "tasks.";
const REVERSE = ".in-addr.arpa";

export class Zone {
  readonly #entries = new Map<string, Entry[]>();
  readonly #askers = new Map<string, Asker>();
  readonly #reverse = new Map<string, { readonly service: ServiceRoutes; readonly name: string }>();
  readonly #pool: { readonly base: number; readonly size: number };
  /** Puts addresses in the order in which they are given: another each time. */
  readonly #shuffle: <Item>(items: readonly Item[]) => readonly Item[];

  constructor(
    view: Pick<NetworkView, "mesh" | "services" | "node">,
    shuffle: <Item>(items: readonly Item[]) => readonly Item[],
  ) {
    const { base, bits } = parseCidr(view.mesh.addressPool);
    this.#pool = { base, size: 2 ** (32 - bits) };
    this.#shuffle = shuffle;
    for (const service of view.services) this.#add(service, view.node.nodeId);
    for (const address of hostAddresses(view.mesh)) this.#askers.set(address, { kind: "host", scope: "host " });
  }

  #add(service: ServiceRoutes, ownNodeId: string): void {
    this.#name(service.shortName, { service });
    if (service.name !== service.shortName) this.#name(service.name, { service });
    if (service.stack !== undefined) this.#name(`${service.shortName}.${service.stack}`, { service });
    for (const { network, aliases } of service.networks)
      for (const alias of aliases) this.#name(alias, { service, network });
    if (service.address !== undefined) this.#reverse.set(service.address, { service, name: qualifiedName(service) });
    for (const endpoint of service.endpoints) {
      const isOwn = endpoint.nodeId === ownNodeId;
      const scope = `${isOwn ? "own" : "foreign"} ${service.serviceId} `;
      this.#askers.set(endpoint.address, { kind: "task", service, isOwn, scope });
      if (endpoint.standing !== "out")
        this.#reverse.set(endpoint.address, { service, name: taskName(service, endpoint) });
    }
  }

  #name(name: string, entry: Entry): void {
    const key = name.toLowerCase();
    const entries = this.#entries.get(key);
    if (entries === undefined) this.#entries.set(key, [entry]);
    else if (!entries.some((one) => one.service === entry.service && one.network === entry.network))
      entries.push(entry);
  }

  /** By the source address of a question. */
  askerAt(address: string): Asker {
    return this.#askers.get(address) ?? { kind: this.#isOfPool(address) ? "stranger" : "outside" };
  }

  /** `name` in lower case, without a dot at its end; `type` as in "A", "SRV". */
  answer(asker: Asker, name: string, type: string): ZoneAnswer {
    if (name.endsWith(REVERSE)) return this.#answerReverse(asker, name, type);
    if (name.startsWith("_")) return this.#answerServiceRecord(asker, name, type);
    const { label, wantsTasks, slot } = splitName(name);
    const services = this.#visible(asker, label);
    if (services !== undefined && services.length > 0) {
      const targets = services.flatMap((service) => this.#addresses(service, wantsTasks, slot));
      if (slot !== undefined && targets.length === 0) return ABSENT;
      const isAsked = type === "A" || type === "ANY";
      return { kind: "found", records: isAsked ? addressRecords(name, targets) : [], additional: [] };
    }
    // not asked elsewhere: what is ours is nobody else's business, and a single label means nothing elsewhere
    return services !== undefined || !label.includes(".") ? ABSENT : { kind: "unknown" };
  }

  /** Undefined: nobody has the name. Empty: somebody has it, but not for this asker. In the asker's own stack it means that one's. */
  #visible(asker: Asker, label: string): readonly ServiceRoutes[] | undefined {
    const entries = this.#entries.get(label);
    if (entries === undefined) return undefined;
    const seen = [...new Set(entries.filter((entry) => mayKnow(asker, entry)).map(({ service }) => service))];
    const stack = asker.kind === "task" ? asker.service.stack : undefined;
    const near = stack === undefined ? [] : seen.filter((service) => service.stack === stack);
    return near.length > 0 ? near : seen;
  }

  #addresses(service: ServiceRoutes, wantsTasks: boolean, slot: number | undefined): readonly string[] {
    if (!wantsTasks && service.address !== undefined) return [service.address];
    const ready = service.endpoints.filter(
      (endpoint) => endpoint.standing === "in" && (slot === undefined || endpoint.slot === slot),
    );
    return this.#shuffle(ready).map(({ address }) => address);
  }

  /** `_http._tcp.web`: the named port of a service; `_http._tcp.tasks.web`: of each of its tasks. */
  #answerServiceRecord(asker: Asker, name: string, type: string): ZoneAnswer {
    const [, portName = "", protocol = ""] = /^_([^._][^.]*)\._(tcp|udp)\./.exec(name) ?? [];
    const rest = name.replace(/^(_[^.]*\.)+/, "");
    const { label, wantsTasks, slot } = splitName(rest);
    const services = this.#visible(asker, label);
    if (services === undefined && label.includes(".")) return { kind: "unknown" };
    const records: ZoneRecord[] = [];
    const additional: ZoneRecord[] = [];
    for (const service of services ?? []) {
      const port = service.namedPorts.find((one) => one.name.toLowerCase() === portName && one.protocol === protocol);
      if (port === undefined) continue;
      for (const { target, address } of this.#targets(service, wantsTasks || service.address === undefined, slot)) {
        records.push({ type: "SRV", name, target, port: port.port });
        additional.push({ type: "A", name: target, address });
      }
    }
    if (records.length === 0) return ABSENT;
    return type === "SRV" || type === "ANY"
      ? { kind: "found", records, additional }
      : { kind: "found", records: [], additional: [] };
  }

  #targets(
    service: ServiceRoutes,
    wantsTasks: boolean,
    slot: number | undefined,
  ): readonly { readonly target: string; readonly address: string }[] {
    if (!wantsTasks && service.address !== undefined)
      return [{ target: qualifiedName(service), address: service.address }];
    return this.#shuffle(service.endpoints)
      .filter((endpoint) => endpoint.standing === "in" && (slot === undefined || endpoint.slot === slot))
      .map((endpoint) => ({ target: taskName(service, endpoint), address: endpoint.address }));
  }

  #answerReverse(asker: Asker, name: string, type: string): ZoneAnswer {
    const address = name.slice(0, -REVERSE.length).split(".").toReversed().join(".");
    if (!this.#isOfPool(address)) return { kind: "unknown" };
    const known = this.#reverse.get(address);
    if (known === undefined || !mayKnow(asker, { service: known.service })) return ABSENT;
    const isAsked = type === "PTR" || type === "ANY";
    return { kind: "found", records: isAsked ? [{ type: "PTR", name, target: known.name }] : [], additional: [] };
  }

  #isOfPool(address: string): boolean {
    const parts = address.split(".").map(Number);
    if (parts.length !== 4 || parts.some((part) => !(part >= 0 && part <= 255))) return false;
    const number = parts.reduce((sum, part) => sum * 256 + part, 0);
    return number >= this.#pool.base && number < this.#pool.base + this.#pool.size;
  }
}

/** "tasks.web" and "2.tasks.web" speak of the tasks of "web". */
function splitName(name: string): {
  readonly label: string;
  readonly wantsTasks: boolean;
  readonly slot: number | undefined;
} {
  if (name.startsWith(TASKS)) return { label: name.slice(TASKS.length), wantsTasks: true, slot: undefined };
  const numbered = /^(\d{1,6})\.tasks\.(.+)$/.exec(name);
  if (numbered === null) return { label: name, wantsTasks: false, slot: undefined };
  return { label: numbered[2] ?? "", wantsTasks: true, slot: Number(numbered[1]) };
}

/** The host itself knows all; tasks know what shares a network with them, and themselves. */
function mayKnow(asker: Asker, { service, network }: Entry): boolean {
  if (asker.kind === "host") return true;
  if (asker.kind !== "task") return false;
  const own = new Set(asker.service.networks.map((one) => one.network));
  if (network !== undefined) return own.has(network);
  return asker.service === service || service.networks.some((one) => own.has(one.network));
}

function addressRecords(name: string, addresses: readonly string[]): readonly ZoneRecord[] {
  return addresses.map((address) => ({ type: "A", name, address }));
}

function qualifiedName(service: ServiceRoutes): string {
  return service.stack === undefined ? service.shortName : `${service.shortName}.${service.stack}`;
}

/** Tasks of global services have no number of their own. */
function taskName(service: ServiceRoutes, endpoint: Endpoint): string {
  const tasks = `${TASKS}${qualifiedName(service)}`;
  return endpoint.slot === 0 ? tasks : `${endpoint.slot}.${tasks}`;
}

/** By which nodes themselves ask: their mesh addresses and their bridges' own. */
function hostAddresses(mesh: MeshRoutes): readonly string[] {
  return mesh.nodes.flatMap((node) => [node.meshAddress, gatewayOf(node.subnet)]);
}

/** The first address of a node's subnet: its bridge's, where its resolver listens. */
export function gatewayOf(subnet: string): string {
  return renderAddress(parseCidr(subnet).base + 1);
}
