// Contracts: tasks, their logs, and commands in their containers.

import { z } from "@hono/zod-openapi";
import { taskSchema } from "../schemas/views.ts";
import { endpoint, flag, number, refParams } from "./endpoint.ts";
import { logQuery } from "./services.ts";

const ref = { params: refParams } as const;
const filter = z.exactOptional(z.string().max(255));

export const listTasks = endpoint({
  method: "get",
  path: "/v1/tasks",
  id: "listTasks",
  summary: "Tasks, by service and slot",
  access: "read",
  query: z.strictObject({ node: filter, service: filter, stack: filter, all: flag("ended ones too") }),
  answer: z.array(taskSchema),
});

export const getTask = endpoint({
  ...ref,
  method: "get",
  path: "/v1/tasks/{ref}",
  id: "getTask",
  summary: "One task",
  access: "read",
  answer: taskSchema,
});

export const getTaskLogs = endpoint({
  ...ref,
  method: "get",
  path: "/v1/tasks/{ref}/logs",
  id: "getTaskLogs",
  summary: "Lines of one task: events `log` and `note`",
  access: "read",
  query: logQuery,
  stream: true,
  answer: z.string(),
});

export const execInTask = endpoint({
  ...ref,
  method: "get",
  path: "/v1/tasks/{ref}/exec",
  id: "execInTask",
  summary:
    "Runs a command in a task's container, over a websocket: each binary message is one frame of 1 byte type, 4 bytes length, payload",
  access: "deploy",
  query: z.strictObject({
    argv: z.string().max(65_536).openapi({ description: "JSON list of texts" }),
    tty: flag("give it a terminal"),
    cols: number("width of the terminal"),
    rows: number("height of the terminal"),
    user: z.exactOptional(z.string().max(255)),
    workdir: z.exactOptional(z.string().max(4_096)),
  }),
  answer: z.string(),
});
