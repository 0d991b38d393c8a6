// davit node label NODE k=v k-

import { buildCommand } from "@stricli/core";
import { DavitError } from "../../core/model/errors.ts";
import { type CliContext, say } from "../context.ts";
import { parseLabelChanges } from "../labels.ts";

export const nodeLabel = buildCommand<Record<never, never>, string[], CliContext>({
  docs: { brief: "set (k=v) and take away (k-) labels of a node" },
  parameters: {
    positional: {
      kind: "array",
      parameter: { parse: String, placeholder: "NODE K=V…", brief: "a node, then labels" },
      minimum: 2,
    },
    flags: {},
  },
  async func(_flags, ...words) {
    const [ref, ...labels] = words;
    if (ref === undefined || labels.length === 0)
      throw new DavitError("invalid_input", "name a node and at least one label");
    const node = await (await this.client()).updateNode(ref, { labels: parseLabelChanges(labels) });
    say(
      this,
      `${node.name}: ${
        Object.entries(node.labels)
          .map(([key, value]) => `${key}=${value}`)
          .join(" ") || "no labels"
      }`,
    );
  },
});
