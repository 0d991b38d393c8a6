// When schedules fire: around the nights on which clocks are put forward and back, and for rules that are none.

import { describe, expect, test } from "vitest";
import { createCalendar } from "../../src/system/calendar.ts";

const nextTick = createCalendar();

function ticks(cron: string, timezone: string, from: string, count: number): readonly string[] {
  const found: string[] = [];
  let atMs = Date.parse(from);
  for (let at = 0; at < count; at++) {
    const next = nextTick({ cron, timezone }, atMs);
    if (next === undefined) break;
    atMs = next;
    found.push(new Date(next).toISOString().replace(":00.000Z", "Z"));
  }
  return found;
}

describe("where clocks are put forward", () => {
  // in Berlin 02:00 becomes 03:00 at 01:00 UTC of that day
  test.each([
    ["30 2 * * *", ["2027-03-28T01:00Z", "2027-03-29T00:30Z"]],
    ["15,45 2 * * *", ["2027-03-28T01:00Z", "2027-03-29T00:15Z"]],
    ["0 3 * * *", ["2027-03-28T01:00Z", "2027-03-29T01:00Z"]],
    ["*/30 * * * *", ["2027-03-27T20:30Z", "2027-03-27T21:00Z"]],
  ])("%s fires at the next time that exists, once", (cron, expected) => {
    expect(ticks(cron, "Europe/Berlin", "2027-03-27T20:00:00Z", 2)).toEqual(expected);
  });

  test("a rule of every half hour leaves nothing out and adds nothing", () => {
    const found = ticks("*/30 * * * *", "Europe/Berlin", "2027-03-28T00:00:00Z", 4);
    expect(found).toEqual(["2027-03-28T00:30Z", "2027-03-28T01:00Z", "2027-03-28T01:30Z", "2027-03-28T02:00Z"]);
  });

  test("a gap of half an hour, on the other half of the world", () => {
    // Lord Howe Island: 02:00 becomes 02:30
    expect(ticks("15 2 * * *", "Australia/Lord_Howe", "2026-10-03T00:00:00Z", 2)).toEqual([
      "2026-10-03T15:30Z",
      "2026-10-04T15:15Z",
    ]);
  });
});

describe("where clocks are put back", () => {
  test.each([
    ["30 2 * * *", ["2027-10-31T00:30Z", "2027-11-01T01:30Z"]],
    ["0 2 * * *", ["2027-10-31T00:00Z", "2027-11-01T01:00Z"]],
    ["0,40 2 * * *", ["2027-10-31T00:00Z", "2027-10-31T00:40Z", "2027-11-01T01:00Z"]],
    ["0 2-4 * * *", ["2027-10-31T00:00Z", "2027-10-31T02:00Z", "2027-10-31T03:00Z"]],
    ["0,30 59 2 * * *", ["2027-10-31T00:59Z", "2027-10-31T00:59:30.000Z", "2027-11-01T01:59Z"]],
  ])("%s fires once in the hour that exists twice", (cron, expected) => {
    expect(ticks(cron, "Europe/Berlin", "2027-10-30T22:00:00Z", expected.length)).toEqual(expected);
  });

  test.each(["0 * * * *", "0 0 * * * *", "@hourly"])("%s, a rule of every hour, goes on through both", (cron) => {
    const found = ticks(cron, "Europe/Berlin", "2027-10-30T23:30:00Z", 3);
    expect(found).toEqual(["2027-10-31T00:00Z", "2027-10-31T01:00Z", "2027-10-31T02:00Z"]);
  });

  test("half an hour that exists twice, on the other half of the world", () => {
    // Lord Howe Island: 02:00 becomes 01:30
    const found = ticks("15,45 1 * * *", "Australia/Lord_Howe", "2027-04-03T12:00:00Z", 3);
    expect(found).toEqual(["2027-04-03T14:15Z", "2027-04-03T14:45Z", "2027-04-04T14:45Z"]);
  });
});

test.each([
  ["0 0 29 2 *", "UTC", "2028-02-29T00:00Z"],
  ["*/10 * * * * *", "UTC", "2026-11-24T00:00:10.000Z"],
  ["0 9 * * MON", "America/New_York", "2026-11-30T14:00Z"],
])("%s in %s fires next at %s", (cron, timezone, at) => {
  expect(ticks(cron, timezone, "2026-11-24T00:00:00Z", 1)).toEqual([at]);
});

test("a date that never comes has no tick", () => {
  expect(nextTick({ cron: "0 0 30 2 *", timezone: "UTC" }, 0)).toBeUndefined();
});

test.each([
  ["61 * * * *", "UTC", "Invalid value for minute: 61"],
  ["* * * *", "UTC", "five"],
  ["0 0 * * *", "Mars/Olympus", "Mars/Olympus"],
  ["", "UTC", "schedule ''"],
  ["0 0 0 0 0 0 0 0", "UTC", "schedule"],
])("'%s' in %s is refused in words", (cron, timezone, words) => {
  expect(() => nextTick({ cron, timezone }, 0)).toThrow(words);
});
