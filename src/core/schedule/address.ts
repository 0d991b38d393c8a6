// A task's own address on its node's subnet. Addresses go round, so that one is used again as late as possible. Pure.

import type { Node } from "../model/records.ts";
import { parseCidr, renderAddress } from "../model/subnets.ts";
import type { Ledger } from "./ledger.ts";

/** Below are the bridge and room for the node's own services; above, broadcast and spare. */
export const FIRST_HOST = 10;
export const LAST_HOST = 250;

/** The next address: one never given, else the free one that was given the longest ago. Undefined when all are in use. */
export function nextAddress(node: Node, ledger: Ledger): string | undefined {
  const { base } = parseCidr(node.subnet);
  let oldest: { readonly address: string; readonly since: number } | undefined;
  for (let host = FIRST_HOST; host <= LAST_HOST; host++) {
    const address = renderAddress(base + host);
    const use = ledger.addressUse(node.id, address);
    if (use === undefined) return address;
    if (!use.inUse && (oldest === undefined || use.since < oldest.since)) oldest = { address, since: use.since };
  }
  return oldest?.address;
}
