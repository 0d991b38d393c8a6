// Contracts: services.

import { z } from "@hono/zod-openapi";
import { rollbackSchema, scaleSchema, servicePatchSchema } from "../schemas/requests.ts";
import {
  endpointsSchema,
  serviceDetailSchema,
  serviceExplainSchema,
  serviceSchema,
  taskSchema,
} from "../schemas/views.ts";
import { endpoint, flag, number, refParams } from "./endpoint.ts";

const ref = { params: refParams } as const;

/** What can be asked of logs, of services and tasks alike. */
export const logQuery = z.strictObject({
  follow: flag("go on as lines come"),
  tail: number("only so many of the last lines of each task"),
  since: z.exactOptional(z.iso.datetime({ offset: true }).openapi({ description: "only lines after this time" })),
});

export const listServices = endpoint({
  method: "get",
  path: "/v1/services",
  id: "listServices",
  summary: "All services, by name",
  access: "read",
  query: z.strictObject({ stack: z.exactOptional(z.string()) }),
  answer: z.array(serviceSchema),
});

export const getService = endpoint({
  ...ref,
  method: "get",
  path: "/v1/services/{ref}",
  id: "getService",
  summary: "One service with its specification, versions and tasks",
  access: "read",
  answer: serviceDetailSchema,
});

export const explainService = endpoint({
  ...ref,
  method: "get",
  path: "/v1/services/{ref}/explain",
  id: "explainService",
  summary: "For every node why a task of the service would go there, or why not",
  access: "read",
  answer: serviceExplainSchema,
});

export const getEndpoints = endpoint({
  ...ref,
  method: "get",
  path: "/v1/services/{ref}/endpoints",
  id: "getEndpoints",
  summary: "What nodes route to for a service: its address, and which of its tasks get new connections",
  access: "read",
  answer: endpointsSchema,
});

export const scaleService = endpoint({
  ...ref,
  method: "post",
  path: "/v1/services/{ref}/scale",
  id: "scaleService",
  summary: "Sets the number of replicas",
  access: "deploy",
  body: scaleSchema,
  answer: serviceSchema,
});

export const updateService = endpoint({
  ...ref,
  method: "post",
  path: "/v1/services/{ref}/update",
  id: "updateService",
  summary: "Changes parts of the specification, or replaces all tasks by force",
  access: "deploy",
  body: servicePatchSchema,
  answer: serviceSchema,
});

export const restartService = endpoint({
  ...ref,
  method: "post",
  path: "/v1/services/{ref}/restart",
  id: "restartService",
  summary: "Replaces all tasks by new ones of the same version, within the update policy",
  access: "deploy",
  answer: serviceSchema,
});

export const rollbackService = endpoint({
  ...ref,
  method: "post",
  path: "/v1/services/{ref}/rollback",
  id: "rollbackService",
  summary: "Goes back to an earlier version, by default the previous one",
  access: "deploy",
  body: rollbackSchema,
  answer: serviceSchema,
});

export const removeService = endpoint({
  ...ref,
  method: "delete",
  path: "/v1/services/{ref}",
  id: "removeService",
  summary: "Removes a service; answers with what it was",
  access: "deploy",
  answer: serviceSchema,
});

export const listServiceTasks = endpoint({
  ...ref,
  method: "get",
  path: "/v1/services/{ref}/tasks",
  id: "listServiceTasks",
  summary: "The tasks of a service",
  access: "read",
  query: z.strictObject({ all: flag("ended ones too") }),
  answer: z.array(taskSchema),
});

export const getServiceLogs = endpoint({
  ...ref,
  method: "get",
  path: "/v1/services/{ref}/logs",
  id: "getServiceLogs",
  summary: "Lines of all tasks of a service: events `log` and `note`",
  access: "read",
  query: logQuery,
  stream: true,
  answer: z.string(),
});
