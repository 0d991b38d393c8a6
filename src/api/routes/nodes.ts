// Contracts: nodes.

import { z } from "@hono/zod-openapi";
import { joinRequestSchema, nodePatchSchema } from "../schemas/requests.ts";
import { nodeSchema, peerCheckSchema, taskSchema } from "../schemas/views.ts";
import { endpoint, flag, refParams } from "./endpoint.ts";

const ref = { params: refParams } as const;

export const listNodes = endpoint({
  method: "get",
  path: "/v1/nodes",
  id: "listNodes",
  summary: "All nodes, by name",
  access: "read",
  answer: z.array(nodeSchema),
});

export const joinNode = endpoint({
  method: "post",
  path: "/v1/nodes",
  id: "joinNode",
  summary: "Joins a host over SSH: events `progress`, then `result` with the node or a problem",
  access: "admin",
  body: joinRequestSchema,
  stream: true,
  answer: z.string(),
});

export const getNode = endpoint({
  ...ref,
  method: "get",
  path: "/v1/nodes/{ref}",
  id: "getNode",
  summary: "One node",
  access: "read",
  answer: nodeSchema,
});

export const updateNode = endpoint({
  ...ref,
  method: "patch",
  path: "/v1/nodes/{ref}",
  id: "updateNode",
  summary: "Changes name, availability, labels or address; `active` takes back confirm-dead",
  access: "admin",
  body: nodePatchSchema,
  answer: nodeSchema,
});

export const removeNode = endpoint({
  ...ref,
  method: "delete",
  path: "/v1/nodes/{ref}",
  id: "removeNode",
  summary: "Takes away what davit put on a node, and the node from the cluster: events as in joinNode",
  access: "admin",
  query: z.strictObject({
    force: flag("remove the node though it cannot be reached"),
    volumes: flag("delete its volumes and their data too"),
  }),
  stream: true,
  answer: z.string(),
});

export const confirmDead = endpoint({
  ...ref,
  method: "post",
  path: "/v1/nodes/{ref}/confirm-dead",
  id: "confirmDead",
  summary: "States that a node will not come back, so that its tasks are replaced at once",
  access: "admin",
  answer: nodeSchema,
});

export const listNodeTasks = endpoint({
  ...ref,
  method: "get",
  path: "/v1/nodes/{ref}/tasks",
  id: "listNodeTasks",
  summary: "The present tasks of a node",
  access: "read",
  answer: z.array(taskSchema),
});

export const checkNode = endpoint({
  ...ref,
  method: "post",
  path: "/v1/nodes/{ref}/check",
  id: "checkNode",
  summary: "Measures the way from a node to another, through the mesh, and says what is wrong with it",
  access: "admin",
  query: z.strictObject({
    peer: z.string().min(1).max(63).openapi({ description: "the other node: name, id or the beginning of an id" }),
    throughput: flag("send for a second as much as the line bears"),
  }),
  answer: peerCheckSchema,
});

export const getNodeState = endpoint({
  ...ref,
  method: "get",
  path: "/v1/nodes/{ref}/state",
  id: "getNodeState",
  summary: "What the agent of a node holds and sees, for looking into a fault",
  access: "admin",
  answer: z.unknown(),
});
