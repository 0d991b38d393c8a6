// Manifests as YAML that older readers understand the same way: what they would take for a number, a date or a truth value is quoted.
// What was not carried over stands in a comment above. Pure.

import { stringify } from "yaml";
import type { Manifest, Note } from "./manifest.ts";

/** The first line of everything that is written to a directory. */
export const MARK = "# Made by davit export --kubernetes.";

/** One document of YAML. */
export function printManifest(manifest: Manifest): string {
  return stringify(manifest, { compat: "yaml-1.1", lineWidth: 0, aliasDuplicateObjects: false });
}

/** All of them, the notes above as comments. */
export function printManifests(manifests: readonly Manifest[], notes: readonly Note[]): string {
  return [
    ...printNotes(notes),
    ...manifests.flatMap((manifest) => ["---", printManifest(manifest).trimEnd()]),
    "",
  ].join("\n");
}

/** Comment lines. */
export function printNotes(notes: readonly Note[]): readonly string[] {
  if (notes.length === 0) return [MARK, "# Everything was carried over."];
  return [MARK, "# Not carried over, or not in the same way:", ...notes.map((note) => `# - ${printNote(note)}`)];
}

/** One line. */
export function printNote({ at, message, wayOut }: Note): string {
  return `${at}: ${message}; ${wayOut}`.replaceAll(/[\r\n\u0085\u2028\u2029]+/g, " ");
}
