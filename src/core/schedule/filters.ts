// Which nodes can take a task: an ordered list of filters, each of which says in words what a node lacks. The first that refuses a
// node gives the reason, so the order is from what an operator would change first to what is only full. Pure.

import { hasFreeAddress } from "./address.ts";
import type { Asking } from "./asking.ts";
import { missingCompany, unwantedCompany } from "./company.ts";
import { describeUnmet, meets, runsPlatform } from "./constraint.ts";
import type { NodeUse } from "./ledger.ts";
import { lacking } from "./resources.ts";

/** A node lost twice within it gets nothing new until it has passed. */
export const FLAPPING_WINDOW_MS = 600_000;

/** What a node lacks: `one` and `several` are the singular and plural of the same sentence. */
export type Lack = { readonly one: string; readonly several: string };
type Filter = (asking: Asking, use: NodeUse) => Lack | undefined;

const FILTERS: readonly Filter[] = [
  isAvailable,
  isReady,
  isSteady,
  hasVolumes,
  meetsConstraints,
  canRunPlatform,
  hasCompany,
  hasNoUnwantedCompany,
  hasRoomForService,
  hasResources,
  hasPorts,
  hasAddress,
];

/** What is only taken: what a node lacks of it now, it has when tasks on it end. */
const ROOM: readonly Filter[] = [hasResources, hasPorts, hasAddress];
const REST: readonly Filter[] = FILTERS.filter((filter) => !ROOM.includes(filter));

/** The first thing that a node lacks for a task; undefined if it can take it. */
export function refusal(asking: Asking, use: NodeUse): Lack | undefined {
  return firstLack(FILTERS, asking, use);
}

/** Whether room is all that a node lacks, if anything. */
export function couldTake(asking: Asking, use: NodeUse): boolean {
  return firstLack(REST, asking, use) === undefined;
}

function firstLack(filters: readonly Filter[], asking: Asking, use: NodeUse): Lack | undefined {
  for (const filter of filters) {
    const why = filter(asking, use);
    if (why !== undefined) return why;
  }
  return undefined;
}

function lack(one: string, several: string): Lack {
  return { one, several };
}

function isAvailable(_asking: Asking, { node }: NodeUse): Lack | undefined {
  if (node.confirmedDeadAtMs !== undefined) return lack("is confirmed dead", "are confirmed dead");
  if (node.availability === "drain") return lack("is draining", "are draining");
  if (node.availability === "pause") return lack("is paused", "are paused");
  return undefined;
}

function isReady({ world }: Asking, { node, status }: NodeUse): Lack | undefined {
  const presence = world.presence.get(node.id);
  if (presence === "ready") return undefined;
  if (presence === "lost" || status?.unseenSinceMs !== undefined) return lack("is down", "are down");
  return lack("does not answer", "do not answer");
}

function isSteady({ nowMs }: Asking, use: NodeUse): Lack | undefined {
  const untilMs = flapsUntilMs(use);
  if (untilMs === undefined || untilMs <= nowMs) return undefined;
  return lack("was lost twice in ten minutes", "were lost twice in ten minutes");
}

/** The end of the ten minutes that began with the second of two losses within ten minutes. */
function flapsUntilMs({ status }: NodeUse): number | undefined {
  const losses = status?.lostAtMs ?? [];
  const last = losses.at(-1);
  const before = losses.at(-2);
  if (last === undefined || before === undefined || last - before >= FLAPPING_WINDOW_MS) return undefined;
  return last + FLAPPING_WINDOW_MS;
}

/** When the next node that gets nothing new because it was lost twice is trusted again. */
export function steadyAgainAtMs(nodes: Iterable<NodeUse>, nowMs: number): number | undefined {
  let earliest: number | undefined;
  for (const use of nodes) {
    const atMs = flapsUntilMs(use);
    if (atMs !== undefined && atMs > nowMs && (earliest === undefined || atMs < earliest)) earliest = atMs;
  }
  return earliest;
}

/** Data of pinned volumes that is elsewhere. A global service has a volume of its own on each node. */
function hasVolumes({ wanted, pins }: Asking, { node }: NodeUse): Lack | undefined {
  if (wanted.mode.kind === "global" || wanted.mode.kind === "global-job") return undefined;
  for (const { volume, nodeIds } of pins) {
    if (nodeIds.length === 0 || nodeIds.includes(node.id)) continue;
    return lack(`does not have volume ${volume.name}`, `do not have volume ${volume.name}`);
  }
  return undefined;
}

function meetsConstraints({ wanted }: Asking, { node, status }: NodeUse): Lack | undefined {
  const failed = wanted.template.placement.constraints.find((constraint) => !meets(constraint, node, status));
  if (failed === undefined) return undefined;
  return describeUnmet(failed);
}

function canRunPlatform({ wanted }: Asking, { status }: NodeUse): Lack | undefined {
  const { platforms } = wanted.template.placement;
  if (runsPlatform(platforms, status)) return undefined;
  return lack(`cannot run ${platforms.join(" or ")}`, `cannot run ${platforms.join(" or ")}`);
}

function hasCompany({ ledger, company }: Asking, use: NodeUse): Lack | undefined {
  if (company.near.length === 0) return undefined;
  const missing = missingCompany(company, ledger, use);
  return missing === undefined ? undefined : lack(`has no task of ${missing.name}`, `have no task of ${missing.name}`);
}

function hasNoUnwantedCompany({ company }: Asking, use: NodeUse): Lack | undefined {
  if (company.apart.length === 0 && use.refused.size === 0) return undefined;
  const unwanted = unwantedCompany(company, use);
  if (unwanted === undefined) return undefined;
  return lack(`has a task of ${unwanted}, to keep apart from`, `have a task of ${unwanted}, to keep apart from`);
}

function hasRoomForService({ wanted }: Asking, { byService }: NodeUse): Lack | undefined {
  const { maxPerNode } = wanted.template.placement;
  if (maxPerNode === 0 || (byService.get(wanted.serviceId) ?? 0) < maxPerNode) return undefined;
  return lack(`has its maximum of ${maxPerNode} of the service`, `have their maximum of ${maxPerNode} of the service`);
}

function hasResources({ wanted }: Asking, use: NodeUse): Lack | undefined {
  const missing = lacking(use, wanted.template.resources.reservations);
  return missing === "" ? undefined : lack(`lacks ${missing}`, `lack ${missing}`);
}

function hasPorts({ ledger, wanted }: Asking, use: NodeUse): Lack | undefined {
  const specs = wanted.template.ports.filter(({ mode }) => mode === "host");
  if (specs.length === 0) return undefined;
  const ports = ledger.portsFor(use, specs, wanted.serviceId);
  if (!("taken" in ports)) return undefined;
  const { from, to } = ports.taken.published;
  const { protocol } = ports.taken;
  const what = from === to ? `port ${from}/${protocol} taken` : `all ports ${from}–${to}/${protocol} taken`;
  return lack(`has ${what} by ${ports.by}`, `have ${what} by ${ports.by}`);
}

function hasAddress(_asking: Asking, use: NodeUse): Lack | undefined {
  if (hasFreeAddress(use)) return undefined;
  const why =
    use.addressesLeft === 0 ? "" : `: ${use.addressesLeft} addresses wait for nodes that have not left them behind`;
  return lack(`has no address left${why}`, `have no address left${why}`);
}
