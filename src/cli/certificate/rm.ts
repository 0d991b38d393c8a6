// davit certificate rm NAME

import { buildCommand } from "@stricli/core";
import { type CliContext, say } from "../context.ts";
import { certificateNames, oneRef } from "../refs.ts";

export const certificateRm = buildCommand<Record<never, never>, [string], CliContext>({
  docs: { brief: "forget a certificate of your own" },
  parameters: { positional: oneRef("NAME", "its name", certificateNames), flags: {} },
  async func(_flags, name) {
    await (await this.client()).removeCertificate(name);
    say(this, `${name} is gone from the coordinator and the nodes`);
  },
});
