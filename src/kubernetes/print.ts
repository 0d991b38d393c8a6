// Manifests as YAML that older readers understand the same way: what they would take for a number, a date or a truth value is quoted, and
// so is what is not printable. What was not carried over stands in a comment above. Pure.

import { Document, isScalar, type Pair, Scalar, visit } from "yaml";
import type { Manifest, Note } from "./manifest.ts";

/** The first line of everything that is written to a directory. */
export const MARK = "# Made by davit export --kubernetes.";

/** Ends of lines to some readers, forbidden to others, invisible to people. */
const UNPRINTABLE = /[\u007f-\u009f\u2028\u2029\ufeff\ufffe\uffff]/g;
/** A block of lines needs a first one that stands at its margin. */
const MARGIN = /^[^\s]/;

/** One document of YAML. */
export function printManifest(manifest: Manifest): string {
  const document = new Document(manifest, { compat: "yaml-1.1", aliasDuplicateObjects: false });
  visit(document, {
    Scalar(_, node) {
      if (isScalar(node) && typeof node.value === "string" && isQuoted(node.value)) node.type = Scalar.QUOTE_DOUBLE;
    },
    Pair: (_, pair) => explainMode(pair),
  });
  // between double quotes, where all of them are, each may be written by its number
  return document.toString({ lineWidth: 0 }).replaceAll(UNPRINTABLE, numbered);
}

/** Kubernetes has permission bits as a plain number, which nobody reads. */
function explainMode({ key, value }: Pair): void {
  if (isScalar(key) && key.value === "mode" && isScalar(value) && typeof value.value === "number")
    value.comment = ` ${value.value.toString(8).padStart(4, "0")}`;
}

function isQuoted(text: string): boolean {
  return text.search(UNPRINTABLE) !== -1 || (text.includes("\n") && !MARGIN.test(text));
}

function numbered(character: string): string {
  return `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`;
}

/** All of them, the notes above as comments. */
export function printManifests(manifests: readonly Manifest[], notes: readonly Note[]): string {
  const head = printNotes(notes).map((line) => `${line}\n`);
  // blank lines at a document's end may be its last value's own
  return [...head, ...manifests.map((manifest) => `---\n${printManifest(manifest)}`)].join("");
}

/** Comment lines. */
export function printNotes(notes: readonly Note[]): readonly string[] {
  if (notes.length === 0) return [MARK, "# Everything was carried over."];
  return [MARK, "# Not carried over, or not in the same way:", ...notes.map((note) => `# - ${printNote(note)}`)];
}

/** One line, of printable characters only. */
export function printNote({ at, message, wayOut }: Note): string {
  return `${at}: ${message}; ${wayOut}`.replaceAll(/[\p{Cc}\p{Cs}\u2028\u2029\ufeff\ufffe\uffff]+/gu, " ");
}
