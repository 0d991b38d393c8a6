// Titles of tests, read from the files: for the table of faults in docs/testing.md, and for what a title must be.

import type { Source } from "./sources.ts";

const STRING = /(?:"((?:[^"\\]|\\.)*)"|'((?:[^'\\]|\\.)*)'|`((?:[^`\\]|\\.)*)`)/.source;
/** test("…"), test.skip("…"), and the second call of test.each([…] as const)("…"). */
const TITLE = new RegExp(String.raw`(?:\b(?:test|it)(?:\.(\w+))?\(|\](?:\s*as const)?,?\s*\)\()\s*${STRING}`, "g");

export type Title = { readonly path: string; readonly title: string; readonly skipped: boolean };

export function titlesIn({ path, text }: Source): readonly Title[] {
  return [...text.matchAll(TITLE)].map(([, modifier = "", double, single, template]) => ({
    path,
    title: (double ?? single ?? template ?? "").replaceAll(/\\(.)/g, "$1"),
    skipped: modifier === "skip" || modifier === "todo",
  }));
}

/** What is wrong with a title as a sentence on behaviour; undefined if nothing. */
export function titleFault(title: string): string | undefined {
  if (title.split(/\s+/).length < 3) return "it is no sentence";
  if (/^should\b/i.test(title)) return "it says what should be, not what is";
  if (/^(test|check|verify)s?\b/i.test(title)) return "it tells of the test, not of the behaviour";
  return undefined;
}

export type FaultRow = { readonly fault: string; readonly titles: readonly string[] };

/** The rows "| fault | test title |" under the heading "Faults"; several titles are parted by "<br>". */
export function faultRows(markdown: string): readonly FaultRow[] {
  const section = markdown.split(/^## /m).find((part) => part.startsWith("Faults")) ?? "";
  return section
    .split("\n")
    .filter((line) => line.startsWith("|"))
    .slice(2)
    .map((line) => line.split("|").map((cell) => cell.trim()))
    .map(([, fault = "", titles = ""]) => ({ fault, titles: titles.split("<br>").map((title) => title.trim()) }));
}

/** Sentences on rows whose tests are missing or skipped. */
export function faultTableFaults(rows: readonly FaultRow[], titles: readonly Title[]): readonly string[] {
  const known = new Map<string, Title>();
  for (const title of titles) known.set(title.title, title);
  return rows.flatMap(({ fault, titles: wanted }) =>
    wanted.flatMap((title) => {
      const found = known.get(title);
      if (found === undefined) return [`${fault}: no test has the title "${title}"`];
      return found.skipped ? [`${fault}: "${title}" is skipped`] : [];
    }),
  );
}
