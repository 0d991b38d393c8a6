// The agent's side of its lease. It ends at the boot-time at which a beat was SENT plus the lease's length, for the highest beat that
// was GRANTED (Gray and Cheriton, 1989). Hearing anything else renews nothing. Pure: values in, values out.

import type { WorkPosition } from "../../../src/core/model/work.ts";
import { comparePositions } from "../state/sections.ts";

/** Beats whose sending time is remembered: a grant that comes later than this many beats is worth nothing anyway. */
export const REMEMBERED_BEATS = 64;

export type AgentLease = {
  /** Boot-time milliseconds; 0 when none was ever granted in this boot. */
  readonly endsBootMs: number;
  readonly grantedSeq: number;
  /** Boot-time of sending by beat number: beats of the present session only. */
  readonly sent: ReadonlyMap<number, number>;
  readonly nextSeq: number;
  /**
   * When the newest beat was sent that a coordinator granted for work which this node holds: tasks with a lease of their own count from
   * here. Boot-time milliseconds; -Infinity when there was none in this boot.
   */
  readonly confirmedBootMs: number;
  /** Granted beats, oldest first, with the work that each is for, which this node does not hold yet. */
  readonly unconfirmed: readonly Confirmation[];
};

type Confirmation = { readonly sentMs: number; readonly work: WorkPosition };

/** A lease as it is after a start: only what is left of an earlier one of the same boot. */
export function startLease(endsBootMs = 0, confirmedBootMs = Number.NEGATIVE_INFINITY): AgentLease {
  return { endsBootMs, grantedSeq: 0, sent: new Map(), nextSeq: 1, confirmedBootMs, unconfirmed: [] };
}

/** A new session: beats of the one before can no longer be granted; what was granted stays. */
export function beginSession(lease: AgentLease): AgentLease {
  return { ...lease, grantedSeq: lease.nextSeq - 1, sent: new Map(), unconfirmed: [] };
}

/** Notes a beat that is about to be sent, and gives its number. */
export function sendBeat(lease: AgentLease, bootMs: number): { readonly lease: AgentLease; readonly seq: number } {
  const seq = lease.nextSeq;
  const sent = new Map(lease.sent);
  sent.set(seq, bootMs);
  sent.delete(seq - REMEMBERED_BEATS);
  return { lease: { ...lease, sent, nextSeq: seq + 1 }, seq };
}

/** A grant came in. One for a beat that was never sent, or older than one already granted, changes nothing. */
export function takeGrant(lease: AgentLease, seq: number, leaseMs: number, work?: WorkPosition): AgentLease {
  const sentMs = lease.sent.get(seq);
  if (sentMs === undefined || seq <= lease.grantedSeq) return lease;
  const granted = work === undefined ? [] : [{ sentMs, work }];
  const unconfirmed = [...lease.unconfirmed, ...granted].slice(-REMEMBERED_BEATS);
  return { ...lease, unconfirmed, grantedSeq: seq, endsBootMs: Math.max(lease.endsBootMs, sentMs + leaseMs) };
}

/** The node holds this work now: grants that are for it, or for what came before, count for tasks with a lease of their own. */
export function confirmLease(lease: AgentLease, held: WorkPosition | undefined): AgentLease {
  const isHeld = ({ work }: Confirmation): boolean => held !== undefined && comparePositions(work, held) <= 0;
  const confirmed = lease.unconfirmed.filter(isHeld).map(({ sentMs }) => sentMs);
  if (confirmed.length === 0) return lease;
  const unconfirmed = lease.unconfirmed.filter((grant) => !isHeld(grant));
  return { ...lease, unconfirmed, confirmedBootMs: Math.max(lease.confirmedBootMs, ...confirmed) };
}

/** Whether the node's lease is current. Ask again after every wait that precedes an effect. */
export function isLeaseHeld(lease: AgentLease, bootMs: number): boolean {
  return bootMs < lease.endsBootMs;
}
