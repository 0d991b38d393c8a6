// Homes of services that must be kept apart from the one being placed: a task that may go to many nodes leaves the last ones to a service
// that has no others, whichever of the two is placed first. Pure.

import type { Service, ServiceVersion } from "../model/records.ts";
import { versionKey } from "../model/world.ts";
import { type Asking, askingFor, wantedOf } from "./asking.ts";
import { isThere } from "./company.ts";
import { couldTake } from "./filters.ts";
import type { Ledger, NodeUse } from "./ledger.ts";

/** A service that still needs nodes, and those that could take it while no task of the other one is there. */
export type Homeless = { readonly needed: number; readonly homes: ReadonlySet<NodeUse> };

/** Services to be kept apart from the one that asks, whichever of the two says so, that have not all the nodes that they need. */
export function homelessOf({ world, ledger, nowMs, wanted, company }: Asking): readonly Homeless[] {
  const mine = company.apart.flatMap(({ required, id }) => (required && id !== undefined ? [id] : []));
  const ids = new Set([...mine, ...ledger.refusersOf(company.name)]);
  ids.delete(wanted.serviceId);
  return [...ids].flatMap((id) => {
    const service = world.state.service.get(id);
    const version = service && world.state.serviceVersion.get(versionKey(id, service.version));
    if (service === undefined || version === undefined) return [];
    const needed = nodesNeeded(ledger, service, version);
    if (needed <= 0) return [];
    const asking = askingFor(
      world,
      ledger,
      nowMs,
      wantedOf(service, version, { force: 0, slot: undefined }, new Set()),
    );
    const homes = [...ledger.nodes].filter((use) => !isThere(service, use) && couldTake(asking, use));
    return [{ needed, homes: new Set(homes) }];
  });
}

/** How many services would be left without a node that they need if a task went to this one. */
export function leftOut(homeless: readonly Homeless[], use: NodeUse): number {
  return homeless.filter(({ needed, homes }) => homes.has(use) && homes.size <= needed).length;
}

/** On how many more nodes a service has to be: on each, if it is global; else on one, or on more where it says how many of its tasks a node may have. */
function nodesNeeded(ledger: Ledger, service: Service, { spec }: ServiceVersion): number {
  const { mode } = service;
  if (mode.kind === "global" || mode.kind === "global-job") return Number.POSITIVE_INFINITY;
  const tasks = mode.kind === "replicated" ? mode.replicas : mode.concurrency;
  const { maxPerNode, antiAffinity = [] } = spec.template.placement;
  const isAlone = antiAffinity.some((one) => one.required && one.service === spec.name);
  const perNode = isAlone ? 1 : maxPerNode || tasks;
  const has = [...ledger.nodes].filter((use) => isThere(service, use)).length;
  return tasks === 0 ? 0 : Math.ceil(tasks / perNode) - has;
}
