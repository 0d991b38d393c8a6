// Shapes of rollouts and of the history of versions.

import { z } from "@hono/zod-openapi";
import { ROLLOUT_STATES } from "../../core/model/rollout.ts";
import type { RolloutDetailView, RolloutView, VersionHistoryView } from "../../core/model/rollout-views.ts";

const optional = z.exactOptional;
const text = z.string();
const whole = z.int();
const time = z.iso.datetime();
const state = z.enum(ROLLOUT_STATES);

export const rolloutSchema: z.ZodType<RolloutView> = z
  .object({
    service: text,
    serviceId: text,
    stack: optional(text),
    fromVersion: whole,
    toVersion: whole,
    strategy: z.enum(["rolling", "canary", "blue-green", "rollback"]),
    state,
    phase: state,
    isUnderWay: z.boolean(),
    waitsForPromotion: z.boolean(),
    message: text,
    progress: optional(z.object({ done: whole, of: whole })),
    startedAt: time,
    completedAt: optional(time),
    promotesAt: optional(time),
    keptUntil: optional(time),
  })
  .openapi("Rollout");

const versionSchema: z.ZodType<VersionHistoryView> = z.object({
  version: whole,
  isCurrent: z.boolean(),
  stable: z.boolean(),
  image: text,
  by: optional(text),
  reason: optional(text),
  createdAt: time,
  outcome: optional(z.object({ state, message: text, at: time })),
  comparedTo: optional(whole),
  changes: z.array(text),
});

export const rolloutDetailSchema: z.ZodType<RolloutDetailView> = z
  .object({
    service: text,
    serviceId: text,
    rollout: optional(rolloutSchema),
    versions: z.array(versionSchema),
  })
  .openapi("RolloutDetail");
