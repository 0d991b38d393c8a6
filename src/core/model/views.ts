// What the API answers and the command line shows: plain JSON shapes, shared by api (which makes them), client and cli (which read them).
// Times are ISO 8601 texts in views. Pure types.

import type { MeshEndpoint } from "./mesh-endpoint.ts";
import type { ErrorCode, ErrorDetail } from "./errors.ts";
import type { JobSchedule, JobSpec, RunCause, RunState } from "./job.ts";
import type { AuditEntry, Availability, DavitEvent, DesiredState, HostPort, Role, TaskState } from "./records.ts";
import type { RolloutState, UpdateStatus } from "./rollout.ts";
import type { Labels, PortSpec, ResourceAmounts, ServiceMode, ServiceSpec } from "./service-spec.ts";
import type { UpdatePolicy } from "./update-policy.ts";
import type { Presence } from "./world.ts";

export type VersionView = {
  readonly version: string;
  readonly protocol: number;
  readonly clusterId: string;
  readonly epoch: number;
  readonly revision: number;
  readonly addressPool: string;
};

export type NodeView = {
  readonly id: string;
  readonly index: number;
  readonly name: string;
  readonly address: string;
  readonly availability: Availability;
  /** Of a draining node: when what is still there ends. */
  readonly drainUntil?: string;
  readonly presence: Presence | "joining" | "confirmed dead";
  /** A sentence when something is wrong: not in contact, what was tried and what it said; else what is wrong with its network. */
  readonly message: string;
  /** It has had routes for longer than a stop by choice waits, and did not apply them. */
  readonly routesStale: boolean;
  readonly unseenSince?: string;
  readonly labels: Labels;
  readonly engineLabels: Labels;
  readonly platform: { readonly os: string; readonly arch: string };
  readonly kernel: string;
  readonly engineVersion: string;
  readonly agentVersion: string;
  readonly bootId: string;
  readonly subnet: string;
  /** Its own address on the mesh. */
  readonly meshAddress: string;
  /** Where other nodes reach its mesh: "203.0.113.7:51820". */
  readonly meshEndpoint: string;
  readonly hostKeyFingerprint: string;
  readonly agentKey: string;
  readonly resources: ResourceAmounts;
  readonly reservedByTasks: ResourceAmounts;
  /** Ids of named resources, where a user gave them. */
  readonly genericIds?: Readonly<Record<string, readonly string[]>>;
  readonly measured?: {
    readonly cpuFraction: number;
    readonly memoryUsedBytes: number;
    readonly diskFreeBytes: number;
    readonly diskTotalBytes: number;
  };
  readonly tasks: number;
  readonly joinedAt: string;
};

export type TaskView = {
  readonly id: string;
  /** `web.1`, or `api.<node>` for global services. */
  readonly name: string;
  readonly serviceId: string;
  readonly service: string;
  readonly stack?: string;
  readonly slot: number;
  readonly specVersion: number;
  readonly image: string;
  readonly desired: DesiredState;
  readonly desiredReason: string;
  readonly state: TaskState;
  readonly stateAt: string;
  readonly attempt: number;
  /** Why it is not simply running: the wait, the failure, the loss of its node. */
  readonly reason: string;
  readonly healthy?: boolean;
  readonly exitCode?: number;
  readonly nodeId?: string;
  readonly node?: string;
  /** The node has not been seen since: what the state says may be old. */
  readonly unseenSince?: string;
  readonly address?: string;
  readonly hostPorts: readonly HostPort[];
  /** Ids of named resources that it alone holds on its node. */
  readonly generic?: Readonly<Record<string, readonly string[]>>;
  readonly volumes: readonly string[];
  readonly weight: number;
  readonly containerId?: string;
  readonly lastOutput?: string;
  readonly probeAnswer?: string;
  readonly createdAt: string;
};

export type ServiceView = {
  readonly id: string;
  readonly index: number;
  readonly name: string;
  readonly stack?: string;
  readonly image: string;
  readonly mode: ServiceMode;
  readonly version: number;
  readonly previousVersion?: number;
  readonly desired: number;
  readonly running: number;
  readonly healthy: number;
  /** Its virtual address. */
  readonly address?: string;
  readonly ports: readonly PortSpec[];
  readonly updateStatus?: UpdateStatusView;
  readonly rolloutState?: RolloutState;
  /** Nobody called it for so long that it has fewer tasks. */
  readonly asleep?: true;
  /** Reasons of tasks without a node, by frequency. */
  readonly waiting: readonly string[];
  readonly createdAt: string;
  readonly updatedAt: string;
};
export type UpdateStatusView = {
  readonly state: UpdateStatus["state"];
  readonly startedAt: string;
  readonly completedAt?: string;
  readonly message: string;
};
export type ServiceVersionView = {
  readonly version: number;
  readonly hash: string;
  readonly templateHash: string;
  readonly stable: boolean;
  readonly createdAt: string;
  readonly spec: ServiceSpec;
};
export type ServiceDetailView = ServiceView & {
  readonly spec: ServiceSpec;
  readonly versions: readonly ServiceVersionView[];
  readonly tasks: readonly TaskView[];
};

/** For each node why a task of the service would go there or not. */
export type ServiceExplainView = {
  readonly service: string;
  readonly serviceId: string;
  /** The task that waits and that the answer is about; absent: one more task of the service. */
  readonly task?: string;
  /** One sentence: where it would go, or why nowhere. */
  readonly summary: string;
  /** Why tasks wait, the most frequent reason first, with their names. */
  readonly waiting: readonly { readonly reason: string; readonly tasks: readonly string[] }[];
  /** Takers by rank, then the others by name. */
  readonly nodes: readonly NodeExplainView[];
};
export type NodeExplainView = {
  readonly node: string;
  readonly nodeId: string;
  readonly takes: boolean;
  /** What the node lacks; empty if it would take the task. */
  readonly reason: string;
  /** Takers are numbered from 1, the best first. */
  readonly rank?: number;
  /** What ranks the takers, the weightiest first: less is better. */
  readonly scores: readonly { readonly name: string; readonly value: number }[];
  /** Tasks of the service that are to run there. */
  readonly tasks: number;
};
/** A service that ends, with where its runs stand. */
export type JobView = {
  readonly id: string;
  readonly index: number;
  readonly name: string;
  readonly stack?: string;
  readonly image: string;
  readonly mode: ServiceMode;
  readonly schedule?: JobSchedule;
  /** Full names of the jobs that it runs after. */
  readonly after: readonly string[];
  readonly suspended: boolean;
  readonly nextRunAt?: string;
  readonly lastRun?: RunView;
  /** Numbers of the runs under way. */
  readonly active: readonly number[];
};
export type RunView = {
  readonly number: number;
  readonly version: number;
  readonly cause: RunCause;
  readonly state: RunState;
  readonly createdAt: string;
  readonly endedAt?: string;
  /** The time of its schedule, and how many earlier ones it stands for. */
  readonly tickAt?: string;
  readonly missed?: number;
  readonly message: string;
  /** Tasks that completed, and how many are to. */
  readonly completed: number;
  readonly wanted: number;
};
export type JobDetailView = JobView & {
  /** Kept runs, the newest first. */
  readonly runs: readonly RunView[];
  readonly spec: JobSpec;
};

export type StackView = {
  readonly name: string;
  readonly services: number;
  readonly desired: number;
  readonly healthy: number;
  readonly state: "healthy" | "converging" | "waiting";
};

/** One step of a deploy, in words and as data. A dry run lists exactly what the deploy will emit as events. */
export type DeployStepView = {
  readonly kind: "create" | "update" | "remove" | "unchanged";
  readonly subject: { readonly kind: "service" | "volume" | "network"; readonly name: string };
  /** "image web:v1 → web:v2, replicas 2 → 3" */
  readonly description: string;
  /** The type of the event that it emits; absent for unchanged. */
  readonly eventType?: string;
  readonly replacesTasks: boolean;
};
export type DeployView = {
  readonly stack: string;
  readonly revision: number;
  readonly dryRun: boolean;
  readonly steps: readonly DeployStepView[];
  readonly warnings: readonly string[];
};

/** How far a service is; `done` ends a waiting command. */
export type ProgressView = {
  readonly service: string;
  readonly serviceId: string;
  readonly state:
    | "converging"
    | "converged"
    /** New tasks run beside the old ones, and wait to be promoted. */
    | "trial"
    /** The new set serves; the old one is kept for a way back. */
    | "switched"
    | "watching"
    | "paused"
    | "rolling_back"
    | "rolled_back"
    | "unplaceable"
    | "removed"
    | "removing";
  readonly done: boolean;
  readonly ok: boolean;
  /** What it waits for, or why it failed; never empty while not done. */
  readonly message: string;
  readonly desired: number;
  readonly healthy: number;
  readonly updated: number;
  readonly tasks: readonly TaskView[];
};

export type JoinRequest = {
  /** Already resolved from ~/.ssh/config by the caller. */
  readonly user: string;
  readonly host: string;
  readonly port: number;
  readonly name?: string;
  readonly labels?: Labels;
  /** Where other nodes reach its mesh; absent: at its address. */
  readonly meshEndpoint?: MeshEndpoint;
  /** PEM texts of private keys, decrypted; used for the join, kept nowhere. */
  readonly identities: readonly string[];
  /** Path of an ssh-agent's socket on the coordinator's machine. */
  readonly agentSocket?: string;
  readonly identitiesOnly?: boolean;
  readonly jump: readonly { readonly user: string; readonly host: string; readonly port: number }[];
  /** OpenSSH known-hosts lines that the caller already trusts for host and hops. */
  readonly knownHosts: readonly string[];
  /** Accept an unknown host key (it is shown and pinned); a changed key is always refused. */
  readonly acceptNewHostKey: boolean;
  readonly sudoPassword?: string;
};
export type JoinProgress = {
  readonly step: string;
  readonly state: "started" | "done" | "skipped" | "failed";
  readonly message: string;
  readonly elapsedMs: number;
};
export type JoinResult = { readonly node: NodeView } | { readonly problem: Problem };

export type TokenView = {
  readonly id: string;
  readonly name: string;
  readonly role: Role;
  readonly stack?: string;
  readonly createdAt: string;
  readonly expiresAt: string;
  readonly revokedAt?: string;
  readonly lastUsedAt?: string;
};
export type TokenCreated = TokenView & { readonly token: string };
export type RegistryView = { readonly host: string; readonly username: string };
export type VolumeView = {
  readonly id: string;
  readonly name: string;
  readonly stack?: string;
  readonly driver: string;
  readonly external: boolean;
  readonly nodes: readonly string[];
};
export type NetworkView = {
  readonly id: string;
  readonly name: string;
  readonly stack?: string;
  readonly driver: string;
  readonly external: boolean;
};
export type EventView = Omit<DavitEvent, "atMs"> & { readonly at: string };

/** RFC 9457 problem+json. */
export type Problem = {
  readonly type: string;
  readonly title: string;
  readonly status: number;
  readonly code: ErrorCode;
  readonly detail: string;
  readonly wayOut?: string;
  readonly errors?: readonly ErrorDetail[];
};

export type LogLine = {
  readonly task: string;
  readonly node: string;
  readonly stream: "stdout" | "stderr";
  readonly at: string;
  readonly text: string;
};

/** How much is in order: for load balancers and scripts. */
export type HealthView = { readonly status: "ok"; readonly revision: number };
/** What can be changed on a node. A label with the value null is removed. */
export type NodePatch = {
  readonly name?: string;
  readonly availability?: Availability;
  /** With availability `drain`: after so many milliseconds what is still there ends, whether or not it runs elsewhere. */
  readonly drainDeadlineMs?: number;
  /** How many of named resources the node has, or which by their ids; null takes one away. */
  readonly generic?: Readonly<Record<string, number | readonly string[] | null>>;
  readonly labels?: Readonly<Record<string, string | null>>;
  readonly address?: { readonly host: string; readonly port: number };
  /** Where other nodes reach its mesh; null: at its address again. */
  readonly meshEndpoint?: MeshEndpoint | null;
};
/** What `service update` can change. A name with the value null is removed; `force` replaces the tasks though nothing else changed. */
export type ServicePatch = {
  readonly force?: boolean;
  readonly image?: string;
  readonly replicas?: number;
  readonly command?: readonly string[];
  readonly env?: Readonly<Record<string, string | null>>;
  readonly labels?: Readonly<Record<string, string | null>>;
  readonly update?: Partial<UpdatePolicy>;
  readonly rollback?: Partial<UpdatePolicy>;
};
export type StackDetailView = {
  readonly stack: StackView;
  readonly services: readonly ServiceView[];
  readonly tasks: readonly TaskView[];
};
export type TokenRequest = {
  readonly name: string;
  readonly role: Role;
  /** Binds a deployer to one stack. */
  readonly stack?: string;
  /** Absent: 90 days. */
  readonly expiresInSeconds?: number;
};
export type RegistryRequest = { readonly username: string; readonly password: string };
export type AuditView = Omit<AuditEntry, "atMs"> & { readonly at: string };
/** Something to tell beside the lines of a log: a node that cannot be reached. */
export type LogNote = { readonly message: string };
export type LogMessage = ({ readonly kind: "line" } & LogLine) | ({ readonly kind: "note" } & LogNote);
