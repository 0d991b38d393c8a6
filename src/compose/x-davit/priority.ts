// x-davit.priority and x-davit.preempt: who is placed first, and who may end tasks of others to get a place.

import { MAX_PRIORITY } from "../../core/model/service-spec.ts";
import { type ComposeNode, get, type MapNode } from "../tree/node.ts";
import type { Reader } from "../spec/reader.ts";

/** 0, the default, is left out: both mean the same. */
export function readPriority(
  reader: Reader,
  extension: MapNode | undefined,
  path: string,
): { readonly priority?: number; readonly preempt?: true } {
  const node: ComposeNode | undefined = get(extension, "priority");
  const preemptNode = get(extension, "preempt");
  const given = reader.number(node, `${path}.priority`, { min: 0, max: MAX_PRIORITY, whole: true });
  const priority = given ?? 0;
  const preempt = reader.bool(preemptNode, `${path}.preempt`) ?? false;
  if (preempt && (node === undefined || given === 0) && preemptNode !== undefined)
    reader.problem(preemptNode.at, `${path}.preempt`, "wants a priority above 0: only lower ones give way");
  return { ...(priority === 0 ? {} : { priority }), ...(preempt ? { preempt } : {}) };
}
