// Bodies of requests other than a stack's specification. Unknown fields are refused.

import { z } from "@hono/zod-openapi";
import type { JoinRequest, NodePatch, RegistryRequest, ServicePatch, TokenRequest } from "../../core/model/views.ts";
import { policyPatchSchema } from "./spec.ts";

const optional = z.exactOptional;
const short = z.string().min(1).max(255);
const port = z.int().min(1).max(65_535);
const meshEndpoint = z.strictObject({ host: short, port: optional(port) });
const patchMap = z.record(z.string().max(1_024), z.union([z.string().max(131_072), z.null()]));
/** A week: who waits longer has forgotten it. */
const MAX_DRAIN_MS = 7 * 86_400_000;
/** A private key of 16,384 bits is 13 KB. */
const pem = z.string().max(32_768);

export const joinRequestSchema: z.ZodType<JoinRequest> = z
  .strictObject({
    user: short,
    host: short,
    port,
    name: optional(short),
    labels: optional(z.record(z.string(), z.string())),
    meshEndpoint: optional(meshEndpoint),
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
    drainDeadlineMs: optional(z.int().min(1).max(MAX_DRAIN_MS)),
    generic: optional(
      z.record(
        z.string().max(64),
        z.union([z.int().min(0).max(1_000_000), z.array(z.string().max(128)).max(1_000), z.null()]),
      ),
    ),
    labels: optional(patchMap),
    address: optional(z.strictObject({ host: short, port })),
    meshEndpoint: optional(z.union([meshEndpoint, z.null()])),
  })
  .openapi("NodePatch");

/** The moves that a user saw, so that nothing else is moved; absent: those of now. */
export const rebalanceRequestSchema: z.ZodType<{
  readonly moves?: readonly { readonly taskId: string; readonly nodeId: string }[];
}> = z
  .strictObject({ moves: optional(z.array(z.strictObject({ taskId: short, nodeId: short })).max(10_000)) })
  .openapi("RebalanceRequest");

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
