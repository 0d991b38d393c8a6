// Services on one node: which tasks of others a task wants beside it, or not, and whose node it follows. Pure.

import type { ServiceId } from "../model/ids.ts";
import type { Node, Task } from "../model/records.ts";
import type { PlacementSpec } from "../model/service-spec.ts";
import { wantedReplicas } from "../model/scale.ts";
import type { World } from "../model/world.ts";
import { isOnLostNode } from "../reconcile/health.ts";
import type { Ledger, NodeUse } from "./ledger.ts";

/** What a task's place says about others, with names made to ids; undefined ids are services that are no more. */
export type Company = {
  /** Full name of the service itself. */
  readonly name: string;
  readonly near: readonly Neighbour[];
  readonly apart: readonly Neighbour[];
};
export type Neighbour = { readonly name: string; readonly id: ServiceId | undefined; readonly required: boolean };

/** Looks up once what every node is asked. */
export function companyOf(ledger: Ledger, name: string, { affinity = [], antiAffinity = [] }: PlacementSpec): Company {
  const known = ({ service, required }: { service: string; required: boolean }): Neighbour => ({
    name: service,
    id: ledger.serviceNamed(service),
    required,
  });
  return { name, near: affinity.map(known), apart: antiAffinity.map(known) };
}

/** Whether a node has tasks of a service. Those that are ending do not count. */
export function isThere({ id }: Pick<Neighbour, "id">, use: NodeUse): boolean {
  return id !== undefined && (use.settled.get(id) ?? 0) > 0;
}

/** Required company that a node lacks; the first task of a service that wants to be with its own goes anywhere. */
export function missingCompany({ name, near }: Company, ledger: Ledger, use: NodeUse): Neighbour | undefined {
  return near.find((one) => {
    if (!one.required || isThere(one, use)) return false;
    return one.name !== name || one.id === undefined || ledger.isAnySettled(one.id);
  });
}

/** The name of a service that is on the node and must not be with this one: either of the two may say so. */
export function unwantedCompany({ name, apart }: Company, use: NodeUse): string | undefined {
  const mine = apart.find((one) => one.required && isThere(one, use));
  if (mine !== undefined) return mine.name;
  for (const [refuser, count] of use.refused.get(name) ?? []) if (count > 0) return refuser;
  return undefined;
}

/** Preferred company that a node does not offer: less is better. */
export function unmetWishes({ near, apart }: Company, use: NodeUse): number {
  const missing = near.filter((one) => !one.required && !isThere(one, use)).length;
  return missing + apart.filter((one) => !one.required && isThere(one, use)).length;
}

/**
 * The task that a slot of a service with `x-davit.with` follows: of those in the partner's slot the oldest that has a node in reach,
 * one on a node that is not being emptied before others. A sentence when there is none.
 */
export function partnerOf(world: World, ledger: Ledger, partner: string, slot: number): Task | string {
  const id = ledger.serviceNamed(partner);
  if (id === undefined) return `it is to be with ${partner}, which does not exist`;
  const service = world.state.service.get(id);
  const replicas = service === undefined ? undefined : wantedReplicas(service);
  if (replicas !== undefined && replicas < slot)
    return `it is to be with ${partner}.${slot}, and ${partner} has only ${replicas} replicas`;
  const present = ledger
    .tasksOf(id, slot)
    .filter(
      (task) =>
        task.desired === "running" && !ledger.isEnding(task) && task.nodeId !== undefined && !isOnLostNode(world, task),
    )
    .sort((a, b) => a.createdAtMs - b.createdAtMs || (a.id < b.id ? -1 : 1));
  const [first] = present;
  const staying = present.find((task) => nodeOf(world, task)?.availability !== "drain");
  return staying ?? first ?? `it is to be with ${partner}.${slot}, which has no place yet`;
}

function nodeOf(world: World, task: Task): Node | undefined {
  return task.nodeId === undefined ? undefined : world.state.node.get(task.nodeId);
}
