// Services that fall asleep: what their specification says, and how many tasks a replicated service shall have now. Pure.

import type { Service } from "./records.ts";

/** How a replicated service falls asleep. */
export type ScaleSpec = {
  /** Tasks while nobody calls it. */
  readonly min: number;
  /** Milliseconds without a connection until then. */
  readonly idleMs: number;
  /** TCP ports inside its containers at which it is woken, ascending. */
  readonly ports: readonly number[];
};
export const MIN_IDLE_MS = 10_000;
/** For each of them every agent keeps a listener. */
export const MAX_WAKING_PORTS = 20;

/** What its user said, or fewer while it is asleep; undefined for a service that is not replicated. */
export function wantedReplicas({ mode, asleep }: Pick<Service, "mode" | "asleep">): number | undefined {
  return mode.kind === "replicated" ? Math.min(asleep ?? mode.replicas, mode.replicas) : undefined;
}

/** The same service, awake. */
export function awake<Kind extends Pick<Service, "asleep">>({ asleep: _asleep, ...rest }: Kind): Omit<Kind, "asleep"> {
  return rest;
}
