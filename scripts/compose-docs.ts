// Writes the tables of docs/compose.md from the verdicts in the code; what stands above the marker is written by hand.
// Usage: bun scripts/compose-docs.ts

import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { DEPLOY_KEYS } from "../src/compose/keys/deploy.ts";
import { SERVICE_KEYS } from "../src/compose/keys/services.ts";
import { TOP_LEVEL_KEYS } from "../src/compose/keys/top-level.ts";
import type { KeyTable } from "../src/compose/keys/verdict.ts";
import { X_DAVIT_KEYS } from "../src/compose/x-davit/keys.ts";

const PATH = join(import.meta.dirname, "..", "docs", "compose.md");
const MARKER = "<!-- generated from src/compose: bun scripts/compose-docs.ts -->";

/** Keys are shown without the part that the title says. */
function table(title: string, keys: KeyTable, prefix: string): string {
  const rows = Object.entries(keys)
    .map(([path, verdict]) => ({ key: path.startsWith(prefix) ? path.slice(prefix.length) : path, ...verdict }))
    .sort((a, b) => (a.key < b.key ? -1 : 1))
    .map(({ key, verdict, note }) => `| \`${key}\` | ${verdict} | ${note} |`);
  return [`## ${title}`, "", "| key | verdict | |", "| --- | --- | --- |", ...rows].join("\n");
}

/** The whole page, given the page as it is. */
export function renderComposePage(page: string): string {
  const [hand = ""] = page.split(MARKER);
  const tables = [
    table("Services", SERVICE_KEYS, "services.*."),
    table("`deploy` of a service", DEPLOY_KEYS, "services.*.deploy."),
    table("`x-davit`", X_DAVIT_KEYS, ""),
    table("Top level", TOP_LEVEL_KEYS, ""),
  ];
  return `${hand.trimEnd()}\n\n${MARKER}\n\n${tables.join("\n\n")}\n`;
}

if (import.meta.main) writeFileSync(PATH, renderComposePage(readFileSync(PATH, "utf8")));
