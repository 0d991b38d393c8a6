// Contracts: volumes and networks.

import { z } from "@hono/zod-openapi";
import { networkSchema, volumeSchema } from "../schemas/views.ts";
import { endpoint, refParams } from "./endpoint.ts";

export const listVolumes = endpoint({
  method: "get",
  path: "/v1/volumes",
  id: "listVolumes",
  summary: "All volumes, by name",
  access: "read",
  answer: z.array(volumeSchema),
});

export const removeVolume = endpoint({
  params: refParams,
  method: "delete",
  path: "/v1/volumes/{ref}",
  id: "removeVolume",
  summary: "Forgets a volume that nothing uses; the data stays on the node",
  access: "deploy",
  status: 204,
  answer: z.undefined(),
});

export const listNetworks = endpoint({
  method: "get",
  path: "/v1/networks",
  id: "listNetworks",
  summary: "All networks, by name",
  access: "read",
  answer: z.array(networkSchema),
});
