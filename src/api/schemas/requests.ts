// Bodies of requests other than a stack's specification. Unknown fields are refused.

import { z } from "@hono/zod-openapi";
import type { JoinRequest, NodePatch, RegistryRequest, ServicePatch, TokenRequest } from "../../core/model/views.ts";
import { policyPatchSchema } from "./spec.ts";

const optional = z.exactOptional;
const short = z.string().min(1).max(255);
const port = z.int().min(1).max(65_535);
const patchMap = z.record(z.string().max(1_024), z.union([z.string().max(131_072), z.null()]));
/** A private key of 16,384 bits is 13 KB. */
const pem = z.string().max(32_768);

export const joinRequestSchema: z.ZodType<JoinRequest> = z
  .strictObject({
    user: short,
    host: short,
    port,
    name: optional(short),
    labels: optional(z.record(z.string(), z.string())),
    identities: z.array(pem).max(20),
    agentSocket: optional(z.string().max(255)),
    identitiesOnly: optional(z.boolean()),
    jump: z.array(z.strictObject({ user: short, host: short, port })).max(8),
    knownHosts: z.array(z.string().max(32_768)).max(10_000),
    acceptNewHostKey: z.boolean(),
    sudoPassword: optional(z.string().max(1_024)),
  })
  .openapi("JoinRequest");

export const nodePatchSchema: z.ZodType<NodePatch> = z
  .strictObject({
    name: optional(z.string()),
    availability: optional(z.enum(["active", "pause", "drain"])),
    labels: optional(patchMap),
    address: optional(z.strictObject({ host: short, port })),
  })
  .openapi("NodePatch");

export const scaleSchema: z.ZodType<{ readonly replicas: number }> = z
  .strictObject({ replicas: z.number() })
  .openapi("Scale");

export const servicePatchSchema: z.ZodType<ServicePatch> = z
  .strictObject({
    force: optional(z.boolean()),
    image: optional(z.string().max(4_096)),
    replicas: optional(z.number()),
    command: optional(z.array(z.string().max(131_072)).max(1_000)),
    env: optional(patchMap),
    labels: optional(patchMap),
    update: optional(policyPatchSchema),
    rollback: optional(policyPatchSchema),
  })
  .openapi("ServicePatch");

export const rollbackSchema: z.ZodType<{ readonly to?: number }> = z
  .strictObject({ to: optional(z.int().min(1)) })
  .openapi("Rollback");

export const tokenRequestSchema: z.ZodType<TokenRequest> = z
  .strictObject({
    name: z.string(),
    role: z.enum(["admin", "deployer", "viewer"]),
    stack: optional(z.string()),
    expiresInSeconds: optional(z.number()),
  })
  .openapi("TokenRequest");

export const registryRequestSchema: z.ZodType<RegistryRequest> = z
  .strictObject({ username: short, password: z.string().min(1).max(65_536) })
  .openapi("RegistryRequest");
