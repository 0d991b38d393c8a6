// The chain of coordinator starts and what a grant is. Rules: docs/decisions (leases), core/lease decides. Pure.

/** One start, restore or takeover of a coordinator. */
export type Epoch = { readonly epoch: number; readonly nonce: string };
/** Oldest first; each start added one, durably, before anything was granted. */
export type EpochChain = readonly Epoch[];

/** Lease of a node: its `keep` tasks count as its own until it ends. */
export const LEASE_MS = 6_000;
/** How often an agent sends a beat: three are lost before a lease ends. */
export const BEAT_INTERVAL_MS = 2_000;
/** A task's own lease, where it must never run twice and its service names none. */
export const DEFAULT_OWN_LEASE_MS = 60_000;
