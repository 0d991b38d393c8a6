// x-davit.drain: how long open connections may go on when a task of the service is stopped by choice.

import { MAX_DRAIN_MS, type ReachSpec } from "../../core/model/service-spec.ts";
import type { Reader } from "../spec/reader.ts";
import type { ComposeNode } from "../tree/node.ts";

export function readDrain(reader: Reader, node: ComposeNode | undefined, path: string): Pick<ReachSpec, "drainMs"> {
  const drainMs = reader.duration(node, path);
  if (drainMs === undefined || node === undefined) return {};
  if (drainMs > MAX_DRAIN_MS)
    reader.problem(node.at, path, "is longer than an hour: nobody waits so long for an update");
  return { drainMs };
}
