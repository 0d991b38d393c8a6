// davit service inspect SERVICE: everything about it as JSON.

import { buildCommand } from "@stricli/core";
import { type CliContext, sayJson } from "../context.ts";
import { oneRef } from "../refs.ts";

export const serviceInspect = buildCommand<Record<never, never>, [string], CliContext>({
  docs: { brief: "show one service as JSON: spec, versions, tasks" },
  parameters: { positional: oneRef("SERVICE", "name, id or unique prefix"), flags: {} },
  async func(_flags, ref) {
    sayJson(this, await (await this.client()).service(ref));
  },
});
