// What the ingress of each node has counted, asked of all nodes at once when somebody wants to know. A node that does not answer is named, never the
// end of the others.

import { reasonOf } from "../core/model/errors.ts";
import type { NodeIngressFigures } from "../core/model/ingress-figures.ts";
import type { Node } from "../core/model/records.ts";
import type { Backend } from "./backend.ts";

/** Of one node: its figures, or why there are none. */
export type CollectedFigures = { readonly node: Node; readonly figures: NodeIngressFigures | string };

/** By the nodes' names. Never rejects; those that are known to be out of contact are not waited for. */
export async function collectFigures(backend: Backend): Promise<readonly CollectedFigures[]> {
  const { state, presence } = backend.world();
  const nodes = [...state.node.values()].toSorted((a, b) => (a.name < b.name ? -1 : 1));
  return await Promise.all(
    nodes.map(async (node): Promise<CollectedFigures> => {
      const contact = presence.get(node.id);
      if (contact !== "ready") return { node, figures: `it is ${contact ?? "unknown"}` };
      try {
        return { node, figures: await backend.ingressFigures(node.id) };
      } catch (error) {
        return { node, figures: reasonOf(error) };
      }
    }),
  );
}
