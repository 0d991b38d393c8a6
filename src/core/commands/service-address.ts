// The virtual addresses that services get at their creation: round the services' part of the pool, after the one given last. Pure.

import { DavitError } from "../model/errors.ts";
import { invariant } from "../model/invariant.ts";
import type { Service } from "../model/records.ts";
import { isJobMode, type ServiceSpec } from "../model/service-spec.ts";
import { nextServiceAddress, parseCidr } from "../model/subnets.ts";
import type { State } from "../model/world.ts";
import type { Draft } from "./draft.ts";

/** Whether a service is reached at an address of its own: a job is reached by nobody, and the node's own network is outside of it. */
export function hasAddress({ mode, template, reach }: ServiceSpec): boolean {
  return !isJobMode(mode) && template.container.networkMode === undefined && reach?.endpointMode !== "dnsrr";
}

/** What becomes of a removed service's address: nobody has it until every node has left it behind. */
export function giveBack(draft: Draft, { address }: Service): void {
  if (address !== undefined) draft.change({ op: "put", kind: "freedAddress", record: { id: address } });
}

/** Gives one free address after the other. They throw `conflict` when there is none left. */
export function serviceAddresses(state: State): () => string {
  const [cluster] = state.cluster.values();
  const services = [...state.service.values()].filter(({ address }) => address !== undefined);
  const newest = services.sort((a, b) => a.createdAtMs - b.createdAtMs || (a.id < b.id ? -1 : 1)).at(-1);
  const taken = new Set([...services.flatMap(({ address }) => address ?? []), ...state.freedAddress.keys()]);
  let last = newest?.address;
  return () => {
    invariant(cluster !== undefined, "a service is made in a cluster");
    const pool = cluster.addressPool;
    const address = nextServiceAddress(parseCidr(pool), taken, last);
    if (address === undefined)
      throw new DavitError("conflict", `give a service its address: the pool ${pool} has none left`, {
        wayOut: "remove services that are not needed",
      });
    taken.add(address);
    last = address;
    return address;
  };
}
