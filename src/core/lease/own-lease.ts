// Tasks that must never run twice in a slot have a lease of their own (`x-davit.on_lease_lost: stop`): how long it is, and when what runs by
// it is certainly gone. The arithmetic is Gray and Cheriton's (1989), for clocks whose rates differ by a bounded error. Pure.

import { DEFAULT_OWN_LEASE_MS } from "../model/lease.ts";
import type { TaskTemplate } from "../model/service-spec.ts";

/** Less than the node's own lease and a reconnect would stop tasks for nothing. */
export const MIN_OWN_LEASE_MS = 10_000;
/** More keeps a task of a dead node from being replaced for longer than anybody waits. */
export const MAX_OWN_LEASE_MS = 3_600_000;
/** Longest patience with a lost node: a week. */
export const MAX_REPLACE_AFTER_MS = 7 * 86_400_000;

/** The largest error of a clock's rate, as a part: two clocks differ by twice that. */
const CLOCK_RATE_ERROR = 1 / 500;
/** What an engine, or the fence that looks once a second, may be late. */
const KILL_SLACK_MS = 2_000;

/** The lease in milliseconds by which a template's tasks run; undefined for those that run on whatever happens. */
export function ownLeaseMs({ onLeaseLost, leaseMs }: TaskTemplate): number | undefined {
  return onLeaseLost === "stop" ? (leaseMs ?? DEFAULT_OWN_LEASE_MS) : undefined;
}

/** Milliseconds after a node's last beat when nothing of the template runs there by its lease; undefined if it has none. */
export function goneAfterMs(template: TaskTemplate): number | undefined {
  const leaseMs = ownLeaseMs(template);
  if (leaseMs === undefined) return undefined;
  return (leaseMs + template.container.stopGraceMs) * (1 + 2 * CLOCK_RATE_ERROR) + KILL_SLACK_MS;
}
