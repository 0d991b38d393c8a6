// davit service inspect SERVICE: everything about it as JSON.

import { buildCommand } from "@stricli/core";
import { ALWAYS_JSON_FLAG, type CliContext, sayJson } from "../context.ts";
import { oneRef, serviceNames } from "../refs.ts";

export const serviceInspect = buildCommand<{ readonly json: boolean }, [string], CliContext>({
  docs: { brief: "show one service as JSON: spec, versions, tasks" },
  parameters: {
    positional: oneRef("SERVICE", "name, id or unique prefix", serviceNames),
    flags: { json: ALWAYS_JSON_FLAG },
  },
  async func(_flags, ref) {
    sayJson(this, await (await this.client()).service(ref));
  },
});
