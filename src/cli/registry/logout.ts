// davit registry logout: takes credentials away from the coordinator and the nodes.

import { buildCommand } from "@stricli/core";
import { type CliContext, say } from "../context.ts";
import { oneRef, registryHosts } from "../refs.ts";

export const registryLogout = buildCommand<Record<never, never>, [string], CliContext>({
  docs: { brief: "take credentials away from the nodes" },
  parameters: { positional: oneRef("HOST", "the registry's host", registryHosts), flags: {} },
  async func(_flags, host) {
    await (await this.client()).logout(host);
    say(this, `${host}: credentials are gone from the coordinator and the nodes`);
  },
});
