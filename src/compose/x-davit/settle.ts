// x-davit.settle: how long a task without a health check must run to count as healthy.

import type { ComposeNode } from "../tree/node.ts";
import type { Reader } from "../spec/reader.ts";

export const DEFAULT_SETTLE_MS = 1_000;

export function readSettle(reader: Reader, node: ComposeNode | undefined, path: string): number {
  return reader.duration(node, path) ?? DEFAULT_SETTLE_MS;
}
