// What leads from one state to another, as commits would tell it.

import type { Change } from "../../src/core/model/records.ts";
import type { MutableState } from "../../src/core/model/world.ts";

export function difference(before: MutableState, after: MutableState): readonly Change[] {
  const changes: Change[] = [];
  for (const kind of Object.keys(after) as (keyof MutableState)[]) {
    for (const [id, record] of after[kind])
      if (before[kind].get(id) !== record) changes.push({ op: "put", kind, record } as Change);
    for (const id of before[kind].keys()) if (!after[kind].has(id)) changes.push({ op: "delete", kind, id });
  }
  return changes;
}
