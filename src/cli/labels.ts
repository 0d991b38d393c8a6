// Labels and variables as they are typed: k=v sets; k- takes a label away. Pure.

import { DavitError } from "../core/model/errors.ts";

/** k=v texts to a record. Throws `invalid_input`. */
export function parseLabels(texts: readonly string[]): Readonly<Record<string, string>> {
  const labels: Record<string, string> = {};
  for (const [key, value] of Object.entries(parseLabelChanges(texts))) {
    if (value === null) throw new DavitError("invalid_input", `'${key}-' takes a label away, but there is none yet`);
    labels[key] = value;
  }
  return labels;
}

/** k=v or k- texts to a record, null for those to take away. Throws `invalid_input`. */
export function parseLabelChanges(texts: readonly string[]): Readonly<Record<string, string | null>> {
  const changes: Record<string, string | null> = {};
  for (const text of texts) {
    const match = /^([^=\s]+)=(.*)$/.exec(text) ?? /^([^=\s]+)-$/.exec(text);
    if (match?.[1] === undefined)
      throw new DavitError("invalid_input", `'${text}' is not a label: write key=value, or key- to take it away`);
    changes[match[1]] = match[2] ?? null;
  }
  return changes;
}

/** K=V texts to set and names to take away, as a record with null for the latter. Throws `invalid_input`. */
export function parseVariables(
  set: readonly string[],
  remove: readonly string[],
): Readonly<Record<string, string | null>> {
  const changes: Record<string, string | null> = {};
  for (const text of set) {
    const at = text.indexOf("=");
    if (at < 1) throw new DavitError("invalid_input", `'${text}' is not a variable: write NAME=value`);
    changes[text.slice(0, at)] = text.slice(at + 1);
  }
  for (const name of remove) {
    if (name === "" || name.includes("="))
      throw new DavitError("invalid_input", `'${name}' is not a variable's name: write --env-rm NAME`);
    changes[name] = null;
  }
  return changes;
}
