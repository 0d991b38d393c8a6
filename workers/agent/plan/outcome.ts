// What the end of an operation means for a task's run. What the engine could not even be asked means nothing: it is planned again. Pure.

import type { TaskWork } from "../../../src/core/model/work.ts";
import { refusalReason } from "./reasons.ts";
import { resized } from "./resize.ts";
import { advance, condemnStart, endAttempt, isEnded } from "./transitions.ts";
import type { ImageFact, Operation, Outcome, PortOwner, TaskRun } from "./types.ts";

export type OutcomeContext = {
  readonly nodeName: string;
  readonly nowMs: number;
  readonly portOwner: PortOwner;
};

/** The run after an operation on its own container, or the same run. */
export function runAfter(
  run: TaskRun,
  work: TaskWork,
  operation: Operation,
  outcome: Outcome,
  context: OutcomeContext,
): TaskRun {
  if (isEnded(run.status.state)) return run;
  if (operation.kind === "resize") return resized(run, operation, outcome, context.nowMs);
  const isAsked = operation.kind === "postStart" && operation.attempt === run.status.attempt;
  if (outcome.ok && isAsked) return { ...run, postStarted: true };
  if (outcome.ok)
    return operation.kind === "create" && outcome.containerId !== undefined
      ? advance(run, "ready", context.nowMs, { containerId: outcome.containerId })
      : run;
  if (outcome.fault === "unreachable") return run;
  if (operation.kind === "postStart")
    return isAsked && outcome.fault !== "ended" ? condemnStart(run, outcome.reason) : run;
  if (operation.kind !== "create" && operation.kind !== "start") return run;
  // the image went away after it was looked for: it is fetched again, the attempt goes on
  if (operation.kind === "create" && outcome.fault === "image_not_found") return run;
  // somebody removed the container between create and start: planning notices
  if (operation.kind === "start" && outcome.fault === "not_found" && /no such container/i.test(outcome.reason))
    return run;
  // it may run: whoever made another attempt of that would have two. It is looked at before it is asked for again
  if (operation.kind === "start" && outcome.fault === "timeout")
    return advance(run, "starting", context.nowMs, { reason: outcome.reason });
  const reason = refusalReason(outcome.fault, outcome.reason, work, context.nodeName, context.portOwner);
  return endAttempt(run, work, { state: "rejected", reason, interrupted: false }, context.nowMs);
}

/** What is known of an image after a failed pull of it. A present image is used when its registry cannot be reached. */
export function imageAfterFailure(
  known: ImageFact | undefined,
  image: string,
  outcome: Extract<Outcome, { ok: false }>,
  nodeName: string,
  nowMs: number,
): ImageFact | undefined {
  if (outcome.fault === "unreachable") return undefined;
  if (known?.kind === "present" && (outcome.fault === "registry_unreachable" || outcome.fault === "timeout"))
    return { ...known, pulledAtMs: nowMs };
  return { kind: "failed", reason: pullReason(image, outcome, nodeName), atMs: nowMs };
}

function pullReason(image: string, outcome: Extract<Outcome, { ok: false }>, nodeName: string): string {
  switch (outcome.fault) {
    case "image_not_found":
      return `image ${image} was not found: check its name and tag, or push it`;
    case "registry_denied":
      return `image ${image}: its registry refused (${outcome.reason}); it does not exist there, or needs \`davit registry login\``;
    case "registry_unreachable":
      return `image ${image} is not on ${nodeName} and its registry cannot be reached: ${outcome.reason}`;
    default:
      return outcome.reason;
  }
}
