// What a task asks of nodes, and that question with everything looked up that is the same for each of them. Pure.

import type { NodeId, ServiceId } from "../model/ids.ts";
import type { Service, ServiceVersion } from "../model/records.ts";
import type { ServiceMode, TaskTemplate } from "../model/service-spec.ts";
import type { World } from "../model/world.ts";
import { type Company, companyOf } from "./company.ts";
import { type Ledger, type Make, makeOf, type Pin } from "./ledger.ts";

export type Wanted = {
  readonly serviceId: ServiceId;
  readonly version: number;
  /** Tasks of the same make: those that stay when a rollout is over, and so the ones to spread. */
  readonly make: Make;
  readonly template: TaskTemplate;
  readonly mode: ServiceMode;
  /** Nodes where it just failed: taken only if nothing else is left. */
  readonly avoid: ReadonlySet<NodeId>;
  /** Absent when it is not for a certain slot: nobody is followed then. */
  readonly slot?: number;
  /** A global service's task is for this node alone. */
  readonly onlyNode?: NodeId;
};

/** What a task asks of nodes. A slot counts for replicated services only. */
export function wantedOf(
  { id: serviceId, mode }: Service,
  { version, spec: { template }, templateHash }: ServiceVersion,
  task: { readonly force: number; readonly slot: number | undefined; readonly onlyNode?: NodeId | undefined },
  avoid: ReadonlySet<NodeId>,
): Wanted {
  const make = makeOf(serviceId, templateHash, task.force);
  return {
    serviceId,
    version,
    make,
    template,
    mode,
    avoid,
    ...(task.slot === undefined || task.slot === 0 ? {} : { slot: task.slot }),
    ...(task.onlyNode === undefined ? {} : { onlyNode: task.onlyNode }),
  };
}

/** One question: may this task go to that node? What it needs is looked up once. */
export type Asking = {
  readonly world: World;
  readonly ledger: Ledger;
  readonly nowMs: number;
  readonly wanted: Wanted;
  readonly pins: readonly Pin[];
  readonly company: Company;
};

/** Looks up what is asked of every node. */
export function askingFor(world: World, ledger: Ledger, nowMs: number, wanted: Wanted): Asking {
  const { template, serviceId } = wanted;
  const name = world.state.service.get(serviceId)?.name ?? "";
  const company = companyOf(ledger, name, template.placement);
  return { world, ledger, nowMs, wanted, pins: ledger.pinsOf(volumeNames(template)), company };
}

/** Full names of the volumes that a template mounts, each once. */
export function volumeNames(template: TaskTemplate): readonly string[] {
  const names = template.container.mounts.flatMap((mount) => (mount.kind === "volume" ? [mount.volume] : []));
  return names.length < 2 ? names : [...new Set(names)];
}
