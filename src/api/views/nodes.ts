// Nodes as the API shows them: what was decided, what was observed, what is measured. Pure but for one digest.

import { createHash } from "node:crypto";
import type { Node, Task } from "../../core/model/records.ts";
import type { ResourceAmounts } from "../../core/model/service-spec.ts";
import { judgePeer, type PeerMeasurement } from "../../core/mesh/judge-peer.ts";
import type { PeerCheckView } from "../../core/model/peer-check.ts";
import type { NodeView } from "../../core/model/views.ts";
import { versionKey, type World } from "../../core/model/world.ts";
import { WITHDRAWAL_DEADLINE_MS } from "../../core/reconcile/planning.ts";
import { meshRoutesOf } from "../../core/routes/cluster-routes.ts";
import { countOf } from "../../core/schedule/resources.ts";
import { iso, maybe } from "./time.ts";

const NOTHING: ResourceAmounts = { cpus: 0, memoryBytes: 0, generic: {} };

/** How a node stands with the coordinator's sessions. */
export type NodeContact = {
  /** Why it is not in contact; empty when it is. */
  readonly message: string;
  /** For how long, in milliseconds, it has had routes that it did not apply. */
  readonly routesBehindMs: number;
};

/** What a node measured towards another, and what it means. */
export function peerCheckView(from: Node, to: Node, measured: PeerMeasurement): PeerCheckView {
  const { small, full, bitsPerSecond } = measured;
  return {
    from: from.name,
    to: to.name,
    endpoint: measured.endpoint,
    ...judgePeer(from.name, measured),
    loss: 1 - small.back / small.sent,
    mtu: full.bytes,
    carriesFullPackets: full.back > 0,
    ...(small.medianMs === undefined ? {} : { latencyMs: small.medianMs }),
    ...(bitsPerSecond === undefined ? {} : { bitsPerSecond }),
  };
}

/** Tasks that shall run on these nodes: one walk for all of them. */
export function tasksByNode(world: World, nodes: readonly Node[]): ReadonlyMap<string | undefined, readonly Task[]> {
  const groups = new Map<string | undefined, Task[]>(nodes.map(({ id }) => [id, []]));
  for (const task of world.state.task.values()) if (task.desired === "running") groups.get(task.nodeId)?.push(task);
  return groups;
}

/** One node. `tasks`: those that shall run there. */
export function nodeView(world: World, node: Node, contact: NodeContact, tasks: readonly Task[]): NodeView {
  const status = world.state.nodeStatus.get(node.id);
  const mesh = meshRoutesOf(world.state, node);
  const routesStale = contact.routesBehindMs > WITHDRAWAL_DEADLINE_MS;
  const reservations = tasks.map(
    (task) =>
      world.state.serviceVersion.get(versionKey(task.serviceId, task.specVersion))?.spec.template.resources
        .reservations ?? NOTHING,
  );
  return {
    id: node.id,
    index: node.index,
    name: node.name,
    address: node.address.port === 22 ? node.address.host : `${node.address.host}:${node.address.port}`,
    availability: node.availability,
    ...maybe("drainUntil", node.drainUntilMs === undefined ? undefined : iso(node.drainUntilMs)),
    presence: presenceOf(world, node),
    message: messageOf(contact, status?.networkTrouble),
    routesStale,
    ...maybe("unseenSince", status?.unseenSinceMs === undefined ? undefined : iso(status.unseenSinceMs)),
    labels: node.labels,
    engineLabels: status?.engineLabels ?? {},
    platform: status?.platform ?? { os: "", arch: "" },
    kernel: status?.kernel ?? "",
    engineVersion: status?.engineVersion ?? "",
    agentVersion: status?.agentVersion ?? "",
    bootId: status?.bootId ?? "",
    subnet: node.subnet,
    meshAddress: mesh?.meshAddress ?? "",
    meshEndpoint: mesh === undefined ? "" : `${mesh.endpoint.host}:${mesh.endpoint.port}`,
    hostKeyFingerprint: fingerprintOf(node.hostKey),
    agentKey: node.agentKey,
    resources: withGeneric(status?.resources ?? NOTHING, node.generic),
    ...maybe("genericIds", idsOf(node.generic)),
    reservedByTasks: reservations.reduce(add, NOTHING),
    ...maybe("measured", world.measured.get(node.id)),
    tasks: tasks.length,
    joinedAt: iso(node.joinedAtMs),
  };
}

/** What a user says of a node goes over what its agent found. */
function withGeneric(found: ResourceAmounts, said: Node["generic"]): ResourceAmounts {
  if (said === undefined) return found;
  const counts = Object.entries(said).map(([kind, what]): [string, number] => [kind, countOf(what)]);
  return { ...found, generic: { ...found.generic, ...Object.fromEntries(counts) } };
}

/** Undefined when no ids were given. */
function idsOf(said: Node["generic"] = {}): NodeView["genericIds"] {
  const named = Object.entries(said).filter(([, what]) => typeof what !== "number");
  return named.length === 0 ? undefined : (Object.fromEntries(named) as NonNullable<NodeView["genericIds"]>);
}

function messageOf({ message, routesBehindMs }: NodeContact, trouble: string | undefined): string {
  if (message !== "") return message;
  const stale =
    routesBehindMs > WITHDRAWAL_DEADLINE_MS
      ? `routes stale: it has not applied those of ${Math.round(routesBehindMs / 1_000)} s ago`
      : undefined;
  const network = trouble === undefined ? undefined : `network: ${trouble}`;
  return [stale, network].filter((text) => text !== undefined).join("; ");
}

function presenceOf(world: World, node: Node): NodeView["presence"] {
  if (node.confirmedDeadAtMs !== undefined) return "confirmed dead";
  if (!world.state.nodeStatus.has(node.id)) return "joining";
  return world.presence.get(node.id) ?? "silent";
}

function add(a: ResourceAmounts, b: ResourceAmounts): ResourceAmounts {
  const generic: Record<string, number> = { ...a.generic };
  for (const [kind, amount] of Object.entries(b.generic)) generic[kind] = (generic[kind] ?? 0) + amount;
  return { cpus: a.cpus + b.cpus, memoryBytes: a.memoryBytes + b.memoryBytes, generic };
}

/** As ssh-keygen shows it: "SHA256:…" of the key in "type base64". */
function fingerprintOf(hostKey: string): string {
  const blob = Buffer.from(hostKey.split(" ")[1] ?? "", "base64");
  return `SHA256:${createHash("sha256").update(blob).digest("base64").replace(/=+$/, "")}`;
}
