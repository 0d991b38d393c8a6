// davit node inspect: one node as JSON; with --agent what its agent holds and sees too.

import { buildCommand } from "@stricli/core";
import { type CliContext, sayJson } from "../context.ts";
import { oneRef } from "../refs.ts";

export const nodeInspect = buildCommand<{ readonly agent: boolean }, [string], CliContext>({
  docs: { brief: "show one node as JSON" },
  parameters: {
    positional: oneRef("NODE", "name, id or unique prefix"),
    flags: { agent: { kind: "boolean", brief: "add what its agent holds and sees", default: false } },
  },
  async func({ agent }, ref) {
    const client = await this.client();
    const node = await client.node(ref);
    sayJson(this, agent ? { ...node, agent: await client.nodeState(ref) } : node);
  },
});
