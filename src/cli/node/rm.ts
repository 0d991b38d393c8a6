// davit node rm: takes davit away from a host and the node out of the cluster. Docker stays, volumes unless asked.

import { buildCommand } from "@stricli/core";
import { type CliContext, note, say } from "../context.ts";
import { NODE_REF } from "./availability.ts";

type Flags = { readonly force: boolean; readonly volumes: boolean };

export const nodeRm = buildCommand<Flags, [string], CliContext>({
  docs: { brief: "take davit away from a host and the node out of the cluster" },
  parameters: {
    positional: NODE_REF,
    flags: {
      force: { kind: "boolean", brief: "remove it though the host cannot be cleaned", default: false },
      volumes: { kind: "boolean", brief: "remove its volumes and their data too", default: false },
    },
  },
  async func(flags, ref) {
    const client = await this.client();
    const { name } = await client.node(ref);
    await client.removeNode(ref, flags, (progress) => {
      if (progress.state !== "started") note(this, `${name}: ${progress.message}`);
    });
    say(this, `${name} is removed`);
  },
});
