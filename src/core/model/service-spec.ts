// What a user asks for: the specification of one service, validated once at the edge (compose, api) and trusted after that.
// Durations are milliseconds, sizes bytes, CPUs a fraction of cores. Absent means "the engine's or davit's default". Pure.

import type { IngressSpec } from "./ingress.ts";
import type { ScaleSpec } from "./scale.ts";
import type { JobSpec } from "./job.ts";
import type { UpdatePolicy } from "./update-policy.ts";

export type Labels = Readonly<Record<string, string>>;

export type ServiceSpec = {
  /** Full name, unique in the cluster: `<stack>_<service>` in a stack. 1–63 characters of [a-z0-9_.-]. */
  readonly name: string;
  readonly stack?: string;
  /** Labels of the service itself; containers do not carry them. */
  readonly labels: Labels;
  readonly mode: ServiceMode;
  /** Set exactly when the mode is that of a job. */
  readonly job?: JobSpec;
  /** Services of its stack that come first when it starts or changes; absent: none. Tasks do not depend on it. */
  readonly dependsOn?: readonly Dependency[];
  /** All that a running task depends on: a change here replaces tasks, a change elsewhere does not. */
  readonly template: TaskTemplate;
  /** How it is reached; absent: as usual. */
  readonly reach?: ReachSpec;
  readonly update: UpdatePolicy;
  readonly rollback: UpdatePolicy;
  /** Hosts and paths that lead to it, by host, then path; absent for none. */
  readonly ingress?: readonly IngressSpec[];
  /** Silence of a lost node, in milliseconds, after which its tasks are replaced; absent: as soon as it is lost. */
  readonly replaceAfterMs?: number;
  /** Fewer tasks while nobody calls it; absent: always all. */
  readonly scale?: ScaleSpec;
};

export const DEPENDENCY_CONDITIONS = ["service_started", "service_healthy", "service_completed_successfully"] as const;
export type DependencyCondition = (typeof DEPENDENCY_CONDITIONS)[number];
export type Dependency = {
  /** Full name. */
  readonly service: string;
  readonly condition: DependencyCondition;
  /** Without it a service that fails, or is not there, holds nobody up. */
  readonly required: boolean;
  /** Tasks are made anew when that service's are. */
  readonly restart: boolean;
};

export type ServiceMode =
  | { readonly kind: "replicated"; readonly replicas: number }
  | { readonly kind: "global" }
  | { readonly kind: "replicated-job"; readonly completions: number; readonly concurrency: number }
  | { readonly kind: "global-job" };

/** Whether services of this mode end by themselves. */
export function isJobMode(mode: ServiceMode): boolean {
  return mode.kind === "replicated-job" || mode.kind === "global-job";
}

export type TaskTemplate = {
  readonly container: ContainerSpec;
  readonly resources: ResourceSpec;
  readonly placement: PlacementSpec;
  readonly restart: RestartPolicy;
  readonly health: HealthSpec;
  readonly ports: readonly PortSpec[];
  readonly networks: readonly NetworkAttachment[];
  /** How long a task without a health check must run to count as healthy. */
  readonly settleMs: number;
  /** `stop`: never two of a slot, so a node that nobody confirms stops its own. Refused at the edge until nodes have a fence. */
  readonly onLeaseLost: "keep" | "stop";
  /** Of `stop` only: for how long a node runs it without being confirmed; absent: DEFAULT_OWN_LEASE_MS. */
  readonly leaseMs?: number;
};

export type PullPolicy = "missing" | "always" | "never";

export type ContainerSpec = {
  readonly image: string;
  readonly pullPolicy: PullPolicy;
  /** Replaces the image's entrypoint. */
  readonly entrypoint?: readonly string[];
  /** Replaces the image's command. */
  readonly command?: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  readonly labels: Labels;
  readonly mounts: readonly Mount[];
  readonly stopGraceMs: number;
  readonly stopSignal?: string;
  readonly workingDir?: string;
  readonly user?: string;
  readonly groups?: readonly string[];
  readonly hostname?: string;
  readonly domainname?: string;
  readonly init?: boolean;
  readonly tty?: boolean;
  readonly openStdin?: boolean;
  readonly readOnly?: boolean;
  readonly logging?: { readonly driver: string; readonly options: Readonly<Record<string, string>> };
  /** `host`: the node's own network; `none`: only loopback. Absent: an address of its own on the node's bridge. */
  readonly networkMode?: "host" | "none";
  /** Run in the container one after the other once it has started; a failure fails the attempt. */
  readonly postStart?: readonly Hook[];
  /** Run in the container before it is stopped, within `stopGraceMs`; not when it ends by itself. */
  readonly preStop?: readonly Hook[];
  readonly runtime: RuntimeOptions;
};

/** A command run inside a task's container, beside its main process. At least once: an agent that dies in the middle runs it again. */
export type Hook = {
  readonly argv: readonly string[];
  readonly user?: string;
  readonly workingDir?: string;
  readonly privileged?: boolean;
  readonly env: Readonly<Record<string, string>>;
};

/** Options handed to the engine as they are. */
export type RuntimeOptions = {
  readonly capAdd?: readonly string[];
  readonly capDrop?: readonly string[];
  readonly privileged?: boolean;
  readonly securityOpt?: readonly string[];
  readonly sysctls?: Readonly<Record<string, string>>;
  readonly ulimits?: readonly { readonly name: string; readonly soft: number; readonly hard: number }[];
  readonly shmSizeBytes?: number;
  readonly devices?: readonly { readonly source: string; readonly target: string; readonly permissions: string }[];
  readonly extraHosts?: readonly string[];
  readonly dns?: readonly string[];
  readonly dnsSearch?: readonly string[];
  readonly dnsOptions?: readonly string[];
  readonly pidMode?: string;
  readonly ipcMode?: string;
  readonly utsMode?: string;
  readonly usernsMode?: string;
  readonly cgroupNamespace?: "host" | "private";
  readonly cgroupParent?: string;
  readonly oomScoreAdj?: number;
  readonly oomKillDisable?: boolean;
  readonly annotations?: Readonly<Record<string, string>>;
  readonly deviceCgroupRules?: readonly string[];
  readonly deviceRequests?: readonly DeviceRequest[];
  /** The low-level runtime, such as runc or nvidia. */
  readonly runtimeName?: string;
  readonly storageOptions?: Readonly<Record<string, string>>;
  readonly blkio?: BlockIoLimits;
  readonly cpuShares?: number;
  /** Microseconds. */
  readonly cpuPeriodUs?: number;
  readonly cpuQuotaUs?: number;
  readonly cpuRealtimePeriodUs?: number;
  readonly cpuRealtimeRuntimeUs?: number;
  /** CPUs to run on, such as 0-3 or 0,2. */
  readonly cpuset?: string;
  /** Memory and swap together; -1 means swap without limit. */
  readonly memorySwapBytes?: number;
  /** 0–100. */
  readonly memorySwappiness?: number;
};

/** Devices that a driver of the engine provides, GPUs above all. `count` -1 means all; `ids` instead of a count names them. */
export type DeviceRequest = {
  readonly driver?: string;
  readonly count?: number;
  readonly ids?: readonly string[];
  /** All of one inner list must be there. */
  readonly capabilities: readonly (readonly string[])[];
  readonly options: Readonly<Record<string, string>>;
};

export type DeviceRate = { readonly path: string; readonly rate: number };

/** Rates are bytes or operations a second for each device; weights 10–1000. */
export type BlockIoLimits = {
  readonly weight?: number;
  readonly weightDevices?: readonly { readonly path: string; readonly weight: number }[];
  readonly readBytes?: readonly DeviceRate[];
  readonly writeBytes?: readonly DeviceRate[];
  readonly readOperations?: readonly DeviceRate[];
  readonly writeOperations?: readonly DeviceRate[];
};

export type Mount = VolumeMount | BindMount | ConfigMount | TmpfsMount;

export type VolumeMount = {
  readonly kind: "volume";
  readonly volume: string;
  readonly target: string;
  readonly readOnly: boolean;
  /** A new volume is not filled with what the image has at the target. */
  readonly noCopy?: boolean;
  /** A directory inside the volume. */
  readonly subpath?: string;
};
export type BindMount = {
  readonly kind: "bind";
  /** Absolute path on the node. */
  readonly source: string;
  readonly target: string;
  readonly readOnly: boolean;
  /** A missing source is made, as an empty directory. */
  readonly createSource?: boolean;
  readonly propagation?: string;
};
/** A file whose contents travel with the stack, read-only in the container. */
export type ConfigMount = {
  readonly kind: "config";
  /** Id of the `ConfigFile`. */
  readonly config: string;
  /** What the file is called where it came from: for messages. */
  readonly name: string;
  readonly target: string;
  /** Permission bits; owner and group as numbers, 0 unless given. */
  readonly mode: number;
  readonly uid?: number;
  readonly gid?: number;
};
export type TmpfsMount = {
  readonly kind: "tmpfs";
  readonly target: string;
  readonly sizeBytes?: number;
  readonly mode?: number;
};

/** Contents of a config, kept once however often they are mounted. */
export type ConfigFile = {
  /** SHA-256 of the contents in hex. */
  readonly id: string;
  /** Base64 of the contents, of at most MAX_CONFIG_BYTES. */
  readonly data: string;
};

/** The largest config: what is larger belongs into an image or a volume. */
export const MAX_CONFIG_BYTES = 500 * 1024;
/** All configs of one stack together: they travel in one request and stand in one commit. */
export const MAX_STACK_CONFIG_BYTES = 8 * 1024 * 1024;

export type ResourceAmounts = {
  readonly cpus: number;
  readonly memoryBytes: number;
  readonly generic: Readonly<Record<string, number>>;
};

export type ResourceSpec = {
  /** 0 means no limit. */
  readonly limits: { readonly cpus: number; readonly memoryBytes: number; readonly pids: number };
  /** What scheduling counts; 0 means nothing reserved. */
  readonly reservations: ResourceAmounts;
};

export const CONSTRAINT_OPERATORS = ["==", "!=", "in", "notin", "exists", "!exists", "<", "<=", ">", ">="] as const;
export type ConstraintOperator = (typeof CONSTRAINT_OPERATORS)[number];
/**
 * `attribute` is one of node.id, node.hostname, node.role, node.platform.os, node.platform.arch, node.ip, node.labels.K, engine.labels.K.
 * `value` is a pattern for == and !=, patterns separated by ", " for in and notin, a decimal number for comparisons, else empty.
 */
export type Constraint = { readonly attribute: string; readonly operator: ConstraintOperator; readonly value: string };

/** Nodes with tasks of a service, by its full name. Required: nothing else will do; else preferred. */
export type Affinity = { readonly service: string; readonly required: boolean };

export const PLACEMENT_STRATEGIES = ["spread", "binpack"] as const;
/** Which of the nodes that can take a task is best: the emptiest, or the fullest that still has room. */
export type PlacementStrategy = (typeof PLACEMENT_STRATEGIES)[number];
export const MAX_PRIORITY = 1_000;

/** What is absent is not asked for. */
export type PlacementSpec = {
  readonly constraints: readonly Constraint[];
  /** Attributes to spread over, the widest first. */
  readonly spreadOver: readonly string[];
  /** 0 means no maximum. */
  readonly maxPerNode: number;
  /** `os/arch` texts of which one must match; empty means any. */
  readonly platforms: readonly string[];
  /** On nodes that have tasks of these services. */
  readonly affinity?: readonly Affinity[];
  /** On nodes that have no task of these services. */
  readonly antiAffinity?: readonly Affinity[];
  /** Full name of a replicated service: each slot goes where that service's slot of the same number is. */
  readonly with?: string;
  /** 0–MAX_PRIORITY; absent is 0. Services of higher priority are placed first. */
  readonly priority?: number;
  /** Its waiting tasks may end tasks of lower priority. */
  readonly preempt?: boolean;
  /** Absent is `spread`. */
  readonly strategy?: PlacementStrategy;
};

export type RestartPolicy = {
  readonly condition: "any" | "on-failure" | "none";
  /** The first wait; it doubles with each attempt up to RESTART_DELAY_MAX_MS. */
  readonly delayMs: number;
  /** Attempts after the first within `windowMs` before the task counts as exhausted; 0 means without end. */
  readonly maxAttempts: number;
  /** 0 means since the task was made. */
  readonly windowMs: number;
};

export type Probe =
  | { readonly kind: "image" }
  | { readonly kind: "none" }
  | { readonly kind: "command"; readonly argv: readonly string[] }
  | { readonly kind: "shell"; readonly command: string }
  | { readonly kind: "http"; readonly port: number; readonly path: string }
  | { readonly kind: "tcp"; readonly port: number };

/** `image` uses the image's own HEALTHCHECK if it has one, and no check otherwise. */
export type HealthSpec = {
  readonly probe: Probe;
  readonly intervalMs: number;
  readonly timeoutMs: number;
  /** Consecutive failures that make a task unhealthy. */
  readonly retries: number;
  /** Failures within it, before the first success, do not count. */
  readonly startPeriodMs: number;
  /** Interval until the first success. */
  readonly startIntervalMs: number;
};

export type PortProtocol = "tcp" | "udp";
export type PortSpec = {
  readonly target: number;
  /** Range of host ports; equal ends for a single one. The service has one of it on every node; with mode host each task one on its own. */
  readonly published: { readonly from: number; readonly to: number };
  readonly protocol: PortProtocol;
  /** `ingress`: every node answers, in the kernel. `host`: the engine binds it on the task's node. */
  readonly mode: "ingress" | "host";
  /** Host address to bind; absent means all. */
  readonly hostIp?: string;
  /** By which SRV records tell it, in lower case: "http" for `_http._tcp.web`. Absent: none. */
  readonly names?: readonly string[];
};

/** What is absent is as usual. A change of it replaces no task. */
export type ReachSpec = {
  /** No address of its own: its names lead to its tasks. */
  readonly endpointMode?: "dnsrr";
  /** One client always at the same task, as long as that one is there; else at random. */
  readonly balance?: "client";
  /** How long open connections may go on when a task of it is stopped by choice: 0–MAX_DRAIN_MS. */
  readonly drainMs?: number;
  /** Only these may call, and only these ports; absent: every member of its networks, every port. */
  readonly policy?: readonly AllowedCaller[];
};

/** Full name of a service that may call, and the ports inside that it may call. */
export type AllowedCaller = {
  readonly from: string;
  readonly ports: readonly { readonly port: number; readonly protocol: PortProtocol }[];
};

/** How long open connections may go on unless a service says otherwise. */
export const DEFAULT_DRAIN_MS = 30_000;
/** Nobody waits for the end of a task for longer. */
export const MAX_DRAIN_MS = 3_600_000;

export type NetworkAttachment = { readonly network: string; readonly aliases: readonly string[] };

/** A stack as the loader gives it and the API takes it. */
export type StackSpec = {
  readonly name: string;
  readonly services: readonly ServiceSpec[];
  readonly volumes: readonly VolumeSpec[];
  readonly networks: readonly NetworkSpec[];
  /** Contents of every config that the services mount; absent when there are none. */
  readonly configs?: readonly ConfigFile[];
};

export type VolumeSpec = {
  /** Full name in the cluster and on the engine: `<stack>_<volume>` unless named or external. */
  readonly name: string;
  readonly stack?: string;
  readonly driver: string;
  readonly driverOpts: Readonly<Record<string, string>>;
  readonly labels: Labels;
  /** Made by somebody else: davit uses it and never removes it. */
  readonly external: boolean;
};

export type NetworkSpec = {
  readonly name: string;
  readonly stack?: string;
  readonly driver: string;
  readonly driverOpts?: Readonly<Record<string, string>>;
  readonly internal: boolean;
  readonly labels: Labels;
  readonly external: boolean;
};

/** Whether a volume lives on one node's disk, so that its tasks must run there. NFS and the like can be mounted anywhere. */
export function isPinnedVolume(volume: {
  readonly driver: string;
  readonly driverOpts: Readonly<Record<string, string>>;
}): boolean {
  const type = volume.driverOpts["type"] ?? "";
  return volume.driver === "local" && !type.startsWith("nfs") && type !== "cifs";
}
