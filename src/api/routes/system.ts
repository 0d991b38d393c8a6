// Contracts: the coordinator itself, its events, its audit trail, and the progress of services.

import { z } from "@hono/zod-openapi";
import { auditSchema, eventSchema, healthSchema, progressSchema, versionSchema } from "../schemas/views.ts";
import { endpoint, flag, number } from "./endpoint.ts";

export const getHealth = endpoint({
  method: "get",
  path: "/v1/health",
  id: "getHealth",
  summary: "Whether the coordinator answers",
  access: "none",
  answer: healthSchema,
});

export const getVersion = endpoint({
  method: "get",
  path: "/v1/version",
  id: "getVersion",
  summary: "Version, cluster, epoch and revision",
  access: "read",
  answer: versionSchema,
});

export const getEvents = endpoint({
  method: "get",
  path: "/v1/events",
  id: "getEvents",
  summary:
    "Events as they happen, after `since` or Last-Event-ID; 410 when these are no longer kept. With `past` all that are kept, and no more",
  access: "read",
  query: z.strictObject({
    since: number("sequence number of the last event seen"),
    past: flag("end the stream after what has happened so far"),
    type: z.exactOptional(z.string().max(255).openapi({ description: "beginning of the event's type, such as task." })),
  }),
  stream: true,
  answer: eventSchema,
});

export const getAudit = endpoint({
  method: "get",
  path: "/v1/audit",
  id: "getAudit",
  summary: "Who changed what, oldest first",
  access: "admin",
  query: z.strictObject({
    since: number("sequence number after which to begin"),
    limit: number("at most so many, up to 1000"),
  }),
  answer: z.array(auditSchema),
});

/** A query's parameter may be given once or several times. */
const ids = z
  .union([z.string(), z.array(z.string()).max(500)])
  .openapi({ type: "array", items: { type: "string" }, description: "ids of services" });

export const getProgress = endpoint({
  method: "get",
  path: "/v1/progress",
  id: "getProgress",
  summary: "How far services are, on each change (`progress`), until all are done (`end`)",
  access: "read",
  query: z.strictObject({ service: ids, waitMonitor: flag("wait until the watching after convergence is over") }),
  stream: true,
  answer: z.array(progressSchema),
});
