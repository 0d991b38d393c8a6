// The agent's side of its lease: it counts from when the granted beat was sent, and from nothing else.

import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  type AgentLease,
  beginSession,
  isLeaseHeld,
  REMEMBERED_BEATS,
  sendBeat,
  startLease,
  takeGrant,
} from "../../workers/agent/lease/lease.ts";

const LEASE_MS = 6_000;

function beats(count: number, everyMs: number, lease: AgentLease = startLease()): AgentLease {
  let after = lease;
  for (let beat = 0; beat < count; beat++) after = sendBeat(after, beat * everyMs).lease;
  return after;
}

describe("a lease", () => {
  test("ends its length after the granted beat was sent, however late the grant came", () => {
    const lease = takeGrant(beats(3, 2_000), 2, LEASE_MS);
    expect(lease.endsBootMs).toBe(2_000 + LEASE_MS);
    expect(isLeaseHeld(lease, 7_999)).toBe(true);
    expect(isLeaseHeld(lease, 8_000)).toBe(false);
  });

  test("is not held before the first grant", () => {
    expect(isLeaseHeld(beats(3, 2_000), 0)).toBe(false);
  });

  test("is not renewed by a grant that came before, nor by one that is overtaken", () => {
    const newest = takeGrant(beats(3, 2_000), 3, LEASE_MS);
    expect(takeGrant(newest, 3, 60_000)).toBe(newest);
    expect(takeGrant(newest, 1, 60_000)).toBe(newest);
  });

  test("is not renewed by grants for beats that were never sent, or that are too long ago to be remembered", () => {
    const lease = beats(REMEMBERED_BEATS + 1, 1);
    expect(takeGrant(lease, 0, LEASE_MS)).toBe(lease);
    expect(takeGrant(lease, 1, LEASE_MS)).toBe(lease);
    expect(takeGrant(lease, REMEMBERED_BEATS + 2, LEASE_MS)).toBe(lease);
    expect(takeGrant(lease, 2, LEASE_MS).grantedSeq).toBe(2);
  });

  test("keeps what is left over a new session, whose grants for the old one's beats are worth nothing", () => {
    const held = takeGrant(beats(3, 2_000), 2, LEASE_MS);
    const next = beginSession(held);
    expect(next.endsBootMs).toBe(held.endsBootMs);
    expect(takeGrant(next, 3, LEASE_MS)).toBe(next);
  });

  test("never gets shorter, and never lasts longer than its length after the newest beat that was sent", () => {
    const step = fc.oneof(
      fc.record({ kind: fc.constant("beat" as const), afterMs: fc.nat(5_000) }),
      fc.record({ kind: fc.constant("grant" as const), seq: fc.nat(30) }),
      fc.record({ kind: fc.constant("session" as const) }),
    );
    fc.assert(
      fc.property(fc.array(step), (steps) => {
        let lease = startLease();
        let nowMs = 0;
        let lastSentMs = 0;
        for (const each of steps) {
          const { endsBootMs } = lease;
          if (each.kind === "beat") {
            nowMs += each.afterMs;
            lastSentMs = nowMs;
            lease = sendBeat(lease, nowMs).lease;
          } else lease = each.kind === "grant" ? takeGrant(lease, each.seq, LEASE_MS) : beginSession(lease);
          expect(lease.endsBootMs).toBeGreaterThanOrEqual(endsBootMs);
          expect(lease.endsBootMs).toBeLessThanOrEqual(lastSentMs + LEASE_MS);
        }
      }),
    );
  });
});
