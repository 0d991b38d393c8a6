// Chooses a node for a task: the filters say which nodes can take it, the ranking says which is best, with deterministic ties. Pure.

import type { NodeId } from "../model/ids.ts";
import type { HostPort, Node } from "../model/records.ts";
import type { ServiceMode, TaskTemplate } from "../model/service-spec.ts";
import type { World } from "../model/world.ts";
import { nextAddress } from "./address.ts";
import { attributeOf } from "./attribute.ts";
import { type Asking, type Lack, refusal, steadyAgainAtMs, volumeNames, type Wanted } from "./filters.ts";
import { type Ledger, type NodeUse, reservedFraction } from "./ledger.ts";

export type Placed = { readonly nodeId: NodeId; readonly address: string; readonly hostPorts: readonly HostPort[] };
export type Placement =
  | { readonly placed: Placed }
  /** Why no node takes it; `retryAtMs`: when time alone changes that. */
  | { readonly reason: string; readonly retryAtMs?: number };

/** The node for a task, or why there is none. */
export function place(world: World, ledger: Ledger, nowMs: number, wanted: Wanted): Placement {
  const asking = askingFor(world, ledger, nowMs, wanted);
  const lacks: Lack[] = [];
  const isBetter = ranking(asking);
  let best: NodeUse | undefined;
  for (const use of candidates(ledger, wanted)) {
    const why = refusal(asking, use);
    if (why !== undefined) lacks.push(why);
    else if (best === undefined || isBetter(use, best)) best = use;
  }
  if (best !== undefined) {
    const address = nextAddress(best);
    const hostPorts = ledger.portsFor(best, wanted.template.ports, wanted.serviceId);
    if (address !== undefined && !("taken" in hostPorts)) {
      return { placed: { nodeId: best.node.id, address, hostPorts } };
    }
  }
  const reason =
    pinnedAway(world, ledger, wanted.template, wanted.mode) ?? summarise(lacks, onlyNodeName(world, wanted));
  const retryAtMs = steadyAgainAtMs(ledger.nodes, nowMs);
  return { reason, ...(retryAtMs === undefined ? {} : { retryAtMs }) };
}

function askingFor(world: World, ledger: Ledger, nowMs: number, wanted: Wanted): Asking {
  return { world, ledger, nowMs, wanted, pins: ledger.pinsOf(volumeNames(wanted.template)) };
}

function candidates(ledger: Ledger, { onlyNode }: Wanted): Iterable<NodeUse> {
  if (onlyNode === undefined) return ledger.nodes;
  const use = ledger.nodeUse(onlyNode);
  return use === undefined ? [] : [use];
}

export type Explanation = {
  readonly node: Node;
  /** Whether it would take one more task of the service now; if not, `reason` says what it lacks. */
  readonly takes: boolean;
  readonly reason: string;
};

/** For each node, by name, why it would or would not take a task now. */
export function explain(world: World, ledger: Ledger, nowMs: number, wanted: Wanted): readonly Explanation[] {
  const asking = askingFor(world, ledger, nowMs, wanted);
  return [...ledger.nodes]
    .sort((a, b) => compare(a.node.name, b.node.name))
    .map((use) => {
      const why = refusal(asking, use);
      return { node: use.node, takes: why === undefined, reason: why?.one ?? "" };
    });
}

function onlyNodeName(world: World, { onlyNode }: Wanted): string | undefined {
  return onlyNode === undefined ? undefined : (world.state.node.get(onlyNode)?.name ?? "a removed node");
}

/** "2 nodes lack label disk=ssd; 1 node is draining": the most frequent first. `only`: the one node that it is for, by name. */
function summarise(lacks: readonly Lack[], only: string | undefined): string {
  const [first] = lacks;
  if (only !== undefined) return `${only} ${first?.one ?? "is gone"}`;
  if (first === undefined) return "there are no nodes: davit node add user@host";
  const counts = new Map<string, { readonly lack: Lack; count: number }>();
  for (const why of lacks) {
    const entry = counts.get(why.one) ?? { lack: why, count: 0 };
    entry.count += 1;
    counts.set(why.one, entry);
  }
  return [...counts.values()]
    .sort((a, b) => b.count - a.count || compare(a.lack.one, b.lack.one))
    .map(({ lack, count }) => (count === 1 ? `1 node ${lack.one}` : `${count} nodes ${lack.several}`))
    .join("; ");
}

type Score = (use: NodeUse) => number;

/**
 * Whether one node is better than another. In order: not where it just failed, spread preferences, fewest tasks of the same make
 * (an update's older ones are going to leave), fewest tasks of the service, least reserved, least busy by measurement, fewest
 * tasks; ties end at the id.
 */
function ranking(asking: Asking): (a: NodeUse, b: NodeUse) => boolean {
  const { world, wanted } = asking;
  const scores: readonly Score[] = [
    ({ node }) => (wanted.avoid.has(node.id) ? 1 : 0),
    ...wanted.template.placement.spreadOver.map((attribute) => spreadScore(asking, attribute)),
    ({ byMake }) => byMake.get(wanted.make) ?? 0,
    ({ byService }) => byService.get(wanted.serviceId) ?? 0,
    // in steps: below a tenth of a node, or a quarter of its processors, the difference is noise
    (use) => Math.floor(reservedFraction(use) * 10),
    ({ node }) => Math.floor((world.measured.get(node.id)?.cpuFraction ?? 0) * 4),
    ({ tasks }) => tasks,
  ];
  return (a, b) => {
    for (const score of scores) {
      const difference = score(a) - score(b);
      if (difference !== 0) return difference < 0;
    }
    return a.node.id < b.node.id;
  };
}

/** Tasks of the same make on all nodes that share the attribute's value. */
function spreadScore({ ledger, wanted }: Asking, attribute: string): Score {
  const counts = new Map<string, number>();
  const valueOf = ({ node, status }: NodeUse): string => attributeOf(node, status, attribute) ?? "";
  for (const use of ledger.nodes) {
    counts.set(valueOf(use), (counts.get(valueOf(use)) ?? 0) + (use.byMake.get(wanted.make) ?? 0));
  }
  return (use) => counts.get(valueOf(use)) ?? 0;
}

/** "its data is on n2, which is down", if that is why nothing else matters. */
export function pinnedAway(
  world: World,
  ledger: Ledger,
  template: TaskTemplate,
  mode: ServiceMode,
): string | undefined {
  if (mode.kind === "global" || mode.kind === "global-job") return undefined;
  for (const { nodeIds } of ledger.pinsOf(volumeNames(template))) {
    if (nodeIds.length === 0) continue;
    const nodes = nodeIds.map((id) => world.state.node.get(id));
    const why = nodes.map((node) => (node === undefined ? "removed" : trouble(world, node)));
    if (why.every((text) => text !== undefined)) {
      return `its data is on ${nodes.map((node, at) => `${node?.name ?? nodeIds[at]}, which is ${why[at]}`).join("; ")}`;
    }
  }
  return undefined;
}

function trouble(world: World, node: Node): string | undefined {
  if (node.confirmedDeadAtMs !== undefined) return "confirmed dead";
  const presence = world.presence.get(node.id);
  if (presence === "lost" || (presence !== "ready" && isUnseen(world, node))) return "down";
  if (presence !== "ready") return "silent";
  if (node.availability === "drain") return "draining";
  return node.availability === "pause" ? "paused" : undefined;
}

function isUnseen(world: World, node: Node): boolean {
  return world.state.nodeStatus.get(node.id)?.unseenSinceMs !== undefined;
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
