// Contracts: stacks.

import { z } from "@hono/zod-openapi";
import { stackSpecSchema } from "../schemas/spec.ts";
import { deploySchema, stackDetailSchema, stackSchema } from "../schemas/views.ts";
import { endpoint, flag } from "./endpoint.ts";

const params = z.object({ name: z.string().min(1).max(255) });

export const listStacks = endpoint({
  method: "get",
  path: "/v1/stacks",
  id: "listStacks",
  summary: "All stacks, by name",
  access: "read",
  answer: z.array(stackSchema),
});

export const getStack = endpoint({
  params,
  method: "get",
  path: "/v1/stacks/{name}",
  id: "getStack",
  summary: "A stack with its services and present tasks",
  access: "read",
  answer: stackDetailSchema,
});

export const deployStack = endpoint({
  params,
  method: "put",
  path: "/v1/stacks/{name}",
  id: "deployStack",
  summary: "Makes a stack what the specification says; what means the same as before is not touched",
  access: "deploy",
  query: z.strictObject({ dryRun: flag("only say what would be done") }),
  body: stackSpecSchema,
  answer: deploySchema,
});

export const removeStack = endpoint({
  params,
  method: "delete",
  path: "/v1/stacks/{name}",
  id: "removeStack",
  summary: "Removes a stack's services and networks",
  access: "deploy",
  query: z.strictObject({ volumes: flag("forget its volumes too; the data stays on the nodes") }),
  answer: deploySchema,
});
