// A stack in which every field of the model is set to something that is not what it would be anyway. Its type makes a field that is added
// to the model, and not here, a fault of the types.

import type {
  ContainerSpec,
  HealthSpec,
  NetworkSpec,
  PlacementSpec,
  ResourceSpec,
  RestartPolicy,
  RuntimeOptions,
  ServiceSpec,
  VolumeSpec,
} from "../../src/core/model/service-spec.ts";
import type { UpdatePolicy } from "../../src/core/model/update-policy.ts";
import { type ExportOptions } from "../../src/kubernetes/manifest.ts";
import { type Complete, FULL_ROUTE } from "../fakes/full-route.ts";

export const OPTIONS: ExportOptions = {
  publish: "load-balancer",
  ingress: [],
  secretEnv: [],
  volumeSize: "1Gi",
  networkPolicies: false,
  imagePullSecrets: [],
  exposed: {},
};

const RUNTIME: Complete<RuntimeOptions> = {
  capAdd: ["NET_ADMIN"],
  capDrop: ["MKNOD"],
  privileged: false,
  securityOpt: ["apparmor=app", "no-new-privileges:true"],
  sysctls: { "net.core.somaxconn": "1024" },
  ulimits: [{ name: "nofile", soft: 1024, hard: 2048 }],
  shmSizeBytes: 67_108_864,
  devices: [{ source: "/dev/fuse", target: "/dev/fuse", permissions: "rwm" }],
  extraHosts: ["db.example.org:10.0.0.7"],
  dns: ["10.0.0.53"],
  dnsSearch: ["example.org"],
  dnsOptions: ["ndots:2"],
  pidMode: "host",
  ipcMode: "host",
  utsMode: "host",
  usernsMode: "host",
  cgroupNamespace: "host",
  cgroupParent: "/tenants",
  oomScoreAdj: 200,
  oomKillDisable: true,
  annotations: { "example.org/team": "blue" },
  deviceCgroupRules: ["c 1:3 rwm"],
  deviceRequests: [
    { driver: "nvidia", count: 2, ids: [], capabilities: [["gpu", "utility"]], options: { visible: "all" } },
    { driver: "nvidia", count: -1, ids: ["GPU-1"], capabilities: [["gpu"]], options: {} },
  ],
  runtimeName: "gvisor",
  storageOptions: { size: "20g" },
  blkio: {
    weight: 300,
    weightDevices: [{ path: "/dev/sda", weight: 200 }],
    readBytes: [{ path: "/dev/sda", rate: 1_000_000 }],
    writeBytes: [{ path: "/dev/sda", rate: 1_000_000 }],
    readOperations: [{ path: "/dev/sda", rate: 100 }],
    writeOperations: [{ path: "/dev/sda", rate: 100 }],
  },
  cpuShares: 512,
  cpuPeriodUs: 50_000,
  cpuQuotaUs: 25_000,
  cpuRealtimePeriodUs: 1_000_000,
  cpuRealtimeRuntimeUs: 950_000,
  cpuset: "0-1",
  memorySwapBytes: -1,
  memorySwappiness: 10,
};

const HOOK = { argv: ["run"], user: "root", workingDir: "/srv", privileged: true, env: { PHASE: "one" } } as const;

const CONTAINER: Complete<ContainerSpec> = {
  image: "registry.example.org/app:1",
  pullPolicy: "always",
  entrypoint: ["/app"],
  command: ["serve"],
  env: { MODE: "production" },
  labels: { "org.example.role": "front" },
  mounts: [
    { kind: "volume", volume: "full_data", target: "/data", readOnly: false, noCopy: false, subpath: "app" },
    { kind: "volume", volume: "full_share", target: "/share", readOnly: false, noCopy: false, subpath: "app" },
    { kind: "volume", volume: "full_other", target: "/other", readOnly: false, noCopy: false, subpath: "app" },
    { kind: "bind", source: "/srv/in", target: "/in", readOnly: true, createSource: true, propagation: "rslave" },
    {
      kind: "config",
      config: "0123456789abcdef",
      name: "app.conf",
      target: "/etc/app.conf",
      mode: 0o440,
      uid: 7,
      gid: 7,
    },
    { kind: "tmpfs", target: "/run", sizeBytes: 1_048_576, mode: 0o700 },
  ],
  stopGraceMs: 25_000,
  stopSignal: "SIGQUIT",
  workingDir: "/app",
  user: "1000:1000",
  groups: ["2000"],
  hostname: "front",
  domainname: "example.org",
  init: true,
  tty: true,
  openStdin: true,
  readOnly: true,
  logging: { driver: "syslog", options: { tag: "app" } },
  networkMode: "none",
  postStart: [HOOK],
  preStop: [HOOK],
  runtime: RUNTIME,
};

const RESOURCES: Complete<ResourceSpec> = {
  limits: { cpus: 2, memoryBytes: 536_870_912, pids: 100 },
  reservations: { cpus: 1, memoryBytes: 268_435_456, generic: { "example.org/fpga": 1 } },
};

const PLACEMENT: Complete<PlacementSpec> = {
  constraints: [{ attribute: "node.labels.disk", operator: "==", value: "ssd" }],
  spreadOver: ["node.labels.zone"],
  maxPerNode: 2,
  platforms: ["linux/amd64"],
  affinity: [{ service: "full_app", required: true }],
  antiAffinity: [{ service: "noisy_batch", required: false }],
  with: "full_app",
  priority: 7,
  preempt: true,
  strategy: "binpack",
};

const HEALTH: Complete<HealthSpec> = {
  probe: { kind: "http", port: 8080, path: "/healthz" },
  intervalMs: 7_000,
  timeoutMs: 2_000,
  retries: 4,
  startPeriodMs: 20_000,
  startIntervalMs: 2_000,
};

const RESTART: Complete<RestartPolicy> = { condition: "on-failure", delayMs: 3_000, maxAttempts: 4, windowMs: 60_000 };

const UPDATE: Complete<UpdatePolicy> = {
  parallelism: 2,
  parallelismPercent: 40,
  strategy: { kind: "canary", canaries: { percent: 20 }, holdMs: 300_000, weight: 5 },
  progressDeadlineMs: 900_000,
  delayMs: 10_000,
  order: "start-first",
  failureAction: "rollback",
  maxFailureRatio: 0.2,
  monitorMs: 30_000,
};

const SERVICE: Complete<ServiceSpec> = {
  scale: { min: 1, idleMs: 300_000, ports: [8080] },
  name: "full_app",
  stack: "full",
  labels: { "org.example.tier": "web" },
  mode: { kind: "replicated", replicas: 3 },
  job: {
    schedule: { cron: "30 4 * * 1-5", timezone: "Europe/Vienna" },
    after: ["full_prepare"],
    overlap: "forbid",
    startingDeadlineMs: 600_000,
    timeoutMs: 3_600_000,
    keptRuns: 5,
  },
  dependsOn: [{ service: "full_prepare", condition: "service_healthy", required: false, restart: true }],
  reach: {
    endpointMode: "dnsrr",
    balance: "client",
    drainMs: 5_000,
    policy: [{ from: "full_caller", ports: [{ port: 8080, protocol: "tcp" }] }],
  },
  template: {
    container: CONTAINER,
    resources: RESOURCES,
    placement: PLACEMENT,
    restart: RESTART,
    health: HEALTH,
    ports: [
      {
        target: 8080,
        published: { from: 9000, to: 9000 },
        protocol: "tcp",
        mode: "ingress",
        hostIp: "10.0.0.1",
        names: ["web"],
      },
    ],
    networks: [{ network: "full_front", aliases: ["www"] }],
    settleMs: 4_000,
    onLeaseLost: "stop",
    leaseMs: 30_000,
  },
  update: UPDATE,
  rollback: {
    ...UPDATE,
    parallelism: 3,
    delayMs: 20_000,
    order: "stop-first",
    failureAction: "pause",
    maxFailureRatio: 0.3,
    monitorMs: 40_000,
  },
  ingress: [FULL_ROUTE],
  replaceAfterMs: 90_000,
};

const VOLUMES: readonly Complete<VolumeSpec>[] = [
  {
    name: "full_data",
    stack: "full",
    driver: "local",
    driverOpts: {},
    labels: { "org.example.keep": "yes" },
    external: false,
  },
  {
    name: "full_share",
    stack: "full",
    driver: "local",
    driverOpts: { type: "nfs", o: "addr=10.0.0.9,hard", device: ":/export" },
    labels: {},
    external: false,
  },
  { name: "full_other", stack: "full", driver: "rexray", driverOpts: {}, labels: {}, external: true },
];

const NETWORKS: readonly Complete<NetworkSpec>[] = [
  {
    name: "full_front",
    stack: "full",
    driver: "macvlan",
    driverOpts: { parent: "eth0" },
    internal: true,
    labels: { "org.example.zone": "dmz" },
    external: true,
  },
];

export const FULL = {
  name: "full",
  services: [SERVICE] as const,
  volumes: VOLUMES,
  networks: NETWORKS,
  configs: [{ id: "0123456789abcdef", data: btoa("listen 8080\n") }],
};
