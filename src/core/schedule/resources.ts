// What a node has of processors, memory and generic resources, and what of it is free on top of what the ledger says is taken. Pure.

import type { HeldIds, Node, NodeStatus } from "../model/records.ts";
import type { ResourceAmounts } from "../model/service-spec.ts";
import type { NodeUse } from "./ledger.ts";

/** What of `wanted` a node lacks, in words; empty if it fits. */
export function lacking(use: NodeUse, wanted: ResourceAmounts): string {
  const { node, status } = use;
  const has = status?.resources ?? { cpus: 0, memoryBytes: 0 };
  const lacks: string[] = [];
  // sums of fractions of a CPU are not exact
  const freeCpus = has.cpus - node.reserved.cpus - use.cpus + 1e-9;
  if (wanted.cpus > 0 && wanted.cpus > freeCpus) lacks.push(`${wanted.cpus} CPUs free`);
  const freeBytes = has.memoryBytes - node.reserved.memoryBytes - use.memoryBytes;
  if (wanted.memoryBytes > 0 && wanted.memoryBytes > freeBytes) {
    lacks.push(`${Math.ceil(wanted.memoryBytes / 1_048_576)} MiB of memory free`);
  }
  for (const kind of Object.keys(wanted.generic).sort()) {
    const amount = wanted.generic[kind] ?? 0;
    const free = genericOf(node, status, kind) - (node.reserved.generic[kind] ?? 0) - (use.generic.get(kind) ?? 0);
    if (amount > free) lacks.push(`${amount} ${kind}`);
  }
  return lacks.join(" and ");
}

/** Ids for what is asked of a node's named resources, the first free ones; kinds that it only counts are left out. Undefined: too few are free. */
export function idsFor({ node, ids }: NodeUse, wanted: ResourceAmounts): HeldIds | undefined {
  const found: Record<string, readonly string[]> = {};
  for (const [kind, amount] of Object.entries(wanted.generic)) {
    const all = node.generic?.[kind];
    if (all === undefined || typeof all === "number" || amount === 0) continue;
    const free = all.filter((id) => ids.get(kind)?.has(id) !== true).slice(0, amount);
    if (free.length < amount) return undefined;
    found[kind] = free;
  }
  return found;
}

/** How much of a generic resource a node has: what its user says, else what its agent found. */
export function genericOf(node: Node, status: NodeStatus | undefined, kind: string): number {
  return countOf(node.generic?.[kind] ?? status?.resources.generic[kind] ?? 0);
}

/** How many that are: a number, or so many ids. */
export function countOf(what: number | readonly string[]): number {
  return typeof what === "number" ? what : what.length;
}

/** What is reserved on a node, as a fraction of what it has: the larger of CPU and memory. */
export function reservedFraction({ status, cpus, memoryBytes }: NodeUse): number {
  if (status === undefined) return 1;
  return Math.max(cpus / (status.resources.cpus || 1), memoryBytes / (status.resources.memoryBytes || 1));
}
