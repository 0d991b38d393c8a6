// davit service ps SERVICE…: its tasks, with --all the ended ones.

import { buildCommand } from "@stricli/core";
import { type CliContext, JSON_FLAG, sayJson } from "../context.ts";
import { manyRefs, serviceNames } from "../refs.ts";
import { sayTasks } from "../render/tasks.ts";

export const servicePs = buildCommand<{ readonly all: boolean; readonly json: boolean }, string[], CliContext>({
  docs: { brief: "list the tasks of services" },
  parameters: {
    positional: manyRefs("SERVICE", "names, ids or unique prefixes", serviceNames),
    flags: { all: { kind: "boolean", brief: "ended ones too", default: false }, json: JSON_FLAG },
  },
  async func({ all, json }, ...refs) {
    const client = await this.client();
    const tasks = (await Promise.all(refs.map((ref) => client.serviceTasks(ref, { all })))).flat();
    if (json) sayJson(this, tasks);
    else sayTasks(this, tasks);
  },
});
