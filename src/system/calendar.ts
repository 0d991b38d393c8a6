// When a cron rule fires next: croner over the time zones of this machine's ICU, and two things that croner leaves out. Where clocks are put
// forward, a time that does not exist that day is to fire at the next that does; where they are put back, one that exists twice is to fire
// once. A rule that names no hours ("every ten minutes") simply goes on through both.

import { Cron } from "croner";
import { DavitError, reasonOf } from "../core/model/errors.ts";
import type { JobSchedule, NextTick } from "../core/model/job.ts";

/** Parsed rules: a plan asks for the same few again and again. */
const MAX_PARSED = 1_000;
const DAY_MS = 86_400_000;

type Parsed = {
  readonly zoned: Cron;
  readonly wall: Cron;
  readonly offsets: Intl.DateTimeFormat;
  /** Some hours are its own: it is about times of the day. */
  readonly namesHours: boolean;
};

/** The calendar of this machine. Throws `invalid_input` for a rule or a time zone that is none. */
export function createCalendar(): NextTick {
  const parsed = new Map<string, Parsed>();
  return (schedule, afterMs) => {
    const key = `${schedule.cron} ${schedule.timezone}`;
    let rule = parsed.get(key);
    if (rule === undefined) {
      rule = parse(schedule);
      if (parsed.size >= MAX_PARSED) parsed.clear();
      parsed.set(key, rule);
    }
    return next(rule, afterMs);
  };
}

function parse({ cron, timezone }: JobSchedule): Parsed {
  try {
    const options = { paused: true, mode: "5-or-6-parts" } as const;
    const offsets = new Intl.DateTimeFormat("en-US", { timeZone: timezone, timeZoneName: "longOffset" });
    return {
      zoned: new Cron(cron, { ...options, timezone }),
      wall: new Cron(cron, { ...options, timezone: "UTC" }),
      offsets,
      namesHours: hasHours(cron),
    };
  } catch (cause) {
    const reason = reasonOf(cause).replace(/^Cron\w+: /, "");
    throw new DavitError("invalid_input", `schedule '${cron}' in ${timezone}: ${reason}`, {
      cause,
      wayOut:
        'five fields, or six with seconds first, such as "0 3 * * *" for every day at three; a time zone such as Europe/Berlin',
    });
  }
}

function hasHours(cron: string): boolean {
  const fields = cron.trim().split(/\s+/);
  if (fields.length === 1) return fields[0] !== "@hourly";
  return !["*", "?", "*/1", "0-23"].includes(fields.at(-4) ?? "");
}

function next(rule: Parsed, afterMs: number): number | undefined {
  const found = nextOnce(rule, afterMs);
  const gapEndMs = afterGap(rule, afterMs);
  if (gapEndMs === undefined) return found;
  return found === undefined ? gapEndMs : Math.min(found, gapEndMs);
}

/** The next time that fits, but not the second of two with the same time on the clock's face. */
function nextOnce({ zoned, offsets, namesHours }: Parsed, afterMs: number): number | undefined {
  const found = zoned.nextRun(new Date(afterMs))?.getTime();
  if (found === undefined || !namesHours) return found;
  const after = offsetAt(offsets, found);
  const before = offsetAt(offsets, found - DAY_MS);
  const repeatedMs = before - after;
  // the same time on the clock's face was there already, by the offset of the day before
  if (repeatedMs <= 0 || offsetAt(offsets, found - repeatedMs) !== before) return found;
  const putBackMs = changeBetween(offsets, found - repeatedMs, found, before);
  return zoned.nextRun(new Date(putBackMs + repeatedMs - 1))?.getTime();
}

/** The end of the gap that the rule's next time on the clock's face falls into; undefined when that time exists. */
function afterGap({ wall, offsets }: Parsed, afterMs: number): number | undefined {
  const faceMs = wall.nextRun(new Date(afterMs + offsetAt(offsets, afterMs)))?.getTime();
  if (faceMs === undefined) return undefined;
  const before = offsetAt(offsets, faceMs - DAY_MS);
  const after = offsetAt(offsets, faceMs + DAY_MS);
  // clocks that stay, or are put back, leave no time out
  if (after <= before) return undefined;
  const exists = [before, after].some((offset) => offsetAt(offsets, faceMs - offset) === offset);
  if (exists) return undefined;
  const gapEndMs = changeBetween(offsets, faceMs - after, faceMs - before, before);
  return gapEndMs > afterMs ? gapEndMs : undefined;
}

/** When clocks left the offset `before`, to the second. */
function changeBetween(offsets: Intl.DateTimeFormat, fromMs: number, toMs: number, before: number): number {
  let [earlier, later] = [fromMs, toMs];
  while (later - earlier > 1_000) {
    const middle = Math.floor((earlier + later) / 2_000) * 1_000;
    if (offsetAt(offsets, middle) === before) earlier = middle;
    else later = middle;
  }
  return later;
}

/** How far a zone's clocks are ahead of UTC at a time, in milliseconds. */
function offsetAt(offsets: Intl.DateTimeFormat, atMs: number): number {
  const name = offsets.formatToParts(atMs).find((part) => part.type === "timeZoneName")?.value ?? "GMT";
  const match = /^GMT(?:([+-])(\d{2}):(\d{2})(?::(\d{2}))?)?$/.exec(name);
  const [, sign, hours = "0", minutes = "0", seconds = "0"] = match ?? [];
  const size = (Number(hours) * 3_600 + Number(minutes) * 60 + Number(seconds)) * 1_000;
  return sign === "-" ? -size : size;
}
