// Chooses a node for a task: the filters say which nodes can take it, the ranking says which is best, with deterministic ties. Pure.

import type { NodeId } from "../model/ids.ts";
import type { HeldIds, HostPort, Node } from "../model/records.ts";
import type { ServiceMode, TaskTemplate } from "../model/service-spec.ts";
import type { World } from "../model/world.ts";
import { nextAddress } from "./address.ts";
import { type Asking, askingFor, volumeNames, type Wanted } from "./asking.ts";
import { bestFor, standsAlone } from "./candidates.ts";
import { partnerOf } from "./company.ts";
import { type Lack, refusal, steadyAgainAtMs } from "./filters.ts";
import type { Ledger, NodeUse } from "./ledger.ts";
import { findRoom, type Room } from "./preempt.ts";
import { ranking, scoresOf } from "./ranking.ts";
import { idsFor } from "./resources.ts";

export type Placed = {
  readonly nodeId: NodeId;
  readonly address: string;
  readonly hostPorts: readonly HostPort[];
  readonly generic?: HeldIds;
};
export type Placement =
  | { readonly placed: Placed }
  /** Why no node takes it; `retryAtMs`: when time alone changes that. */
  | { readonly reason: string; readonly retryAtMs?: number };

/** The node for a task, or why there is none. */
export function place(world: World, ledger: Ledger, nowMs: number, wanted: Wanted): Placement {
  const asking = askingFor(world, ledger, nowMs, wanted);
  const known = standsAlone(asking) ? bestFor(asking) : undefined;
  const placed = known === undefined ? undefined : placedOn(known, asking);
  return placed === undefined ? look(asking) : { placed };
}

/** Asks every node. */
function look(asking: Asking): Placement {
  const { world, ledger, nowMs, wanted } = asking;
  const only = onlyNode(asking);
  if (typeof only === "string") return { reason: only };
  const lacks: Lack[] = [];
  const isBetter = ranking(scoresOf(asking));
  let best: NodeUse | undefined;
  for (const use of only === undefined ? ledger.nodes : only.uses) {
    const why = refusal(asking, use);
    if (why !== undefined) lacks.push(why);
    else if (best === undefined || isBetter(use, best)) best = use;
  }
  const placed = best === undefined ? undefined : placedOn(best, asking);
  if (placed !== undefined) return { placed };
  const reason = pinnedAway(world, ledger, wanted.template, wanted.mode) ?? summarise(lacks, only?.name);
  const retryAtMs = steadyAgainAtMs(ledger.nodes, nowMs);
  return { reason, ...(retryAtMs === undefined ? {} : { retryAtMs }) };
}

function placedOn(use: NodeUse, { ledger, wanted }: Asking): Placed | undefined {
  const address = nextAddress(use);
  const hostPorts = ledger.portsFor(use, wanted.template.ports, wanted.serviceId);
  const ids = idsFor(use, wanted.template.resources.reservations);
  if (address === undefined || ids === undefined || "taken" in hostPorts) return undefined;
  return { nodeId: use.node.id, address, hostPorts, ...(Object.keys(ids).length === 0 ? {} : { generic: ids }) };
}

/** Where room can be made for a task that no node takes, by ending tasks of lower priority; undefined if nowhere, or if it may not. */
export function makeRoom(world: World, ledger: Ledger, nowMs: number, wanted: Wanted): Room | undefined {
  const { priority = 0, preempt = false } = wanted.template.placement;
  // one that just failed would end others for nothing
  if (!preempt || priority === 0 || wanted.avoid.size > 0) return undefined;
  const asking = askingFor(world, ledger, nowMs, wanted);
  const only = onlyNode(asking);
  if (typeof only === "string") return undefined;
  const room = findRoom(asking, only === undefined ? ledger.nodes : only.uses);
  const use = room === undefined ? undefined : ledger.nodeUse(room.nodeId);
  if (use !== undefined) ledger.reserve(use, wanted.template.resources.reservations);
  return room;
}

/**
 * A place that is better than the node where a task is, and the first score that says so; undefined if there is none. Ask it while the
 * task is not counted. Where scores are equal nothing is better: ties move nothing.
 */
export function betterPlace(
  world: World,
  ledger: Ledger,
  nowMs: number,
  wanted: Wanted,
  from: NodeId | undefined,
): { readonly placed: Placed; readonly why: string } | undefined {
  const found = place(world, ledger, nowMs, wanted);
  const here = from === undefined ? undefined : ledger.nodeUse(from);
  if (!("placed" in found) || here === undefined || found.placed.nodeId === from) return undefined;
  const there = ledger.nodeUse(found.placed.nodeId);
  if (there === undefined) return undefined;
  for (const { name, of } of scoresOf(askingFor(world, ledger, nowMs, wanted))) {
    const [stays, goes] = [of(here), of(there)];
    if (stays === goes) continue;
    const why = `${name}: ${stays} beside it on ${here.node.name}, ${goes} on ${there.node.name}`;
    return goes < stays ? { placed: found.placed, why } : undefined;
  }
  return undefined;
}

/** The one node that a task is for, and why in words, or a sentence when that is none; undefined when any will do. */
function onlyNode({ world, ledger, wanted }: Asking): OnlyNode | string | undefined {
  const usesOf = (id: NodeId): readonly NodeUse[] => [ledger.nodeUse(id)].filter((use) => use !== undefined);
  const nameOf = (id: NodeId): string => world.state.node.get(id)?.name ?? "a removed node";
  if (wanted.onlyNode !== undefined) return { uses: usesOf(wanted.onlyNode), name: nameOf(wanted.onlyNode) };
  const { with: partner } = wanted.template.placement;
  if (partner === undefined || wanted.slot === undefined) return undefined;
  const task = partnerOf(world, ledger, partner, wanted.slot);
  if (typeof task === "string") return task;
  if (task.nodeId === undefined) return undefined;
  return { uses: usesOf(task.nodeId), name: `${nameOf(task.nodeId)}, where ${partner}.${wanted.slot} is,` };
}

type OnlyNode = { readonly uses: readonly NodeUse[]; readonly name: string };

export type Explanation = {
  readonly node: Node;
  /** Whether it would take one more task of the service now; if not, `reason` says what it lacks. */
  readonly takes: boolean;
  readonly reason: string;
  /** Takers by rank from 1; absent for others. */
  readonly rank?: number;
  /** What ranks the takers, the weightiest first: less is better. */
  readonly scores: readonly { readonly name: string; readonly value: number }[];
};

/** For each node why it would or would not take a task now: the takers by rank, then the others by name. */
export function explain(world: World, ledger: Ledger, nowMs: number, wanted: Wanted): readonly Explanation[] {
  const asking = askingFor(world, ledger, nowMs, wanted);
  const only = onlyNode(asking);
  const scores = scoresOf(asking);
  const isBetter = ranking(scores);
  const why = (use: NodeUse): string => {
    if (typeof only === "string") return only;
    if (only !== undefined && !only.uses.includes(use)) return `is not ${only.name.replace(/,$/, "")}`;
    return refusal(asking, use)?.one ?? "";
  };
  const told = [...ledger.nodes].map((use) => ({ use, reason: why(use) }));
  const takers = told.filter(({ reason }) => reason === "").sort((a, b) => (isBetter(a.use, b.use) ? -1 : 1));
  const others = told.filter(({ reason }) => reason !== "").sort((a, b) => compare(a.use.node.name, b.use.node.name));
  return [...takers, ...others].map(({ use, reason }, at) => ({
    node: use.node,
    takes: reason === "",
    reason,
    ...(reason === "" ? { rank: at + 1 } : {}),
    scores: reason === "" ? scores.map(({ name, of }) => ({ name, value: of(use) })) : [],
  }));
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
