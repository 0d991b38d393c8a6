// What `node pause`, `node activate` and `node drain` have in common: the parameters, and the change itself.

import type { Availability } from "../../core/model/records.ts";
import type { NodeView } from "../../core/model/views.ts";
import type { CliContext } from "../context.ts";
import { nodeNames, oneRef } from "../refs.ts";

export const NODE_REF = oneRef("NODE", "name, id or unique prefix", nodeNames);

export async function setAvailability(context: CliContext, ref: string, availability: Availability): Promise<NodeView> {
  return await (await context.client()).updateNode(ref, { availability });
}
