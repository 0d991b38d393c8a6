// davit node update NODE --address host[:port] --endpoint host[:port] --name NAME --generic gpu=2

import { buildCommand } from "@stricli/core";
import { DavitError } from "../../core/model/errors.ts";
import { parseMeshEndpoint } from "../../core/model/mesh-endpoint.ts";
import type { NodePatch } from "../../core/model/views.ts";
import { type CliContext, say } from "../context.ts";
import { NODE_REF } from "./availability.ts";

type Flags = {
  readonly address?: string;
  readonly name?: string;
  readonly endpoint?: string;
  readonly generic?: readonly string[];
};

export const nodeUpdate = buildCommand<Flags, [string], CliContext>({
  docs: { brief: "change a node's address, endpoint, name or named resources" },
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
      endpoint: {
        kind: "parsed",
        parse: String,
        optional: true,
        brief: "where other nodes reach its mesh, if that is not its address; none: at its address again",
        placeholder: "HOST[:PORT]",
      },
      generic: {
        kind: "parsed",
        parse: String,
        variadic: true,
        optional: true,
        brief: "how many of a named resource it has, or which, for reservations.generic_resources; gpu- takes it away",
        placeholder: "KIND=N|KIND=ID,ID|KIND-",
      },
    },
  },
  async func(flags, ref) {
    if (Object.values(flags).every((flag) => flag === undefined))
      throw new DavitError("invalid_input", "nothing to change: give --address, --endpoint, --name or --generic");
    const patch: NodePatch = {
      ...(flags.name === undefined ? {} : { name: flags.name }),
      ...(flags.generic === undefined ? {} : { generic: parseGeneric(flags.generic) }),
      ...(flags.endpoint === undefined
        ? {}
        : { meshEndpoint: flags.endpoint === "none" ? null : parseMeshEndpoint(flags.endpoint) }),
      ...(flags.address === undefined ? {} : { address: await parseAddress(flags.address) }),
    };
    const node = await (await this.client()).updateNode(ref, patch);
    const generic = Object.entries(node.resources.generic).map(
      ([kind, amount]) => `${kind}=${node.genericIds?.[kind]?.join(",") ?? amount}`,
    );
    say(this, `${node.name} is at ${node.address}${generic.length === 0 ? "" : ` and has ${generic.join(" ")}`}`);
  },
});

/** "gpu=2" to counts, "gpu=GPU-1,GPU-2" to ids, and "gpu-" to null, for those to take away. */
function parseGeneric(texts: readonly string[]): NonNullable<NodePatch["generic"]> {
  const changes: Record<string, number | readonly string[] | null> = {};
  for (const text of texts) {
    const match = /^([^=]+)=(.+)$/.exec(text) ?? /^([^=]+)-$/.exec(text);
    if (match?.[1] === undefined)
      throw new DavitError(
        "invalid_input",
        `'${text}' is not a number of something: write gpu=2, or gpu=ID,ID for which they are, or gpu- to take it away`,
      );
    const [, kind, what] = match;
    if (what === undefined) changes[kind] = null;
    else changes[kind] = /^\d{1,6}$/.test(what) ? Number(what) : what.split(",");
  }
  return changes;
}

async function parseAddress(text: string): Promise<{ host: string; port: number }> {
  const { parseTarget } = await import("../../ssh/config/resolve.ts");
  const { host, port, user } = parseTarget(text);
  if (user !== undefined)
    throw new DavitError("invalid_input", `'${text}': the user is always davit after the join; give the address alone`);
  return { host, port: port ?? 22 };
}
