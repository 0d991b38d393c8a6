// Which version a service goes back to when the one it is changing to fails, or is given up. Pure.

import type { ServiceVersion } from "../model/records.ts";
import type { Rollout } from "../model/rollout.ts";
import { type State, versionKey } from "../model/world.ts";

/**
 * The newest version before this one that was stable, else the one that the change came from. Undefined on a first deploy, and when
 * the same version is only made anew by force: there is nothing better to go back to.
 */
export function lastGoodVersion(state: State, serviceId: string, rollout: Rollout): ServiceVersion | undefined {
  if (rollout.fromVersion === undefined || rollout.fromVersion === rollout.toVersion) return undefined;
  for (let version = rollout.toVersion - 1; version > 0; version--) {
    const kept = state.serviceVersion.get(versionKey(serviceId, version));
    if (kept?.stable === true) return kept;
  }
  return state.serviceVersion.get(versionKey(serviceId, rollout.fromVersion));
}

/**
 * Where a user who gives a change up wants to be: at the version that it came from if that one was reached and kept, else at the last good
 * one.
 */
export function versionBefore(state: State, serviceId: string, rollout: Rollout): ServiceVersion | undefined {
  if (rollout.fromVersion === undefined || rollout.fromVersion === rollout.toVersion) return undefined;
  const from = state.serviceVersion.get(versionKey(serviceId, rollout.fromVersion));
  const wasReached =
    from?.stable === true || from?.outcome?.state === "completed" || from?.outcome?.state === "rolled_back";
  return wasReached ? from : lastGoodVersion(state, serviceId, rollout);
}
