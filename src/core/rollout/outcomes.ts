// What became of each version of a service: kept with the version, for its history. Pure.

import type { Change, ServiceVersion } from "../model/records.ts";
import type { Rollout, RolloutState } from "../model/rollout.ts";
import { type State, versionKey } from "../model/world.ts";

/** How the change to a version stands is kept with the version; one that another takes over from has its end there. */
export function outcomesOf(rollout: Rollout, atMs: number, state: State): readonly Change[] {
  const put = (number: number, outcome: ServiceVersion["outcome"] & object): readonly Change[] => {
    const version = state.serviceVersion.get(versionKey(rollout.id, number));
    return version === undefined ? [] : [{ op: "put", kind: "serviceVersion", record: { ...version, outcome } }];
  };
  const before = state.rollout.get(rollout.id);
  const { toVersion, message } = rollout;
  const isBack = rollout.state === "rolling_back";
  const isLeft = before !== undefined && before.toVersion !== toVersion && (isBack || !isAtAnEnd(before.state));
  const why = isBack ? message : `version ${toVersion} took over from it`;
  const superseded = isLeft ? put(before.toVersion, { state: "superseded", message: why, atMs }) : [];
  return [...superseded, ...put(toVersion, { state: rollout.state, message, atMs })];
}

function isAtAnEnd(state: RolloutState): boolean {
  return state === "completed" || state === "rolled_back";
}
