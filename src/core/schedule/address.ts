// A task's own address on its node's subnet. Addresses go round, so that one is used again as late as possible. Pure.

import { parseCidr, renderAddress } from "../model/subnets.ts";
import type { NodeUse } from "./ledger.ts";

/** Below are the bridge and room for the node's own services; above, broadcast and spare. */
export const FIRST_HOST = 10;
export const LAST_HOST = 250;

/** Whether a node has an address to give. */
export function hasFreeAddress(use: NodeUse): boolean {
  return use.addressesHeld < LAST_HOST - FIRST_HOST + 1;
}

/** The next address: one never given, else the free one that was given the longest ago. Undefined when all are in use. */
export function nextAddress(use: NodeUse): string | undefined {
  const { base } = parseCidr(use.node.subnet);
  let oldest: { readonly address: string; readonly sinceMs: number } | undefined;
  for (let host = FIRST_HOST; host <= LAST_HOST; host++) {
    const address = renderAddress(base + host);
    const given = use.addresses.get(address);
    if (given === undefined) return address;
    if (given.holders === 0 && (oldest === undefined || given.sinceMs < oldest.sinceMs)) {
      oldest = { address, sinceMs: given.sinceMs };
    }
  }
  return oldest?.address;
}
