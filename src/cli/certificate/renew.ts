// davit certificate renew NAME

import { buildCommand } from "@stricli/core";
import { type CliContext, say } from "../context.ts";
import { certificateNames, oneRef } from "../refs.ts";

export const certificateRenew = buildCommand<Record<never, never>, [string], CliContext>({
  docs: { brief: "get a new certificate now" },
  parameters: { positional: oneRef("NAME", "its name", certificateNames), flags: {} },
  async func(_flags, name) {
    await (await this.client()).renewCertificate(name);
    say(this, `${name}: asked for a new one; davit certificate ls shows what becomes of it`);
  },
});
