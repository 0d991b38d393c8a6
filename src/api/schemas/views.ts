// What the API answers, as schemas: for the OpenAPI document, and for the tests that hold every answer against it. Answers are not
// validated on the way out. The types are those of core/model/views.ts; a field missing here is a type error.

import type { RebalanceView } from "../../core/model/rebalance-views.ts";
import { z } from "@hono/zod-openapi";
import type { PeerCheckView } from "../../core/model/peer-check.ts";
import { TASK_STATES } from "../../core/model/records.ts";
import type { EndpointsView } from "../../core/model/endpoint-views.ts";
import { ROLLOUT_STATES } from "../../core/model/rollout.ts";
import type * as views from "../../core/model/views.ts";
import { amountsSchema, jobSpecSchema, labelsSchema, modeSchema, portSchema, serviceSpecSchema } from "./spec.ts";

const optional = z.exactOptional;
const time = z.iso.datetime();
const text = z.string();
const whole = z.int();

export const versionSchema: z.ZodType<views.VersionView> = z
  .object({ version: text, protocol: whole, clusterId: text, epoch: whole, revision: whole, addressPool: text })
  .openapi("Version");

export const healthSchema: z.ZodType<views.HealthView> = z
  .object({ status: z.literal("ok"), revision: whole })
  .openapi("Health");

export const problemSchema: z.ZodType<views.Problem> = z
  .object({
    type: text,
    title: text,
    status: whole,
    code: z.string() as unknown as z.ZodType<views.Problem["code"]>,
    detail: text,
    wayOut: optional(text),
    errors: optional(z.array(z.object({ where: optional(text), message: text, wayOut: optional(text) }))),
  })
  .openapi("Problem");

const availability = z.enum(["active", "pause", "drain"]);

export const peerCheckSchema: z.ZodType<PeerCheckView> = z
  .object({
    from: text,
    to: text,
    endpoint: text,
    verdict: z.enum(["good", "poor", "bad"]),
    problem: text,
    wayOut: text,
    latencyMs: optional(z.number()),
    loss: z.number(),
    mtu: whole,
    carriesFullPackets: z.boolean(),
    bitsPerSecond: optional(z.number()),
  })
  .openapi("PeerCheck");

export const nodeSchema: z.ZodType<views.NodeView> = z
  .object({
    id: text,
    index: whole,
    name: text,
    address: text,
    availability,
    drainUntil: optional(time),
    presence: z.enum(["ready", "silent", "lost", "joining", "confirmed dead"]),
    message: text,
    routesStale: z.boolean(),
    unseenSince: optional(time),
    labels: labelsSchema,
    engineLabels: labelsSchema,
    platform: z.object({ os: text, arch: text }),
    kernel: text,
    engineVersion: text,
    agentVersion: text,
    bootId: text,
    subnet: text,
    meshAddress: text,
    meshEndpoint: text,
    hostKeyFingerprint: text,
    agentKey: text,
    resources: amountsSchema,
    genericIds: optional(z.record(z.string(), z.array(z.string()))),
    reservedByTasks: amountsSchema,
    measured: optional(
      z.object({
        cpuFraction: z.number(),
        memoryUsedBytes: z.number(),
        diskFreeBytes: z.number(),
        diskTotalBytes: z.number(),
      }),
    ),
    tasks: whole,
    joinedAt: time,
  })
  .openapi("Node");

const hostPort = z.object({
  hostIp: optional(text),
  published: whole,
  target: whole,
  protocol: z.enum(["tcp", "udp"]),
});

export const endpointsSchema: z.ZodType<EndpointsView> = z
  .object({
    service: text,
    address: optional(text),
    ports: z.array(hostPort),
    endpoints: z.array(
      z.object({
        task: text,
        taskId: text,
        node: text,
        address: text,
        weight: whole,
        standing: z.enum(["in", "waiting", "out"]),
      }),
    ),
  })
  .openapi("Endpoints");

export const taskSchema: z.ZodType<views.TaskView> = z
  .object({
    id: text,
    name: text,
    serviceId: text,
    service: text,
    stack: optional(text),
    slot: whole,
    specVersion: whole,
    image: text,
    desired: z.enum(["running", "shutdown", "remove"]),
    desiredReason: text,
    state: z.enum(TASK_STATES),
    stateAt: time,
    attempt: whole,
    reason: text,
    healthy: optional(z.boolean()),
    exitCode: optional(whole),
    nodeId: optional(text),
    node: optional(text),
    unseenSince: optional(time),
    address: optional(text),
    hostPorts: z.array(hostPort),
    generic: optional(z.record(z.string(), z.array(z.string()))),
    volumes: z.array(text),
    weight: z.number(),
    containerId: optional(text),
    lastOutput: optional(text),
    probeAnswer: optional(text),
    createdAt: time,
  })
  .openapi("Task");

export const rebalanceSchema: z.ZodType<RebalanceView> = z
  .object({
    dryRun: z.boolean(),
    revision: whole,
    moves: z.array(
      z.object({
        service: text,
        serviceId: text,
        task: text,
        taskId: text,
        from: text,
        to: text,
        nodeId: text,
        why: text,
      }),
    ),
    stays: z.array(z.object({ service: text, reason: text })),
  })
  .openapi("Rebalance");

export const serviceExplainSchema: z.ZodType<views.ServiceExplainView> = z
  .object({
    service: text,
    serviceId: text,
    task: optional(text),
    summary: text,
    waiting: z.array(z.object({ reason: text, tasks: z.array(text) })),
    nodes: z.array(
      z.object({
        node: text,
        nodeId: text,
        takes: z.boolean(),
        reason: text,
        rank: optional(whole),
        scores: z.array(z.object({ name: text, value: z.number() })),
        tasks: whole,
      }),
    ),
  })
  .openapi("ServiceExplain");

const updateStatus = z.object({
  state: z.enum(["updating", "paused", "completed", "rollback_started", "rollback_paused", "rollback_completed"]),
  startedAt: time,
  completedAt: optional(time),
  message: text,
});

const serviceFields = {
  id: text,
  index: whole,
  name: text,
  stack: optional(text),
  image: text,
  mode: modeSchema,
  version: whole,
  previousVersion: optional(whole),
  desired: whole,
  running: whole,
  healthy: whole,
  address: optional(text),
  ports: z.array(portSchema),
  updateStatus: optional(updateStatus),
  rolloutState: optional(z.enum(ROLLOUT_STATES)),
  asleep: optional(z.literal(true)),
  waiting: z.array(text),
  createdAt: time,
  updatedAt: time,
};

export const serviceSchema: z.ZodType<views.ServiceView> = z.object(serviceFields).openapi("Service");

const versionOfService = z.object({
  version: whole,
  hash: text,
  templateHash: text,
  stable: z.boolean(),
  createdAt: time,
  spec: serviceSpecSchema,
});

export const serviceDetailSchema: z.ZodType<views.ServiceDetailView> = z
  .object({
    ...serviceFields,
    spec: serviceSpecSchema,
    versions: z.array(versionOfService),
    tasks: z.array(taskSchema),
  })
  .openapi("ServiceDetail");

const runSchema: z.ZodType<views.RunView> = z
  .object({
    number: whole,
    version: whole,
    cause: z.enum(["deployed", "scheduled", "requested", "after"]),
    state: z.enum(["running", "succeeded", "failed", "cancelled", "skipped"]),
    createdAt: time,
    endedAt: optional(time),
    tickAt: optional(time),
    missed: optional(whole),
    message: text,
    completed: whole,
    wanted: whole,
  })
  .openapi("Run");

const jobFields = {
  id: text,
  index: whole,
  name: text,
  stack: optional(text),
  image: text,
  mode: modeSchema,
  schedule: optional(z.object({ cron: text, timezone: text })),
  after: z.array(text),
  suspended: z.boolean(),
  nextRunAt: optional(time),
  lastRun: optional(runSchema),
  active: z.array(whole),
} as const;

export const jobSchema: z.ZodType<views.JobView> = z.object(jobFields).openapi("Job");

export const jobDetailSchema: z.ZodType<views.JobDetailView> = z
  .object({ ...jobFields, runs: z.array(runSchema), spec: jobSpecSchema })
  .openapi("JobDetail");

export const stackSchema: z.ZodType<views.StackView> = z
  .object({
    name: text,
    services: whole,
    desired: whole,
    healthy: whole,
    state: z.enum(["healthy", "converging", "waiting"]),
  })
  .openapi("Stack");

export const stackDetailSchema: z.ZodType<views.StackDetailView> = z
  .object({ stack: stackSchema, services: z.array(serviceSchema), tasks: z.array(taskSchema) })
  .openapi("StackDetail");

export const deploySchema: z.ZodType<views.DeployView> = z
  .object({
    stack: text,
    revision: whole,
    dryRun: z.boolean(),
    steps: z.array(
      z.object({
        kind: z.enum(["create", "update", "remove", "unchanged"]),
        subject: z.object({ kind: z.enum(["service", "volume", "network"]), name: text }),
        description: text,
        eventType: optional(text),
        replacesTasks: z.boolean(),
      }),
    ),
    warnings: z.array(text),
  })
  .openapi("Deploy");

const tokenFields = {
  id: text,
  name: text,
  role: z.enum(["admin", "deployer", "viewer"]),
  stack: optional(text),
  createdAt: time,
  expiresAt: time,
  revokedAt: optional(time),
  lastUsedAt: optional(time),
};
export const tokenSchema: z.ZodType<views.TokenView> = z.object(tokenFields).openapi("Token");
export const tokenCreatedSchema: z.ZodType<views.TokenCreated> = z
  .object({ ...tokenFields, token: text })
  .openapi("TokenCreated");

export const registrySchema: z.ZodType<views.RegistryView> = z
  .object({ host: text, username: text })
  .openapi("Registry");

export const volumeSchema: z.ZodType<views.VolumeView> = z
  .object({ id: text, name: text, stack: optional(text), driver: text, external: z.boolean(), nodes: z.array(text) })
  .openapi("Volume");

export const networkSchema: z.ZodType<views.NetworkView> = z
  .object({ id: text, name: text, stack: optional(text), driver: text, external: z.boolean() })
  .openapi("Network");

const subject = z.object({ kind: text, id: text, name: text });
export const eventSchema: z.ZodType<views.EventView> = z
  .object({
    seq: whole,
    revision: whole,
    at: time,
    type: text,
    subject,
    message: text,
    data: optional(z.record(text, z.union([text, z.number(), z.boolean()]))),
  })
  .openapi("Event");

export const auditSchema: z.ZodType<views.AuditView> = z
  .object({
    seq: whole,
    revision: whole,
    at: time,
    actor: text,
    action: text,
    subject: text,
    outcome: z.enum(["ok", "refused"]),
    message: text,
  })
  .openapi("AuditEntry");

export const progressSchema: z.ZodType<views.ProgressView> = z
  .object({
    service: text,
    serviceId: text,
    state: z.enum([
      "converging",
      "converged",
      "trial",
      "switched",
      "watching",
      "paused",
      "rolling_back",
      "rolled_back",
      "unplaceable",
      "removed",
      "removing",
    ]),
    done: z.boolean(),
    ok: z.boolean(),
    message: text,
    desired: whole,
    healthy: whole,
    updated: whole,
    tasks: z.array(taskSchema),
  })
  .openapi("Progress");
