// Which version a service goes back to when the one it is changing to fails. Pure.

import type { Rollout, Service, ServiceVersion } from "../model/records.ts";
import type { Planning } from "../reconcile/planning.ts";

/**
 * The newest version before this one that was stable, else the one that the change came from. Undefined on a first deploy, and when
 * the same version is only made anew by force: there is nothing better to go back to.
 */
export function lastGoodVersion(planning: Planning, service: Service, rollout: Rollout): ServiceVersion | undefined {
  if (rollout.fromVersion === undefined || rollout.fromVersion === rollout.toVersion) return undefined;
  for (let version = rollout.toVersion - 1; version > 0; version--) {
    const kept = planning.version(service.id, version);
    if (kept?.stable === true) return kept;
  }
  return planning.version(service.id, rollout.fromVersion);
}
