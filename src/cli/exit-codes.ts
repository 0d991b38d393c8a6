// What the exit code of a command means; documented in docs/cli.md. Pure.

import type { ErrorCode } from "../core/model/errors.ts";

export const EXIT = {
  ok: 0,
  failed: 1,
  usage: 2,
  notFound: 3,
  conflict: 4,
  unavailable: 5,
  notConverged: 6,
  detached: 130,
} as const;

const BY_CODE: Partial<Readonly<Record<ErrorCode, number>>> = {
  invalid_input: EXIT.usage,
  not_supported: EXIT.usage,
  not_yet: EXIT.usage,
  not_found: EXIT.notFound,
  ambiguous: EXIT.notFound,
  already_exists: EXIT.conflict,
  out_of_sequence: EXIT.conflict,
  conflict: EXIT.conflict,
  in_use: EXIT.conflict,
  unavailable: EXIT.unavailable,
  timeout: EXIT.unavailable,
  too_many: EXIT.unavailable,
  unplaceable: EXIT.notConverged,
  rollout_failed: EXIT.notConverged,
};

/** The exit code of an error. */
export function exitCodeOf(code: ErrorCode | undefined): number {
  return (code === undefined ? undefined : BY_CODE[code]) ?? EXIT.failed;
}

/** The exit code of a run of stricli, whose own codes are negative: for words that fit no command, or that it cannot parse. */
export function exitCodeOfRun(code: number | string | null | undefined): number {
  const value = Number(code ?? EXIT.ok);
  if (value >= 0) return value;
  return UNUSABLE_WORDS.has(value) ? EXIT.usage : EXIT.failed;
}

/** ExitCode.InvalidArgument and ExitCode.UnknownCommand. */
const UNUSABLE_WORDS: ReadonlySet<number> = new Set([-4, -5]);

/** What each code means, for the reference. */
export const EXIT_MEANINGS: readonly (readonly [code: number, meaning: string])[] = [
  [EXIT.ok, "done"],
  [EXIT.failed, "failed; what failed and why is on standard error"],
  [EXIT.usage, "wrong words or wrong input; nothing was changed"],
  [EXIT.notFound, "there is no such thing, or the name means several"],
  [EXIT.conflict, "it exists already, is in use, or was changed by somebody else meanwhile"],
  [EXIT.unavailable, "the coordinator does not answer, or the time to wait is over"],
  [EXIT.notConverged, "the rollout failed, or a task finds no node"],
  [EXIT.detached, "Ctrl-C: the command ended, what it began goes on"],
];
