// Rollouts and the history of a service's versions as the API shows them. Pure.

import { describeSpecChange } from "../../core/commands/describe-change.ts";
import { specOf, versionsOf } from "../../core/commands/versions.ts";
import type { Service, ServiceVersion } from "../../core/model/records.ts";
import type { Rollout } from "../../core/model/rollout.ts";
import type { RolloutDetailView, RolloutView, VersionHistoryView } from "../../core/model/rollout-views.ts";
import type { State, World } from "../../core/model/world.ts";
import { isUnderWay, phaseOf } from "../../core/rollout/phase.ts";
import { iso, maybe } from "./time.ts";

/** All changes of services that are not their first deploy: those under way first, then the newest first. */
export function rolloutViews({ state }: World, stack?: string): readonly RolloutView[] {
  const views = [...state.service.values()]
    .filter((service) => stack === undefined || service.stack === stack)
    .flatMap((service) => rolloutViewOf(state, service) ?? []);
  return views.sort(
    (a, b) =>
      Number(b.isUnderWay) - Number(a.isUnderWay) ||
      (a.startedAt < b.startedAt ? 1 : a.startedAt > b.startedAt ? -1 : a.service < b.service ? -1 : 1),
  );
}

/** A service's rollout, if there is one, and every kept version, the newest first. */
export function rolloutDetailView({ state }: World, service: Service): RolloutDetailView {
  const versions = versionsOf(state, service.id);
  return {
    serviceId: service.id,
    service: service.name,
    ...maybe("rollout", rolloutViewOf(state, service)),
    versions: versions.map((version, at) => versionView(service, version, versions[at - 1])).toReversed(),
  };
}

function rolloutViewOf(state: State, service: Service): RolloutView | undefined {
  const rollout = state.rollout.get(service.id);
  if (rollout === undefined || rollout.toVersion !== service.version || rollout.fromVersion === undefined)
    return undefined;
  const { strategy } = specOf(state, service).update;
  const phase = phaseOf(rollout);
  const isTrial = rollout.state === "trial" && rollout.healthySinceMs !== undefined;
  const holdMs = isTrial ? strategy?.holdMs : undefined;
  const keepMs = rollout.state === "switched" && strategy?.kind === "blue-green" ? strategy.keepMs : undefined;
  return {
    service: service.name,
    serviceId: service.id,
    ...maybe("stack", service.stack),
    fromVersion: rollout.fromVersion,
    toVersion: rollout.toVersion,
    strategy: service.isRollback ? "rollback" : (strategy?.kind ?? "rolling"),
    state: rollout.state,
    phase,
    isUnderWay: isUnderWay(rollout),
    waitsForPromotion: isTrial && strategy?.holdMs === undefined,
    message: rollout.message,
    ...maybe("progress", progressOf(rollout)),
    startedAt: iso(rollout.startedAtMs),
    ...maybe("completedAt", rollout.completedAtMs === undefined ? undefined : iso(rollout.completedAtMs)),
    ...maybe("promotesAt", holdMs === undefined ? undefined : iso((rollout.healthySinceMs ?? 0) + holdMs)),
    ...maybe("keptUntil", keepMs === undefined ? undefined : iso((rollout.promotedAtMs ?? 0) + keepMs)),
  };
}

function progressOf({ progress, state }: Rollout): RolloutView["progress"] {
  if (progress === undefined || progress.of === 0 || state === "completed" || state === "rolled_back") return undefined;
  return { done: progress.done, of: progress.of };
}

function versionView(
  service: Service,
  version: ServiceVersion,
  before: ServiceVersion | undefined,
): VersionHistoryView {
  const { outcome } = version;
  return {
    version: version.version,
    isCurrent: version.version === service.version,
    stable: version.stable,
    image: version.spec.template.container.image,
    ...maybe("by", version.by),
    ...maybe("reason", version.reason),
    createdAt: iso(version.createdAtMs),
    ...maybe(
      "outcome",
      outcome === undefined ? undefined : { state: outcome.state, message: outcome.message, at: iso(outcome.atMs) },
    ),
    ...maybe("comparedTo", before?.version),
    changes: before === undefined ? [] : describeSpecChange(before.spec, version.spec),
  };
}
