// davit node label NODE k=v k-

import { buildCommand } from "@stricli/core";
import { DavitError } from "../../core/model/errors.ts";
import { type CliContext, say } from "../context.ts";
import { parseLabelChanges } from "../labels.ts";
import { manyRefs, nodeNames } from "../refs.ts";

export const nodeLabel = buildCommand<Record<never, never>, string[], CliContext>({
  docs: { brief: "set (k=v) and take away (k-) labels of a node" },
  parameters: { positional: { ...manyRefs("NODE K=V|K-", "a node, then labels", nodeNames), minimum: 2 }, flags: {} },
  async func(_flags, ref = "", ...texts) {
    if (/[=-]$|=/.test(ref))
      throw new DavitError("invalid_input", `'${ref}' is not a node: name the node first, then its labels`);
    const node = await (await this.client()).updateNode(ref, { labels: parseLabelChanges(texts) });
    const labels = Object.entries(node.labels).map(([key, value]) => `${key}=${value}`);
    say(this, `${node.name}: ${labels.join(" ") || "no labels"}`);
  },
});
