// The kept versions of a service's specification: which there are, what the next one is called, which may go. Pure.

import { invariant } from "../model/invariant.ts";
import type { Service, ServiceVersion } from "../model/records.ts";
import { KEPT_VERSIONS } from "../model/records.ts";
import type { ServiceSpec } from "../model/service-spec.ts";
import { specHashes } from "../model/spec-hash.ts";
import { type State, versionKey } from "../model/world.ts";
import type { CommandContext } from "./command.ts";
import type { Draft } from "./draft.ts";

/** The kept versions of a service, oldest first. */
export function versionsOf(state: State, serviceId: string): readonly ServiceVersion[] {
  const kept: ServiceVersion[] = [];
  for (const version of state.serviceVersion.values()) if (version.serviceId === serviceId) kept.push(version);
  return kept.sort((a, b) => a.version - b.version);
}

/** The version that a service should run. */
export function currentVersion(state: State, service: Service): ServiceVersion {
  const version = state.serviceVersion.get(versionKey(service.id, service.version));
  invariant(version !== undefined, `service ${service.name} has no version ${service.version}`);
  return version;
}

/** The specification that a service should run, with the mode that it has now. */
export function specOf(state: State, service: Service): ServiceSpec {
  return { ...currentVersion(state, service).spec, mode: service.mode };
}

/** The record of a specification as a version of a service. */
export function versionRecord(
  serviceId: Service["id"],
  version: number,
  spec: ServiceSpec,
  reason: string,
  context: CommandContext,
): ServiceVersion {
  return {
    id: versionKey(serviceId, version),
    serviceId,
    version,
    spec,
    ...specHashes(spec, context.hash),
    createdAtMs: context.nowMs,
    stable: false,
    reason,
    ...(context.actor === undefined ? {} : { by: context.actor }),
  };
}

/** Adds a version with the next number, and drops what is too old. The caller's `Service` must point to it in the same commit. */
export function addVersion(
  state: State,
  draft: Draft,
  service: Service,
  spec: ServiceSpec,
  reason: string,
  context: CommandContext,
): ServiceVersion {
  const kept = versionsOf(state, service.id);
  const record = versionRecord(service.id, (kept.at(-1)?.version ?? service.version) + 1, spec, reason, context);
  draft.change({ op: "put", kind: "serviceVersion", record });
  for (const id of superfluous(state, service, kept)) draft.change({ op: "delete", kind: "serviceVersion", id });
  return record;
}

/** The oldest beyond those to keep; never one that runs, that a rollback would go to, or that a task was made from. */
function superfluous(state: State, service: Service, kept: readonly ServiceVersion[]): readonly string[] {
  const excess = kept.length + 1 - KEPT_VERSIONS;
  if (excess <= 0) return [];
  const needed = new Set<number | undefined>([
    service.version,
    service.previousVersion,
    kept.findLast((version) => version.stable)?.version,
  ]);
  const rollout = state.rollout.get(service.id);
  if (rollout !== undefined) needed.add(rollout.toVersion).add(rollout.fromVersion);
  for (const task of state.task.values()) if (task.serviceId === service.id) needed.add(task.specVersion);
  return kept
    .filter((version) => !needed.has(version.version))
    .slice(0, excess)
    .map((version) => version.id);
}
