// davit stack ps STACK: its tasks.

import { buildCommand } from "@stricli/core";
import { type CliContext, JSON_FLAG, say, sayJson } from "../context.ts";
import { oneRef } from "../refs.ts";
import { renderTasks } from "../render/tasks.ts";

export const stackPs = buildCommand<{ readonly all: boolean; readonly json: boolean }, [string], CliContext>({
  docs: { brief: "list a stack's tasks" },
  parameters: {
    positional: oneRef("STACK", "name of the stack"),
    flags: { all: { kind: "boolean", brief: "ended ones too", default: false }, json: JSON_FLAG },
  },
  async func({ all, json }, stack) {
    const client = await this.client();
    await client.stack(stack);
    const tasks = await client.tasks({ stack, all });
    if (json) sayJson(this, tasks);
    else say(this, renderTasks(tasks, this.nowMs()));
  },
});
