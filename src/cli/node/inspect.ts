// davit node inspect: one node as JSON; with --agent what its agent holds and sees too.

import { buildCommand } from "@stricli/core";
import { ALWAYS_JSON_FLAG, type CliContext, sayJson } from "../context.ts";
import { NODE_REF } from "./availability.ts";

type Flags = { readonly agent: boolean; readonly json: boolean };

export const nodeInspect = buildCommand<Flags, [string], CliContext>({
  docs: { brief: "show one node as JSON" },
  parameters: {
    positional: NODE_REF,
    flags: {
      agent: { kind: "boolean", brief: "add what its agent holds and sees", default: false },
      json: ALWAYS_JSON_FLAG,
    },
  },
  async func({ agent }, ref) {
    const client = await this.client();
    const node = await client.node(ref);
    sayJson(this, agent ? { ...node, agent: await client.nodeState(ref) } : node);
  },
});
