// davit ps: every task of the cluster.

import { buildCommand } from "@stricli/core";
import { type CliContext, JSON_FLAG, sayJson } from "../context.ts";
import { sayTasks } from "../render/tasks.ts";

type Flags = { readonly all: boolean; readonly node?: string; readonly json: boolean };

export const ps = buildCommand<Flags, [], CliContext>({
  docs: { brief: "list all tasks" },
  parameters: {
    flags: {
      all: { kind: "boolean", brief: "ended ones too", default: false },
      node: { kind: "parsed", parse: String, optional: true, brief: "only those on a node", placeholder: "NODE" },
      json: JSON_FLAG,
    },
  },
  async func({ all, node, json }) {
    const tasks = await (await this.client()).tasks({ all, ...(node === undefined ? {} : { node }) });
    if (json) sayJson(this, tasks);
    else sayTasks(this, tasks);
  },
});
