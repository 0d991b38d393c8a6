// davit node activate: the node gets tasks again, after pause, drain or confirm-dead.

import { buildCommand } from "@stricli/core";
import { type CliContext, say } from "../context.ts";
import { NODE_REF, setAvailability } from "./availability.ts";

export const nodeActivate = buildCommand<Record<never, never>, [string], CliContext>({
  docs: { brief: "let a node have tasks again" },
  parameters: { positional: NODE_REF, flags: {} },
  async func(_flags, ref) {
    const { name } = await setAvailability(this, ref, "active");
    say(this, `${name} gets tasks again; those that moved away stay where they are`);
  },
});
