// Contracts: tokens of users, logins to registries.

import { z } from "@hono/zod-openapi";
import { registryRequestSchema, tokenRequestSchema } from "../schemas/requests.ts";
import { registrySchema, tokenCreatedSchema, tokenSchema } from "../schemas/views.ts";
import { endpoint, refParams } from "./endpoint.ts";

const host = z.object({ host: z.string().min(1).max(260) });

export const listTokens = endpoint({
  method: "get",
  path: "/v1/tokens",
  id: "listTokens",
  summary: "All tokens with their last use",
  access: "admin",
  answer: z.array(tokenSchema),
});

export const createToken = endpoint({
  method: "post",
  path: "/v1/tokens",
  id: "createToken",
  summary: "Makes a token; its text is in this answer and nowhere else",
  access: "admin",
  body: tokenRequestSchema,
  status: 201,
  answer: tokenCreatedSchema,
});

export const revokeToken = endpoint({
  params: refParams,
  method: "delete",
  path: "/v1/tokens/{ref}",
  id: "revokeToken",
  summary: "Ends a token at once",
  access: "admin",
  answer: tokenSchema,
});

export const listRegistries = endpoint({
  method: "get",
  path: "/v1/registries",
  id: "listRegistries",
  summary: "Registries with a login",
  access: "read",
  answer: z.array(registrySchema),
});

export const putRegistry = endpoint({
  params: host,
  method: "put",
  path: "/v1/registries/{host}",
  id: "putRegistry",
  summary: "Stores the login of a registry, sealed",
  access: "admin",
  body: registryRequestSchema,
  answer: registrySchema,
});

export const removeRegistry = endpoint({
  params: host,
  method: "delete",
  path: "/v1/registries/{host}",
  id: "removeRegistry",
  summary: "Forgets the login of a registry",
  access: "admin",
  status: 204,
  answer: z.undefined(),
});
