// Labels as they are typed: k=v sets, k- takes away. Pure.

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
