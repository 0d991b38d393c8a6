// davit service restart SERVICE: new tasks of the same version, one after the other as the update policy says.

import { buildCommand } from "@stricli/core";
import { type CliContext, say } from "../context.ts";
import { oneRef, serviceNames } from "../refs.ts";
import { WAIT_FLAGS, type WaitFlags, waitUnlessDetached } from "../wait.ts";

export const serviceRestart = buildCommand<WaitFlags, [string], CliContext>({
  docs: { brief: "replace a service's tasks by new ones, within its update policy" },
  parameters: { positional: oneRef("SERVICE", "name, id or unique prefix", serviceNames), flags: WAIT_FLAGS },
  async func(flags, ref) {
    const service = await (await this.client()).restart(ref);
    say(this, `${service.name} restarts`);
    await waitUnlessDetached(this, [service], flags);
  },
});
