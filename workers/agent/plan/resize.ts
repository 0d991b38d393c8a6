// Limits of a running container that are not those of its work any more: what the engine is asked to change, and what came of it. Pure.

import { canonicalJson } from "../../../src/core/model/canonical.ts";
import type { ResourceSpec } from "../../../src/core/model/service-spec.ts";
import type { TaskWork } from "../../../src/core/model/work.ts";
import { advance } from "./transitions.ts";
import { type Operation, type Outcome, type SeenContainer, type TaskRun, taskSubject } from "./types.ts";

/** Of a container: what it was made with. */
export const LIMITS_LABEL = "davit.limits";

/** An engine was asked, and may have done it or not. */
const UNKNOWN_LIMITS = "?";

/** One text for the limits and reservations that an engine is told. */
export function limitsKey({ limits, reservations }: ResourceSpec): string {
  return canonicalJson({ ...limits, reserved: reservations.memoryBytes });
}

/** Asks for the change of a running container, or says in the run that it has what its work asks for. */
export function planResize(
  work: TaskWork,
  run: TaskRun,
  container: SeenContainer,
  nowMs: number,
): { readonly run: TaskRun; readonly operation?: Operation } {
  const wanted = limitsKey(work.resources);
  const has = run.limits ?? container.labels[LIMITS_LABEL] ?? wanted;
  if (has === wanted) return { run: advance(run, "running", nowMs, { limitsOf: work.specVersion }) };
  if (run.refusedLimits === wanted) return { run };
  const { memorySwapBytes } = work.container.runtime;
  const operation: Operation = {
    kind: "resize",
    pool: "make",
    subject: taskSubject(work.taskId),
    taskId: work.taskId,
    containerId: container.id,
    version: work.specVersion,
    resources: work.resources,
    before: has,
    ...(run.status.limitsOf === undefined ? {} : { versionBefore: run.status.limitsOf }),
    ...(memorySwapBytes === undefined ? {} : { memorySwapBytes }),
  };
  // from here on nobody knows what it has until the engine has answered
  const { limitsOf: _, ...status } = run.status;
  return { run: { ...run, status, limits: UNKNOWN_LIMITS }, operation };
}

/** The run after the engine was asked. One that could not be asked at all is asked again. */
export function resized(
  run: TaskRun,
  operation: Extract<Operation, { kind: "resize" }>,
  outcome: Outcome,
  nowMs: number,
): TaskRun {
  const key = limitsKey(operation.resources);
  if (outcome.ok) {
    const { refusedLimits: _, ...rest } = run;
    const { unresizedTo: __, ...status } = rest.status;
    return advance({ ...rest, status, limits: key }, run.status.state, nowMs, { limitsOf: operation.version });
  }
  if (outcome.fault === "unreachable" || outcome.fault === "timeout" || outcome.fault === "not_found") return run;
  const reason = `its limits could not be changed in place: ${outcome.reason}`;
  return advance({ ...run, limits: operation.before, refusedLimits: key }, run.status.state, nowMs, {
    unresizedTo: operation.version,
    reason,
    ...(operation.versionBefore === undefined ? {} : { limitsOf: operation.versionBefore }),
  });
}
