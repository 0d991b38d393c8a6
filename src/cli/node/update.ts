// davit node update NODE --address host[:port] --name NAME

import { buildCommand } from "@stricli/core";
import { DavitError } from "../../core/model/errors.ts";
import type { NodePatch } from "../../core/model/views.ts";
import { type CliContext, say } from "../context.ts";
import { NODE_REF } from "./availability.ts";

type Flags = { readonly address?: string; readonly name?: string };

export const nodeUpdate = buildCommand<Flags, [string], CliContext>({
  docs: { brief: "change a node's address or name" },
  parameters: {
    positional: NODE_REF,
    flags: {
      address: {
        kind: "parsed",
        parse: String,
        optional: true,
        brief: "where its SSH server is now; the host key must be the same",
        placeholder: "HOST[:PORT]",
      },
      name: { kind: "parsed", parse: String, optional: true, brief: "its new name", placeholder: "NAME" },
    },
  },
  async func(flags, ref) {
    if (flags.address === undefined && flags.name === undefined)
      throw new DavitError("invalid_input", "nothing to change: give --address or --name");
    const patch: NodePatch = {
      ...(flags.name === undefined ? {} : { name: flags.name }),
      ...(flags.address === undefined ? {} : { address: await parseAddress(flags.address) }),
    };
    const node = await (await this.client()).updateNode(ref, patch);
    say(this, `${node.name} is at ${node.address}`);
  },
});

async function parseAddress(text: string): Promise<{ host: string; port: number }> {
  const { parseTarget } = await import("../../ssh/config/resolve.ts");
  const { host, port, user } = parseTarget(text);
  if (user !== undefined)
    throw new DavitError("invalid_input", `'${text}': the user is always davit after the join; give the address alone`);
  return { host, port: port ?? 22 };
}
