// Which services fall asleep now, and when to look again. Pure.

import type { ServiceId } from "../model/ids.ts";
import type { World } from "../model/world.ts";
import { mayFallAsleep } from "../commands/asleep.ts";
import { currentVersion } from "../commands/versions.ts";
import { isLost } from "../reconcile/health.ts";

export type ScalePlan = {
  readonly asleep: readonly ServiceId[];
  /** Boot-time milliseconds of the next date; undefined: only something that happens makes another look worthwhile. */
  readonly nextMs: number | undefined;
};

/** `calledAtMs`: when somebody last called a service, as far as is known. All times are boot-time milliseconds of the coordinator. */
export function planScale(world: World, calledAtMs: (id: ServiceId) => number, nowMs: number): ScalePlan {
  const asleep: ServiceId[] = [];
  let nextMs: number | undefined;
  // what is called on a node that is out of touch is not heard
  const isHeard = [...world.state.node.values()].every(
    ({ id }) => world.presence.get(id) === "ready" || isLost(world, id),
  );
  for (const service of world.state.service.values()) {
    if (!mayFallAsleep(world.state, service)) continue;
    const { scale } = currentVersion(world.state, service).spec;
    const atMs = calledAtMs(service.id) + (scale?.idleMs ?? 0);
    if (atMs > nowMs) nextMs = Math.min(nextMs ?? atMs, atMs);
    else if (isHeard) asleep.push(service.id);
  }
  return { asleep, nextMs };
}
