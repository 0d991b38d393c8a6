// Chooses a node for a task: an ordered list of filters, each of which says in words what a node lacks, then a ranking with
// deterministic ties. The same filters explain a refusal: "2 nodes lack label disk=ssd; 1 node is draining". Pure.

import type { NodeId, ServiceId } from "../model/ids.ts";
import type { HostPort, Node, NodeStatus } from "../model/records.ts";
import { isPinnedVolume, type ServiceMode, type TaskTemplate } from "../model/service-spec.ts";
import type { World } from "../model/world.ts";
import { nextAddress } from "./address.ts";
import { attributeOf, describeConstraint, meets, runsPlatform } from "./constraint.ts";
import type { Ledger } from "./ledger.ts";

/** A node lost twice within it gets nothing new until it has passed. */
export const FLAPPING_WINDOW_MS = 600_000;

export type Wanted = {
  readonly serviceId: ServiceId;
  readonly template: TaskTemplate;
  readonly mode: ServiceMode;
  /** Nodes where it just failed: taken only if nothing else is left. */
  readonly avoid: ReadonlySet<NodeId>;
  /** A global service's task is for this node alone. */
  readonly onlyNode?: NodeId;
};

export type Placed = { readonly nodeId: NodeId; readonly address: string; readonly hostPorts: readonly HostPort[] };
export type Placement = { readonly placed: Placed } | { readonly reason: string };

type Candidate = { readonly node: Node; readonly status: NodeStatus | undefined };
type Context = { readonly world: World; readonly ledger: Ledger; readonly nowMs: number; readonly wanted: Wanted };

/** What a node lacks: `several` and `one` are the plural and singular of the same sentence. */
type Lack = { readonly several: string; readonly one: string };
type Filter = (context: Context, candidate: Candidate) => Lack | undefined;

function lack(one: string, several: string): Lack {
  return { one, several };
}

/** In order: the first that refuses a node gives the reason. */
const FILTERS: readonly Filter[] = [
  isAvailable,
  isReady,
  isSteady,
  hasVolumes,
  meetsConstraints,
  canRunPlatform,
  hasRoomForService,
  hasResources,
  hasPorts,
  hasAddress,
];

function isAvailable(_context: Context, { node }: Candidate): Lack | undefined {
  if (node.confirmedDeadAtMs !== undefined) return lack("is confirmed dead", "are confirmed dead");
  if (node.availability === "drain") return lack("is draining", "are draining");
  if (node.availability === "pause") return lack("is paused", "are paused");
  return undefined;
}

function isReady({ world }: Context, { node }: Candidate): Lack | undefined {
  const presence = world.presence.get(node.id);
  if (presence === "ready") return undefined;
  return presence === "lost" ? lack("is down", "are down") : lack("does not answer", "do not answer");
}

function isSteady({ nowMs }: Context, { status }: Candidate): Lack | undefined {
  const recent = (status?.lostAtMs ?? []).filter((atMs) => nowMs - atMs < FLAPPING_WINDOW_MS);
  return recent.length < 2 ? undefined : lack("was lost twice in ten minutes", "were lost twice in ten minutes");
}

/** Pinned volumes that already have data elsewhere. */
function hasVolumes(context: Context, { node }: Candidate): Lack | undefined {
  if (context.wanted.mode.kind === "global" || context.wanted.mode.kind === "global-job") return undefined;
  for (const { name, nodeIds } of pinsOf(context.world, context.wanted.template)) {
    if (nodeIds.length > 0 && !nodeIds.includes(node.id))
      return lack(`does not have volume ${name}`, `do not have volume ${name}`);
  }
  return undefined;
}

function meetsConstraints({ wanted }: Context, { node, status }: Candidate): Lack | undefined {
  const failed = wanted.template.placement.constraints.find((constraint) => !meets(constraint, node, status));
  if (failed === undefined) return undefined;
  return lack(`lacks ${describeConstraint(failed)}`, `lack ${describeConstraint(failed)}`);
}

function canRunPlatform({ wanted }: Context, { status }: Candidate): Lack | undefined {
  const { platforms } = wanted.template.placement;
  return runsPlatform(platforms, status)
    ? undefined
    : lack(`cannot run ${platforms.join(" or ")}`, `cannot run ${platforms.join(" or ")}`);
}

function hasRoomForService({ ledger, wanted }: Context, { node }: Candidate): Lack | undefined {
  const { maxPerNode } = wanted.template.placement;
  if (maxPerNode === 0 || ledger.tasksOfService(node.id, wanted.serviceId) < maxPerNode) return undefined;
  return lack(`has its maximum of ${maxPerNode} of the service`, `have their maximum of ${maxPerNode} of the service`);
}

function hasResources({ ledger, wanted }: Context, { node, status }: Candidate): Lack | undefined {
  const lacking = ledger.lacking(node, status, wanted.template.resources.reservations);
  return lacking === "" ? undefined : lack(`lacks ${lacking}`, `lack ${lacking}`);
}

function hasPorts({ ledger, wanted }: Context, { node, status }: Candidate): Lack | undefined {
  const ports = ledger.portsFor(node.id, status, wanted.template.ports, wanted.serviceId);
  if (!("taken" in ports)) return undefined;
  const { from, to } = ports.taken.published;
  const what =
    from === to
      ? `port ${from}/${ports.taken.protocol} taken`
      : `all ports ${from}–${to}/${ports.taken.protocol} taken`;
  return lack(`has ${what} by ${ports.by}`, `have ${what} by ${ports.by}`);
}

function hasAddress({ ledger }: Context, { node }: Candidate): Lack | undefined {
  return nextAddress(node, ledger) === undefined ? lack("has no address left", "have no address left") : undefined;
}

function pinsOf(
  world: World,
  template: TaskTemplate,
): { readonly name: string; readonly nodeIds: readonly NodeId[] }[] {
  const names = new Set<string>();
  for (const mount of template.container.mounts) if (mount.kind === "volume") names.add(mount.volume);
  if (names.size === 0) return [];
  const pins: { name: string; nodeIds: readonly NodeId[] }[] = [];
  for (const volume of world.state.volume.values()) {
    if (names.has(volume.name) && isPinnedVolume(volume))
      pins.push({ name: volume.name, nodeIds: world.state.volumePin.get(volume.id)?.nodeIds ?? [] });
  }
  return pins;
}

/** "its data is on n2, which is down", if that is why nothing else matters. */
export function pinnedAway(world: World, template: TaskTemplate, mode: ServiceMode): string | undefined {
  if (mode.kind === "global" || mode.kind === "global-job") return undefined;
  for (const { nodeIds } of pinsOf(world, template)) {
    if (nodeIds.length === 0) continue;
    const nodes = nodeIds.map((id) => world.state.node.get(id));
    const why = nodes.map((node) => (node === undefined ? "removed" : troubleOf(world, node)));
    if (why.every((reason) => reason !== undefined)) {
      return `its data is on ${nodes.map((node, at) => `${node?.name ?? nodeIds[at]}, which is ${why[at]}`).join("; ")}`;
    }
  }
  return undefined;
}

function troubleOf(world: World, node: Node): string | undefined {
  if (node.confirmedDeadAtMs !== undefined) return "confirmed dead";
  const presence = world.presence.get(node.id);
  if (presence === "lost") return "down";
  if (presence !== "ready") return "silent";
  if (node.availability === "drain") return "draining";
  return node.availability === "pause" ? "paused" : undefined;
}

/** The node for a task, or why there is none. */
export function place(world: World, ledger: Ledger, nowMs: number, wanted: Wanted): Placement {
  const context: Context = { world, ledger, nowMs, wanted };
  const nodes = [...world.state.node.values()].filter(
    (node) => wanted.onlyNode === undefined || node.id === wanted.onlyNode,
  );
  const lacks: Lack[] = [];
  const fits: Candidate[] = [];
  for (const node of nodes) {
    const candidate = { node, status: world.state.nodeStatus.get(node.id) };
    const why = refusal(context, candidate);
    if (why === undefined) fits.push(candidate);
    else lacks.push(why);
  }
  const [best] = rank(context, fits);
  if (best === undefined) return { reason: pinnedAway(world, wanted.template, wanted.mode) ?? summarise(lacks) };
  const address = nextAddress(best.node, ledger);
  const hostPorts = ledger.portsFor(best.node.id, best.status, wanted.template.ports, wanted.serviceId);
  if (address === undefined || "taken" in hostPorts) return { reason: summarise(lacks) };
  return { placed: { nodeId: best.node.id, address, hostPorts } };
}

function refusal(context: Context, candidate: Candidate): Lack | undefined {
  for (const filter of FILTERS) {
    const why = filter(context, candidate);
    if (why !== undefined) return why;
  }
  return undefined;
}

/** For each node, why it would or would not take a task of a service now. */
export function explain(
  world: World,
  ledger: Ledger,
  nowMs: number,
  wanted: Wanted,
): readonly { readonly node: Node; readonly reason: string }[] {
  const context: Context = { world, ledger, nowMs, wanted };
  return [...world.state.node.values()]
    .sort((a, b) => compare(a.name, b.name))
    .map((node) => ({
      node,
      reason: refusal(context, { node, status: world.state.nodeStatus.get(node.id) })?.one ?? "",
    }));
}

function summarise(lacks: readonly Lack[]): string {
  if (lacks.length === 0) return "there are no nodes: davit node add user@host";
  const counts = new Map<string, { readonly lack: Lack; count: number }>();
  for (const why of lacks) {
    const entry = counts.get(why.one) ?? { lack: why, count: 0 };
    entry.count += 1;
    counts.set(why.one, entry);
  }
  return [...counts.values()]
    .sort((a, b) => b.count - a.count || compare(a.lack.one, b.lack.one))
    .map(({ lack: why, count }) => (count === 1 ? `1 node ${why.one}` : `${count} nodes ${why.several}`))
    .join("; ");
}

/** Best first. Spread preferences, then fewest of the service, then what is reserved, then what is measured, then fewest tasks; ties end at the id. */
function rank({ world, ledger, wanted }: Context, candidates: readonly Candidate[]): Candidate[] {
  const groups = wanted.template.placement.spreadOver.map((attribute) => {
    const counts = new Map<string, number>();
    for (const node of world.state.node.values()) {
      const value = attributeOf(node, world.state.nodeStatus.get(node.id), attribute) ?? "";
      counts.set(value, (counts.get(value) ?? 0) + ledger.tasksOfService(node.id, wanted.serviceId));
    }
    return ({ node, status }: Candidate) => counts.get(attributeOf(node, status, attribute) ?? "") ?? 0;
  });
  const keyed = candidates.map((candidate) => {
    const { node, status } = candidate;
    const measured = world.measured.get(node.id);
    const scores = [
      wanted.avoid.has(node.id) ? 1 : 0,
      ...groups.map((group) => group(candidate)),
      ledger.tasksOfService(node.id, wanted.serviceId),
      // in steps of a tenth: below that the difference is noise
      status === undefined ? 1 : Math.floor(ledger.reservedFraction(node.id, status) * 10),
      measured === undefined ? 0 : Math.floor(measured.cpuFraction * 4),
      ledger.tasksOn(node.id),
    ];
    return { candidate, scores };
  });
  keyed.sort((a, b) => {
    for (const [at, score] of a.scores.entries()) {
      const difference = score - (b.scores[at] ?? 0);
      if (difference !== 0) return difference;
    }
    return compare(a.candidate.node.id, b.candidate.node.id);
  });
  return keyed.map(({ candidate }) => candidate);
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
