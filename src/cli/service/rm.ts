// davit service rm SERVICE…

import { buildCommand } from "@stricli/core";
import { type CliContext, say } from "../context.ts";
import { manyRefs, serviceNames } from "../refs.ts";
import { type Awaited, WAIT_FLAGS, type WaitFlags, waitUnlessDetached } from "../wait.ts";

type Flags = Omit<WaitFlags, "waitMonitor">;

export const serviceRm = buildCommand<Flags, string[], CliContext>({
  docs: { brief: "remove services; volumes keep their data" },
  parameters: {
    positional: manyRefs("SERVICE", "names, ids or unique prefixes", serviceNames),
    flags: { detach: WAIT_FLAGS.detach, timeout: WAIT_FLAGS.timeout },
  },
  async func(flags, ...refs) {
    const client = await this.client();
    const services: Awaited[] = [];
    for (const ref of refs) {
      const service = await client.removeService(ref);
      say(this, `${service.name} is removed`);
      services.push(service);
    }
    await waitUnlessDetached(this, services, { ...flags, waitMonitor: false });
  },
});
