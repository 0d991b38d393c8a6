// Contracts: rollouts, and the history of a service's versions.

import { z } from "@hono/zod-openapi";
import { rolloutDetailSchema, rolloutSchema } from "../schemas/rollouts.ts";
import { serviceSchema } from "../schemas/views.ts";
import { endpoint, refParams } from "./endpoint.ts";

const ref = { params: refParams } as const;

export const listRollouts = endpoint({
  method: "get",
  path: "/v1/rollouts",
  id: "listRollouts",
  summary: "The last change of each service that was changed: those under way first",
  access: "read",
  query: z.strictObject({ stack: z.exactOptional(z.string()) }),
  answer: z.array(rolloutSchema),
});

export const getRollout = endpoint({
  ...ref,
  method: "get",
  path: "/v1/rollouts/{ref}",
  id: "getRollout",
  summary: "A service's last change, and every kept version with what became of it, the newest first",
  access: "read",
  answer: rolloutDetailSchema,
});

export const pauseRollout = endpoint({
  ...ref,
  method: "post",
  path: "/v1/rollouts/{ref}/pause",
  id: "pauseRollout",
  summary: "Begins nothing more of it; what has begun is finished",
  access: "deploy",
  answer: serviceSchema,
});

export const resumeRollout = endpoint({
  ...ref,
  method: "post",
  path: "/v1/rollouts/{ref}/resume",
  id: "resumeRollout",
  summary: "Lets a paused one go on; failures so far are forgiven",
  access: "deploy",
  answer: serviceSchema,
});

export const abortRollout = endpoint({
  ...ref,
  method: "post",
  path: "/v1/rollouts/{ref}/abort",
  id: "abortRollout",
  summary: "Gives it up: the service goes back to where it came from",
  access: "deploy",
  answer: serviceSchema,
});

export const promoteRollout = endpoint({
  ...ref,
  method: "post",
  path: "/v1/rollouts/{ref}/promote",
  id: "promoteRollout",
  summary: "Ends the trial of canaries or of a new set; after a switch, lets the old set go",
  access: "deploy",
  answer: serviceSchema,
});
