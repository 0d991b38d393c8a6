// x-davit.on_lease_lost: what a node does with a task when it has lost its lease. `stop` needs a fence that does not depend on the agent.

import type { ComposeNode } from "../tree/node.ts";
import type { Reader } from "../spec/reader.ts";

export function readOnLeaseLost(reader: Reader, node: ComposeNode | undefined, path: string): "keep" {
  const policy = reader.word(node, path, ["keep", "stop"]);
  if (policy === "stop" && node !== undefined) {
    reader.problem(
      node.at,
      path,
      "stop is not supported until nodes have a fence that works without the agent; a pinned volume already keeps a second copy from starting elsewhere",
    );
  }
  return "keep";
}
