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
