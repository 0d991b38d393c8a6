// davit stack ps STACK: its tasks.

import { buildCommand } from "@stricli/core";
import { type CliContext, JSON_FLAG, sayJson } from "../context.ts";
import { oneRef, stackNames } from "../refs.ts";
import { sayTasks } from "../render/tasks.ts";

export const stackPs = buildCommand<{ readonly all: boolean; readonly json: boolean }, [string], CliContext>({
  docs: { brief: "list a stack's tasks" },
  parameters: {
    positional: oneRef("STACK", "name of the stack", stackNames),
    flags: { all: { kind: "boolean", brief: "ended ones too", default: false }, json: JSON_FLAG },
  },
  async func({ all, json }, stack) {
    const client = await this.client();
    await client.stack(stack);
    const tasks = await client.tasks({ stack, all });
    if (json) sayJson(this, tasks);
    else sayTasks(this, tasks);
  },
});
