// Contract: evening out what runs where.

import { z } from "@hono/zod-openapi";
import { rebalanceRequestSchema } from "../schemas/requests.ts";
import { rebalanceSchema } from "../schemas/views.ts";
import { endpoint, flag } from "./endpoint.ts";

export const rebalanceNodes = endpoint({
  method: "post",
  path: "/v1/rebalance",
  id: "rebalanceNodes",
  summary: "Moves tasks to where they would be placed now, each made on its new node first",
  access: "admin",
  query: z.strictObject({ dryRun: flag("only say what would move") }),
  body: rebalanceRequestSchema,
  answer: rebalanceSchema,
});
