// x-davit.strategy: which of the nodes that can take a task is best.

import { PLACEMENT_STRATEGIES, type PlacementStrategy } from "../../core/model/service-spec.ts";
import type { ComposeNode } from "../tree/node.ts";
import type { Reader } from "../spec/reader.ts";

/** `spread`, the default, is left out: both mean the same. */
export function readStrategy(
  reader: Reader,
  node: ComposeNode | undefined,
  path: string,
): PlacementStrategy | undefined {
  const strategy = reader.word(node, path, PLACEMENT_STRATEGIES);
  return strategy === "spread" ? undefined : strategy;
}
