// Writes the table of docs/compose.md from the verdicts in the code; what stands above the marker is written by hand.
// Usage: bun scripts/compose-docs.ts

import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { DEPLOY_KEYS, type KeyVerdict, SERVICE_KEYS, TOP_LEVEL_KEYS } from "../src/compose/verdicts.ts";
import { X_DAVIT_KEYS } from "../src/compose/x-davit/keys.ts";

const PATH = join(import.meta.dirname, "..", "docs", "compose.md");
const MARKER = "<!-- generated from src/compose: bun scripts/compose-docs.ts -->";

function table(title: string, keys: Readonly<Record<string, KeyVerdict>>): string {
  const rows = Object.entries(keys)
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([key, { verdict, note }]) => `| \`${key}\` | ${verdict} | ${note} |`);
  return [`## ${title}`, "", "| key | verdict | |", "| --- | --- | --- |", ...rows].join("\n");
}

/** The whole page, given the page as it is. */
export function renderComposePage(page: string): string {
  const [hand = ""] = page.split(MARKER);
  const tables = [
    table("Services", SERVICE_KEYS),
    table("`deploy` of a service", DEPLOY_KEYS),
    table("`x-davit` of a service", X_DAVIT_KEYS),
    table("Top level", TOP_LEVEL_KEYS),
  ];
  return `${hand.trimEnd()}\n\n${MARKER}\n\n${tables.join("\n\n")}\n`;
}

if (import.meta.main) writeFileSync(PATH, renderComposePage(readFileSync(PATH, "utf8")));
