// Handler: evening out what runs where.

import { rebalance } from "../../core/commands/rebalance.ts";
import { type Api, bind, mutate } from "../bind.ts";
import { rebalanceNodes } from "../routes/rebalance.ts";

export function bindRebalance(api: Api): void {
  const { parts } = api;
  const { backend } = parts;
  bind(api, rebalanceNodes, async ({ query, body, actor }) => {
    // presence and figures are those of now, the records those of the commit
    const command = rebalance({ worldOf: (state) => ({ ...backend.world(), state }), seen: body.moves });
    if (query.dryRun === true) return { dryRun: true, revision: backend.revision(), ...backend.dryRun(command) };
    const { result, revision } = await mutate(parts, actor, "rebalance", command);
    return { dryRun: false, revision, ...result };
  });
}
