// The coordinator's side of node leases: who is in contact, who is silent, who is lost, and when more than half are silent
// at once, nobody (the valve). All times are boot-time milliseconds of the coordinator's machine. Pure but for the table, which is the caller's: a
// beat, of which a thousand nodes send five hundred a second, changes its one row.
//
// A lease counts here from the moment a beat was RECEIVED; the agent counts its own from the moment it SENT that beat, which is
// earlier: so the agent stops believing first (Gray and Cheriton, 1989). Starting, resuming and stalling give everyone a fresh lease.

import type { NodeId } from "../model/ids.ts";
import { BEAT_INTERVAL_MS, LEASE_MS } from "../model/lease.ts";
import type { Presence } from "../model/world.ts";

/** Silence after which a second look through another node starts, so that its answer is there when the lease ends. */
export const SECOND_LOOK_AFTER_MS = BEAT_INTERVAL_MS * 1.5;
/** Silence that counts for the valve: nodes that went away together must be counted together although their last beats differ by up to one interval. */
export const VALVE_SILENCE_MS = BEAT_INTERVAL_MS * 1.75;
/** A second look that is still under way this long after the lease's end counts as failed. */
export const SECOND_LOOK_GRACE_MS = 1_000;

export type SecondLook = "none" | "pending" | "failed";

export type NodeLease = {
  readonly receivedMs: number;
  /** A beat arrived in this life of the coordinator and the session that brought it is open. */
  readonly inContact: boolean;
  readonly secondLook: SecondLook;
};

export type LeaseTable = {
  readonly nodes: Map<NodeId, NodeLease>;
  readonly valveShut: boolean;
  readonly tickedMs: number;
};

export type LeaseTick = {
  readonly table: LeaseTable;
  readonly presence: ReadonlyMap<NodeId, Presence>;
  /** Silent nodes to try through another node now. */
  readonly toLookAt: readonly NodeId[];
};

/** A table for a coordinator that starts, restores or resumes: every node gets a full lease from now. */
export function startLeases(nodeIds: Iterable<NodeId>, bootMs: number): LeaseTable {
  const nodes = new Map<NodeId, NodeLease>();
  for (const id of nodeIds) nodes.set(id, fresh(bootMs));
  return { nodes, valveShut: false, tickedMs: bootMs };
}

/** A full lease without contact: until its next beat nothing is known of the node, so it gets nothing new. */
function fresh(bootMs: number): NodeLease {
  return { receivedMs: bootMs, inContact: false, secondLook: "none" };
}

/** A beat came in: the lease counts from now, and any doubt is over. */
export function beatReceived(table: LeaseTable, id: NodeId, bootMs: number): LeaseTable {
  return withNode(table, id, { receivedMs: bootMs, inContact: true, secondLook: "none" });
}

/** The session ended. Nothing expires by it; the node merely gets nothing new until it is back. */
export function contactLost(table: LeaseTable, id: NodeId): LeaseTable {
  const lease = table.nodes.get(id);
  return lease === undefined ? table : withNode(table, id, { ...lease, inContact: false });
}

/** The second look through another node found nothing. */
export function secondLookFailed(table: LeaseTable, id: NodeId): LeaseTable {
  const lease = table.nodes.get(id);
  return lease?.secondLook === "pending" ? withNode(table, id, { ...lease, secondLook: "failed" }) : table;
}

function withNode(table: LeaseTable, id: NodeId, lease: NodeLease): LeaseTable {
  table.nodes.set(id, lease);
  return table;
}

/** So long without a judgement means that this process did not run (suspend, a stalled loop), and that beats may have come in vain. */
export function isStalled({ tickedMs }: LeaseTable, bootMs: number): boolean {
  return bootMs - tickedMs > BEAT_INTERVAL_MS;
}

/**
 * Judges all nodes. Call it at least every BEAT_INTERVAL_MS: after a longer gap every node gets a full lease again.
 * `known`: nodes that count, in any order; `dead`: those that an operator confirmed dead, which do not count as silent.
 */
export function tickLeases(
  before: LeaseTable,
  known: Iterable<NodeId>,
  dead: ReadonlySet<NodeId>,
  bootMs: number,
): LeaseTick {
  const stalled = isStalled(before, bootMs);
  const nodes = new Map<NodeId, NodeLease>();
  for (const id of known) {
    const lease = before.nodes.get(id) ?? fresh(bootMs);
    nodes.set(id, stalled ? fresh(bootMs) : lease);
  }

  const valveShut = isValveShut(nodes, dead, bootMs);
  if (before.valveShut && !valveShut) renewSilent(nodes, bootMs);

  const presence = new Map<NodeId, Presence>();
  const toLookAt: NodeId[] = [];
  for (const [id, lease] of nodes) {
    const silentMs = bootMs - lease.receivedMs;
    if (silentMs >= SECOND_LOOK_AFTER_MS && lease.secondLook === "none") {
      toLookAt.push(id);
      nodes.set(id, { ...lease, secondLook: "pending" });
    }
    presence.set(id, judge(nodes.get(id) ?? lease, silentMs, valveShut));
  }
  return { table: { nodes, valveShut, tickedMs: bootMs }, presence, toLookAt };
}

/**
 * For how long a node has said nothing, in milliseconds; 0 of one that is not in the table. Time since the last tick counts up to `everyMs`, how far
 * ticks are apart: what is longer than that may be a stall, in which nothing could be heard.
 */
export function silenceOf({ nodes, tickedMs }: LeaseTable, id: NodeId, bootMs: number, everyMs: number): number {
  const receivedMs = nodes.get(id)?.receivedMs;
  return receivedMs === undefined ? 0 : Math.max(0, Math.min(bootMs, tickedMs + everyMs) - receivedMs);
}

function judge(lease: NodeLease, silentMs: number, valveShut: boolean): Presence {
  if (silentMs < LEASE_MS) return lease.inContact ? "ready" : "silent";
  if (valveShut) return "silent";
  const undecided = lease.secondLook === "pending" && silentMs < LEASE_MS + SECOND_LOOK_GRACE_MS;
  return undecided ? "silent" : "lost";
}

function isValveShut(nodes: ReadonlyMap<NodeId, NodeLease>, dead: ReadonlySet<NodeId>, bootMs: number): boolean {
  let counted = 0;
  let silent = 0;
  for (const [id, lease] of nodes) {
    if (dead.has(id)) continue;
    counted += 1;
    if (bootMs - lease.receivedMs >= VALVE_SILENCE_MS) silent += 1;
  }
  return silent * 2 > counted;
}

function renewSilent(nodes: Map<NodeId, NodeLease>, bootMs: number): void {
  for (const [id, lease] of nodes) {
    if (bootMs - lease.receivedMs >= VALVE_SILENCE_MS) nodes.set(id, fresh(bootMs));
  }
}
