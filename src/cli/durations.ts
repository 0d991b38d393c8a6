// Times as they are typed: "90s", "5m", "1h", "7d". Pure.

import { DavitError } from "../core/model/errors.ts";

const UNIT_MS: Readonly<Record<string, number>> = { s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 };
/** What setTimeout can wait for: 24.8 days. */
const MAX_MS = 0x7fff_ffff;

/** "90s", "1.5m", "1h" to milliseconds, for waiting. Throws `invalid_input`. */
export function parseDuration(text: string): number {
  const ms = durationMs(text);
  if (ms === undefined || ms === 0 || ms > MAX_MS)
    throw new DavitError("invalid_input", `'${text}' is not a time to wait: write 90s, 5m or 1h`);
  return ms;
}

/** Milliseconds of a number with a unit; undefined when it is none. */
export function durationMs(text: string): number | undefined {
  const match = /^(\d{1,9}(?:\.\d{1,3})?)(s|m|h|d)$/.exec(text);
  return match === null ? undefined : Number(match[1]) * (UNIT_MS[match[2] ?? ""] ?? 0);
}
