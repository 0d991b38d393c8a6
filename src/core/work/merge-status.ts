// Joins what an agent reports with what is known: a report never takes a task back. Reports may come twice, late, or out of order. Pure.

import { TASK_STATES, type TaskState, type TaskStatus } from "../model/records.ts";

/** Position of a state in the order in which states only grow. */
export function stateRank(state: TaskState): number {
  return TASK_STATES.indexOf(state);
}

/** The newer of two statuses of one task: the later attempt, within it the later state, within that the later report. Undefined when nothing is new. */
export function mergeStatus(known: TaskStatus | undefined, reported: TaskStatus): TaskStatus | undefined {
  if (known === undefined) return reported;
  // an agent that lost its memory knows of fewer attempts, or not how the last one ended; after what is over comes none, so it is the last word
  if (reported.attempt <= known.attempt && isOver(reported) && !isOver(known))
    return stateRank(reported.state) >= stateRank(known.state)
      ? { ...reported, attempt: known.attempt }
      : { ...known, exhausted: true };
  if (reported.attempt !== known.attempt) return reported.attempt > known.attempt ? reported : undefined;
  const rank = stateRank(reported.state) - stateRank(known.state);
  if (rank > 0) return reported;
  // an agent that lost its memory tells an end otherwise than before; that none follows is news all the same
  if (rank < 0) return reported.exhausted && !known.exhausted ? { ...known, exhausted: true } : undefined;
  if (known.exhausted && !reported.exhausted) return undefined;
  return isSame(known, reported) ? undefined : reported;
}

function isOver({ state, exhausted }: TaskStatus): boolean {
  return state === "shutdown" || exhausted;
}

function isSame(a: TaskStatus, b: TaskStatus): boolean {
  return (
    a.reason === b.reason &&
    a.exitCode === b.exitCode &&
    a.healthy === b.healthy &&
    a.startedAtMs === b.startedAtMs &&
    a.containerId === b.containerId &&
    a.imageDigest === b.imageDigest &&
    a.limitsOf === b.limitsOf &&
    a.unresizedTo === b.unresizedTo &&
    a.exhausted === b.exhausted &&
    a.lastOutput === b.lastOutput &&
    a.probeAnswer === b.probeAnswer
  );
}
