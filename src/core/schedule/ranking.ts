// Which of the nodes that can take a task is best: a list of scores, compared in order, less is better; ties end at the node's id. A
// strategy is a list of scores after those that every service has. Pure.

import type { PlacementStrategy } from "../model/service-spec.ts";
import type { World } from "../model/world.ts";
import { attributeOf } from "./attribute.ts";
import { unmetWishes } from "./company.ts";
import type { Asking } from "./asking.ts";
import { homelessOf, leftOut } from "./homes.ts";
import type { NodeUse } from "./ledger.ts";
import { reservedFraction } from "./resources.ts";

/** `name`: what it counts, in words. */
export type Score = { readonly name: string; readonly of: (use: NodeUse) => number };
type Strategy = (asking: Asking) => readonly Score[];

/** A new strategy is a name in PLACEMENT_STRATEGIES and a list of scores here. */
const STRATEGIES: Readonly<Record<PlacementStrategy, Strategy>> = { spread, binpack };

/** Busier than this a node is not filled further while another has room. */
const BUSY = 0.9;

/** The scores of a task, the weightiest first. */
export function scoresOf(asking: Asking): readonly Score[] {
  const { wanted, company, ledger, nowMs } = asking;
  const { placement } = wanted.template;
  const failing = ledger.failingNodes(wanted.serviceId, wanted.version, nowMs);
  const failed: Score = {
    name: "failed there",
    of: ({ node }) => (wanted.avoid.has(node.id) || failing.has(node.id) ? 1 : 0),
  };
  const hasWishes = [...company.near, ...company.apart].some(({ required }) => !required);
  const homeless = homelessOf(asking);
  return [
    failed,
    ...(homeless.length > 0
      ? [{ name: "services without another node", of: (use: NodeUse): number => leftOut(homeless, use) }]
      : []),
    ...(hasWishes ? [{ name: "wishes not met", of: (use: NodeUse): number => unmetWishes(company, use) }] : []),
    ...spreadScores(asking),
    ...STRATEGIES[placement.strategy ?? "spread"](asking),
  ];
}

/** Whether one node is better than another. */
export function ranking(scores: readonly Score[]): (a: NodeUse, b: NodeUse) => boolean {
  return (a, b) => {
    for (const { of } of scores) {
      const difference = of(a) - of(b);
      if (difference !== 0) return difference < 0;
    }
    return a.node.id < b.node.id;
  };
}

/** What is measured on a node as a fraction of what it has: the larger of processors and memory; 0 while nothing is known. */
function busyFraction({ measured }: World, { node, status }: NodeUse): number {
  const now = measured.get(node.id);
  if (now === undefined) return 0;
  const memory = now.memoryUsedBytes / (status?.resources.memoryBytes || Number.POSITIVE_INFINITY);
  return Math.max(now.cpuFraction, memory);
}

/**
 * The emptiest: fewest tasks of the same make first, because an update's older ones are going to leave, then fewest of the service.
 * What is reserved and measured counts in steps: below a tenth of a node reserved, or a quarter of it busy, the difference is noise.
 */
function spread({ world, wanted }: Asking): readonly Score[] {
  return [
    { name: "tasks of the same version", of: ({ byMake }) => byMake.get(wanted.make) ?? 0 },
    { name: "tasks of the service", of: ({ byService }) => byService.get(wanted.serviceId) ?? 0 },
    { name: "tenths reserved", of: (use) => Math.floor(reservedFraction(use) * 10) },
    { name: "quarters busy", of: (use) => Math.floor(busyFraction(world, use) * 4) },
    { name: "tasks", of: ({ tasks }) => tasks },
  ];
}

/** The fullest, so that others stay empty; not one that is busy beyond what was reserved on it. */
function binpack({ world }: Asking): readonly Score[] {
  return [
    {
      name: "busy",
      of: (use) => (busyFraction(world, use) >= BUSY ? 1 : 0),
    },
    { name: "hundredths not reserved", of: (use) => 100 - Math.floor(reservedFraction(use) * 100) },
    { name: "fewer tasks", of: ({ tasks }) => -tasks },
  ];
}

/**
 * Spread preferences, level by level: a level counts tasks of the same make on all nodes that share its value and those of all wider
 * levels, so that racks are evened out within their zone. Nodes without a value are a group of their own.
 */
function spreadScores({ ledger, wanted }: Asking): readonly Score[] {
  const { spreadOver } = wanted.template.placement;
  if (spreadOver.length === 0) return [];
  const groups = new Map<NodeUse, readonly Group[]>();
  const known = new Map<string, Group>();
  for (const use of ledger.nodes) {
    const here = groupsOf(use, spreadOver, known);
    groups.set(use, here);
    const count = use.byMake.get(wanted.make) ?? 0;
    for (const group of here) group.count += count;
  }
  return spreadOver.map((attribute, level) => ({
    name: `tasks in the same ${attribute.replace(/^(node|engine)\.labels\./, "")}`,
    of: (use) => groups.get(use)?.[level]?.count ?? 0,
  }));
}

type Group = { count: number };

function groupsOf(
  { node, status }: NodeUse,
  spreadOver: readonly string[],
  known: Map<string, Group>,
): readonly Group[] {
  let path = "";
  return spreadOver.map((attribute) => {
    // a value may hold any character, and a missing one is not an empty one
    path += `/${JSON.stringify(attributeOf(node, status, attribute) ?? null)}`;
    const group = known.get(path) ?? { count: 0 };
    known.set(path, group);
    return group;
  });
}
