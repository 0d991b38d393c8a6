// davit stack rm STACK…: stops and removes its services, and waits until they are gone. Volumes keep their data.

import { buildCommand } from "@stricli/core";
import { type CliContext, say } from "../context.ts";
import { manyRefs, stackNames } from "../refs.ts";
import { WAIT_FLAGS, type WaitFlags, waitUnlessDetached } from "../wait.ts";
import { renderPlan } from "./deploy.ts";

type Flags = Omit<WaitFlags, "waitMonitor"> & { readonly volumes: boolean };

export const stackRm = buildCommand<Flags, string[], CliContext>({
  docs: { brief: "remove stacks; volumes keep their data unless --volumes" },
  parameters: {
    positional: manyRefs("STACK", "names of stacks", stackNames),
    flags: {
      detach: WAIT_FLAGS.detach,
      timeout: WAIT_FLAGS.timeout,
      volumes: { kind: "boolean", brief: "forget their volumes too", default: false },
    },
  },
  async func(flags, ...stacks) {
    const client = await this.client();
    for (const stack of stacks) {
      const services = await client.services({ stack });
      say(this, renderPlan(await client.removeStack(stack, { volumes: flags.volumes })));
      await waitUnlessDetached(this, services, { ...flags, waitMonitor: false });
    }
  },
});
