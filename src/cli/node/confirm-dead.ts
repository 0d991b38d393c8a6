// davit node confirm-dead: somebody has looked, and the host is off. Its tasks are replaced at once, and it does not count as silent.

import { buildCommand } from "@stricli/core";
import { type CliContext, say } from "../context.ts";
import { NODE_REF } from "./availability.ts";

export const nodeConfirmDead = buildCommand<Record<never, never>, [string], CliContext>({
  docs: { brief: "say that a node is dead for certain: its tasks are replaced at once" },
  parameters: { positional: NODE_REF, flags: {} },
  async func(_flags, ref) {
    const node = await (await this.client()).confirmDead(ref);
    say(this, `${node.name} is confirmed dead; davit node activate ${node.name} takes it back`);
  },
});
