// How a rollout begins: from which version, and whether its new tasks are tried beside the old ones first. A rollback goes straight, and so does
// what runs already, what is only made anew, and what has nothing to run beside. Pure.

import type { Rollout, RolloutState } from "../model/rollout.ts";
import type { Planning, ServiceContext } from "../reconcile/planning.ts";
import { isBeside, phaseOf } from "./phase.ts";
import { isCarriedOver, isOurs } from "./tracks.ts";

/** The record of the rollout to what the service should be now. */
export function begin(planning: Planning, context: ServiceContext): Rollout {
  const { service, rollout } = context;
  if (isBeside(rollout) && !isOurs(context) && isCarriedOver(planning, context, rollout)) {
    // a trial counts its times anew: another hold or another deadline may be asked for
    const { answered: _answered, healthySinceMs: _since, ...rest } = rollout;
    const progress = { done: 0, of: 0, ...rollout.progress, atMs: planning.nowMs };
    return { ...rest, toVersion: service.version, message: service.changeReason, progress };
  }
  const fromVersion = fromOf(context);
  return {
    id: service.id,
    toVersion: service.version,
    force: service.force,
    state: stateOf(planning, context, fromVersion),
    startedAtMs: planning.nowMs,
    message: service.changeReason,
    failedTaskIds: [],
    ...(fromVersion === undefined ? {} : { fromVersion }),
  };
}

function fromOf({ service, rollout }: ServiceContext): number | undefined {
  // made anew by force: from what it is to what it is
  if (rollout?.toVersion === service.version) return service.version;
  // what was on trial was never reached
  const wasTried = rollout !== undefined && phaseOf(rollout) === "trial" && !service.isRollback;
  return wasTried ? rollout.fromVersion : service.previousVersion;
}

function stateOf(planning: Planning, context: ServiceContext, fromVersion: number | undefined): RolloutState {
  const { service, version, tasks } = context;
  if (service.isRollback) return "rolling_back";
  const from = fromVersion === undefined ? undefined : planning.version(service.id, fromVersion);
  const isTried = version.spec.update.strategy !== undefined && from !== undefined;
  if (!isTried || from.templateHash === version.templateHash) return "updating";
  const runsAlready = tasks.some((task) => task.desired === "running" && planning.isCurrent(context, task));
  return runsAlready && !wasOnTrial(planning, context) ? "updating" : "trial";
}

/** What runs of the version is there only because it was on trial before. */
function wasOnTrial(planning: Planning, { service, version, rollout }: ServiceContext): boolean {
  if (rollout === undefined || phaseOf(rollout) !== "trial") return false;
  return planning.version(service.id, rollout.toVersion)?.templateHash === version.templateHash;
}
