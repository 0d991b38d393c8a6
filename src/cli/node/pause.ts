// davit node pause: the node keeps its tasks and gets no new ones.

import { buildCommand } from "@stricli/core";
import { type CliContext, say } from "../context.ts";
import { NODE_REF, setAvailability } from "./availability.ts";

export const nodePause = buildCommand<Record<never, never>, [string], CliContext>({
  docs: { brief: "keep a node's tasks, give it no new ones" },
  parameters: { positional: NODE_REF, flags: {} },
  async func(_flags, ref) {
    const { name } = await setAvailability(this, ref, "pause");
    say(this, `${name} keeps its tasks and gets no new ones; davit node activate ${name} undoes it`);
  },
});
