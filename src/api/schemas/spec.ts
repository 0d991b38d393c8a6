// The specification of a stack as the API takes it: the same shapes as core/model/service-spec.ts, checked at the edge. Unknown fields are
// refused by name, never dropped. What values mean is checked in core/commands.

import { z } from "@hono/zod-openapi";
import type { IngressSpec } from "../../core/model/ingress.ts";
import type { JobSpec } from "../../core/model/job.ts";
import {
  type BlockIoLimits,
  type ConfigFile,
  CONSTRAINT_OPERATORS,
  DEPENDENCY_CONDITIONS,
  type DeviceRequest,
  type Hook,
  type Labels,
  MAX_CONFIG_BYTES,
  type Mount,
  type NetworkSpec,
  PLACEMENT_STRATEGIES,
  type PortSpec,
  type Probe,
  type ReachSpec,
  type ResourceAmounts,
  type RuntimeOptions,
  type ServiceMode,
  type ServiceSpec,
  type StackSpec,
  type TaskTemplate,
  type VolumeSpec,
} from "../../core/model/service-spec.ts";
import type { Share, UpdatePolicy, UpdateStrategy } from "../../core/model/update-policy.ts";

/** Longest text of one field: an argument or a variable may hold a small file, not a large one. */
const MAX_TEXT = 131_072;
/** Items in one list or map of a specification. */
const MAX_ITEMS = 1_000;

const text = z.string().max(MAX_TEXT);
const texts = z.array(text).max(MAX_ITEMS);
const textMap = z.record(z.string().max(1_024), text);
const count = z.int().min(0);
const durationMs = z.number().min(0);
const bytes = z.number().min(0);
const optional = z.exactOptional;

export const labelsSchema: z.ZodType<Labels> = textMap;

export const modeSchema: z.ZodType<ServiceMode> = z
  .discriminatedUnion("kind", [
    z.strictObject({ kind: z.literal("replicated"), replicas: z.number() }),
    z.strictObject({ kind: z.literal("global") }),
    z.strictObject({ kind: z.literal("replicated-job"), completions: count, concurrency: count }),
    z.strictObject({ kind: z.literal("global-job") }),
  ])
  .openapi("ServiceMode");

const mountSchema: z.ZodType<Mount> = z.discriminatedUnion("kind", [
  z.strictObject({
    kind: z.literal("volume"),
    volume: text,
    target: text,
    readOnly: z.boolean(),
    noCopy: optional(z.boolean()),
    subpath: optional(text),
  }),
  z.strictObject({
    kind: z.literal("bind"),
    source: text,
    target: text,
    readOnly: z.boolean(),
    createSource: optional(z.boolean()),
    propagation: optional(text),
  }),
  z.strictObject({
    kind: z.literal("config"),
    config: text,
    name: text,
    target: text,
    mode: count,
    uid: optional(count),
    gid: optional(count),
  }),
  z.strictObject({ kind: z.literal("tmpfs"), target: text, sizeBytes: optional(bytes), mode: optional(count) }),
]);

const probeSchema: z.ZodType<Probe> = z.discriminatedUnion("kind", [
  z.strictObject({ kind: z.literal("image") }),
  z.strictObject({ kind: z.literal("none") }),
  z.strictObject({ kind: z.literal("command"), argv: texts }),
  z.strictObject({ kind: z.literal("shell"), command: text }),
  z.strictObject({ kind: z.literal("http"), port: count, path: text }),
  z.strictObject({ kind: z.literal("tcp"), port: count }),
]);

export const portSchema: z.ZodType<PortSpec> = z.strictObject({
  target: z.int(),
  published: z.strictObject({ from: z.int(), to: z.int() }),
  protocol: z.enum(["tcp", "udp"]),
  mode: z.enum(["ingress", "host"]),
  hostIp: optional(text),
  names: optional(z.array(text).max(MAX_ITEMS)),
});

export const amountsSchema: z.ZodType<ResourceAmounts> = z.strictObject({
  cpus: z.number().min(0),
  memoryBytes: bytes,
  generic: z.record(z.string(), z.number().min(0)),
});

const hookSchema: z.ZodType<Hook> = z.strictObject({
  argv: texts.min(1),
  user: optional(text),
  workingDir: optional(text),
  privileged: optional(z.boolean()),
  env: textMap,
});

const deviceRequestSchema: z.ZodType<DeviceRequest> = z.strictObject({
  driver: optional(text),
  count: optional(z.int().min(-1)),
  ids: optional(texts),
  capabilities: z.array(texts).max(MAX_ITEMS),
  options: textMap,
});

const weight = z.int().min(10).max(1_000);
const rates = z.array(z.strictObject({ path: text, rate: count })).max(MAX_ITEMS);

const blkioSchema: z.ZodType<BlockIoLimits> = z.strictObject({
  weight: optional(weight),
  weightDevices: optional(z.array(z.strictObject({ path: text, weight })).max(MAX_ITEMS)),
  readBytes: optional(rates),
  writeBytes: optional(rates),
  readOperations: optional(rates),
  writeOperations: optional(rates),
});

const runtimeSchema: z.ZodType<RuntimeOptions> = z.strictObject({
  capAdd: optional(texts),
  capDrop: optional(texts),
  privileged: optional(z.boolean()),
  securityOpt: optional(texts),
  sysctls: optional(textMap),
  ulimits: optional(z.array(z.strictObject({ name: text, soft: z.number(), hard: z.number() })).max(MAX_ITEMS)),
  shmSizeBytes: optional(bytes),
  devices: optional(z.array(z.strictObject({ source: text, target: text, permissions: text })).max(MAX_ITEMS)),
  extraHosts: optional(texts),
  dns: optional(texts),
  dnsSearch: optional(texts),
  dnsOptions: optional(texts),
  pidMode: optional(text),
  ipcMode: optional(text),
  utsMode: optional(text),
  usernsMode: optional(text),
  cgroupNamespace: optional(z.enum(["host", "private"])),
  cgroupParent: optional(text),
  oomScoreAdj: optional(z.int().min(-1_000).max(1_000)),
  oomKillDisable: optional(z.boolean()),
  annotations: optional(textMap),
  deviceCgroupRules: optional(texts),
  deviceRequests: optional(z.array(deviceRequestSchema).max(MAX_ITEMS)),
  runtimeName: optional(text),
  storageOptions: optional(textMap),
  blkio: optional(blkioSchema),
  cpuShares: optional(count),
  cpuPeriodUs: optional(count),
  cpuQuotaUs: optional(z.int()),
  cpuRealtimePeriodUs: optional(count),
  cpuRealtimeRuntimeUs: optional(count),
  cpuset: optional(text),
  memorySwapBytes: optional(z.int().min(-1)),
  memorySwappiness: optional(count.max(100)),
});

const containerSchema = z.strictObject({
  image: text,
  pullPolicy: z.enum(["missing", "always", "never"]),
  entrypoint: optional(texts),
  command: optional(texts),
  env: textMap,
  labels: labelsSchema,
  mounts: z.array(mountSchema).max(MAX_ITEMS),
  stopGraceMs: durationMs,
  stopSignal: optional(text),
  workingDir: optional(text),
  user: optional(text),
  groups: optional(texts),
  hostname: optional(text),
  domainname: optional(text),
  init: optional(z.boolean()),
  tty: optional(z.boolean()),
  openStdin: optional(z.boolean()),
  readOnly: optional(z.boolean()),
  logging: optional(z.strictObject({ driver: text, options: textMap })),
  networkMode: optional(z.enum(["host", "none"])),
  postStart: optional(z.array(hookSchema).max(MAX_ITEMS)),
  preStop: optional(z.array(hookSchema).max(MAX_ITEMS)),
  runtime: runtimeSchema,
});

const affinities = z.array(z.strictObject({ service: text, required: z.boolean() })).max(MAX_ITEMS);

const templateSchema: z.ZodType<TaskTemplate> = z.strictObject({
  container: containerSchema,
  resources: z.strictObject({
    limits: z.strictObject({ cpus: z.number().min(0), memoryBytes: bytes, pids: count }),
    reservations: amountsSchema,
  }),
  placement: z.strictObject({
    constraints: z
      .array(z.strictObject({ attribute: text, operator: z.enum(CONSTRAINT_OPERATORS), value: text }))
      .max(MAX_ITEMS),
    spreadOver: texts,
    maxPerNode: count,
    platforms: texts,
    affinity: optional(affinities),
    antiAffinity: optional(affinities),
    with: optional(text),
    priority: optional(count),
    preempt: optional(z.boolean()),
    strategy: optional(z.enum(PLACEMENT_STRATEGIES)),
  }),
  restart: z.strictObject({
    condition: z.enum(["any", "on-failure", "none"]),
    delayMs: durationMs,
    maxAttempts: count,
    windowMs: durationMs,
  }),
  health: z.strictObject({
    probe: probeSchema,
    intervalMs: durationMs,
    timeoutMs: durationMs,
    retries: count,
    startPeriodMs: durationMs,
    startIntervalMs: durationMs,
  }),
  ports: z.array(portSchema).max(MAX_ITEMS),
  networks: z.array(z.strictObject({ network: text, aliases: texts })).max(MAX_ITEMS),
  settleMs: durationMs,
  onLeaseLost: z.enum(["keep", "stop"]),
  leaseMs: optional(durationMs),
});

const shareSchema: z.ZodType<Share> = z.union([
  z.strictObject({ tasks: z.number() }),
  z.strictObject({ percent: z.number() }),
]);

const strategySchema: z.ZodType<UpdateStrategy> = z.discriminatedUnion("kind", [
  z.strictObject({
    kind: z.literal("canary"),
    canaries: shareSchema,
    holdMs: optional(durationMs),
    weight: z.number(),
  }),
  z.strictObject({ kind: z.literal("blue-green"), holdMs: optional(durationMs), keepMs: durationMs }),
]);

const policyFields = {
  parallelism: z.number(),
  delayMs: z.number(),
  order: z.enum(["start-first", "stop-first"]),
  failureAction: z.enum(["pause", "continue", "rollback"]),
  maxFailureRatio: z.number(),
  monitorMs: z.number(),
} as const;
const policyExtras = {
  parallelismPercent: optional(z.number()),
  strategy: optional(strategySchema),
  progressDeadlineMs: optional(z.number()),
} as const;

export const policySchema: z.ZodType<UpdatePolicy> = z
  .strictObject({ ...policyFields, ...policyExtras })
  .openapi("UpdatePolicy");

export const policyPatchSchema: z.ZodType<Partial<UpdatePolicy>> = z.strictObject({
  parallelism: optional(policyFields.parallelism),
  delayMs: optional(policyFields.delayMs),
  order: optional(policyFields.order),
  failureAction: optional(policyFields.failureAction),
  maxFailureRatio: optional(policyFields.maxFailureRatio),
  monitorMs: optional(policyFields.monitorMs),
  ...policyExtras,
});

export const jobSpecSchema: z.ZodType<JobSpec> = z.strictObject({
  schedule: optional(z.strictObject({ cron: text, timezone: text })),
  after: texts,
  overlap: z.enum(["forbid", "allow", "replace"]),
  startingDeadlineMs: durationMs,
  timeoutMs: durationMs,
  keptRuns: count,
});

const reachSchema: z.ZodType<ReachSpec> = z.strictObject({
  endpointMode: optional(z.literal("dnsrr")),
  balance: optional(z.literal("client")),
  drainMs: optional(durationMs),
  policy: optional(
    z
      .array(
        z.strictObject({
          from: text,
          ports: z.array(z.strictObject({ port: count, protocol: z.enum(["tcp", "udp"]) })).max(MAX_ITEMS),
        }),
      )
      .max(MAX_ITEMS),
  ),
});

const ingressSchema: z.ZodType<IngressSpec> = z.strictObject({
  host: text,
  path: text,
  port: z.int(),
  tls: z.union([z.enum(["auto", "internal", "off"]), z.strictObject({ certificate: text })]),
  plainHttp: optional(z.boolean()),
  protocol: optional(z.enum(["h2c", "tcp"])),
  sticky: optional(z.boolean()),
  stripPath: optional(z.boolean()),
  responseTimeoutMs: optional(durationMs),
  tunnelTimeoutMs: optional(durationMs),
  maxBodyBytes: optional(bytes),
  users: optional(z.array(z.strictObject({ name: text, hash: text })).max(MAX_ITEMS)),
  requestHeaders: optional(textMap),
  responseHeaders: optional(textMap),
  rateLimit: optional(z.strictObject({ requests: count, perMs: durationMs })),
  allow: optional(texts),
  deny: optional(texts),
  maintenancePage: optional(text),
  errorPages: optional(textMap),
  accessLog: optional(z.boolean()),
});

export const serviceSpecSchema: z.ZodType<ServiceSpec> = z
  .strictObject({
    name: text,
    stack: optional(text),
    labels: labelsSchema,
    mode: modeSchema,
    job: optional(jobSpecSchema),
    dependsOn: optional(
      z
        .array(
          z.strictObject({
            service: text,
            condition: z.enum(DEPENDENCY_CONDITIONS),
            required: z.boolean(),
            restart: z.boolean(),
          }),
        )
        .max(MAX_ITEMS),
    ),
    template: templateSchema,
    reach: optional(reachSchema),
    update: policySchema,
    rollback: policySchema,
    ingress: optional(z.array(ingressSchema).max(MAX_ITEMS)),
    replaceAfterMs: optional(durationMs),
    scale: optional(z.strictObject({ min: count, idleMs: count, ports: z.array(count).max(MAX_ITEMS) })),
  })
  .openapi("ServiceSpec");

const volumeSpecSchema: z.ZodType<VolumeSpec> = z.strictObject({
  name: text,
  stack: optional(text),
  driver: text,
  driverOpts: textMap,
  labels: labelsSchema,
  external: z.boolean(),
});

const networkSpecSchema: z.ZodType<NetworkSpec> = z.strictObject({
  name: text,
  stack: optional(text),
  driver: text,
  driverOpts: optional(textMap),
  internal: z.boolean(),
  labels: labelsSchema,
  external: z.boolean(),
});

const configFileSchema: z.ZodType<ConfigFile> = z.strictObject({
  id: z.string().length(64),
  data: z.string().max(Math.ceil(MAX_CONFIG_BYTES / 3) * 4),
});

export const stackSpecSchema: z.ZodType<StackSpec> = z
  .strictObject({
    name: text,
    services: z.array(serviceSpecSchema).max(MAX_ITEMS),
    volumes: z.array(volumeSpecSchema).max(MAX_ITEMS),
    networks: z.array(networkSpecSchema).max(MAX_ITEMS),
    configs: optional(z.array(configFileSchema).max(MAX_ITEMS)),
  })
  .openapi("StackSpec");
