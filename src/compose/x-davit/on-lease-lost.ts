// x-davit.on_lease_lost, lease and replace_after: what becomes of a task on a node that is lost. `stop` needs a fence on the node that does not
// depend on the agent.

import type { TaskTemplate } from "../../core/model/service-spec.ts";
import type { ComposeNode } from "../tree/node.ts";
import { get, type MapNode } from "../tree/node.ts";
import type { Reader } from "../spec/reader.ts";

/** A lease is read for its faults: with `keep` it means nothing, and with `stop` it is what comes with the fence. */
export function readOnLeaseLost(
  reader: Reader,
  extension: MapNode | undefined,
  path: string,
): Pick<TaskTemplate, "onLeaseLost"> {
  const node = get(extension, "on_lease_lost");
  const policy = reader.word(node, `${path}.on_lease_lost`, ["keep", "stop"]);
  const lease = get(extension, "lease");
  if (policy === "stop" && node !== undefined) {
    reader.problem(
      node.at,
      `${path}.on_lease_lost`,
      "stop is not supported until nodes have a fence that works without the agent; a pinned volume already keeps a second copy from starting elsewhere, and replace_after gives a lost node time",
    );
    reader.duration(lease, `${path}.lease`);
  } else if (lease !== undefined) {
    reader.problem(
      lease.at,
      `${path}.lease`,
      "is the lease of on_lease_lost: stop, and means nothing without it; replace_after says how long a lost node is waited for",
    );
  }
  return { onLeaseLost: "keep" };
}

/** How long a lost node is waited for. */
export function readReplaceAfter(
  reader: Reader,
  node: ComposeNode | undefined,
  path: string,
): { readonly replaceAfterMs?: number } {
  const replaceAfterMs = reader.duration(node, path);
  return replaceAfterMs === undefined ? {} : { replaceAfterMs };
}
