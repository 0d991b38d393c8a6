// The records of the store, and so of the world in memory. Desired, assigned and observed state are separate records, each with one writer:
//   Service, Node, Volume, Network, ...   the API's commands (desired)
//   Rollout, Task                          the control loop (assigned)
//   TaskStatus, NodeStatus                 the sessions with agents (observed)
// `index` is on desired records only: it grows with each change of the desired record, never by observations (it is the ETag). Pure.

import type { AcmeAccount, Authority, Certificate } from "./certificate.ts";
import type { ClusterId, NetworkId, NodeId, ServiceId, TaskId, TokenId, VolumeId } from "./ids.ts";
import type { FreedAddress } from "./freed-address.ts";
import type { PublishedPort } from "./published-port.ts";
import type { JobRun, JobState } from "./job.ts";
import type { MeshEndpoint } from "./mesh-endpoint.ts";
import type { Rollout, RolloutState, RolloutWish } from "./rollout.ts";
import type {
  ConfigFile,
  Labels,
  NetworkSpec,
  PortProtocol,
  ResourceAmounts,
  ServiceMode,
  ServiceSpec,
  VolumeSpec,
} from "./service-spec.ts";

/** Wall-clock milliseconds since 1970, from the coordinator's clock; for showing and for delays, never for leases. */
export type WallMs = number;

export type Cluster = {
  readonly id: ClusterId;
  readonly name: string;
  readonly createdAtMs: WallMs;
  /** Pool of all container addresses, such as 10.210.0.0/16; each node gets a /24 of it. Cannot change later. */
  readonly addressPool: string;
  /** How nodes talk to each other; absent is `wireguard`. Cannot change later. */
  readonly encryption?: "wireguard" | "off";
  /** UDP port of the mesh on every node; absent is DEFAULT_MESH_PORT. Cannot change later. */
  readonly meshPort?: number;
  /** Both clocks of the coordinator's machine when they were compared first in its boot, and after each step of the wall clock since. */
  readonly clock?: { readonly bootId: string; readonly wallMs: WallMs; readonly bootMs: number };
};

export const DEFAULT_MESH_PORT = 51_820;

// --- services

export type Service = {
  readonly id: ServiceId;
  readonly index: number;
  readonly name: string;
  readonly stack?: string;
  readonly createdAtMs: WallMs;
  readonly updatedAtMs: WallMs;
  /** The mode now; scaling changes it without a new spec version. */
  readonly mode: ServiceMode;
  /** The spec version that the service should run. */
  readonly version: number;
  /** The version before the last change; what `rollback` goes to unless told. Absent at creation. */
  readonly previousVersion?: number;
  /** Grows with `update --force`: tasks made under a smaller one are replaced though their template is the same. */
  readonly force: number;
  /** Set when the change to `version` was itself a rollback: it is never rolled back by itself. */
  readonly isRollback: boolean;
  /** Of jobs only: whether it starts no runs by itself, and a number that grows with each run that a user asks for. */
  readonly job?: { readonly suspended: boolean; readonly requested: number };
  /** What the last change was for: shown in updateStatus. */
  readonly changeReason: string;
  /** Tasks that a rebalance sends to other nodes, and that have not gone yet; absent: none. */
  readonly moves?: readonly Move[];
  /** Its ingress routes answer with a page that says so; absent: they lead to it. */
  readonly maintenance?: true;
  /** Its virtual address, given at its creation and kept; absent for jobs and for what has no address on the nodes' bridges. */
  readonly address?: string;
  /** Ports that every node answers on for it, given when it was deployed. */
  readonly ports?: readonly PublishedPort[];
  /** How many tasks it has while nobody calls it; absent: it is awake. Gone with the next change. */
  readonly asleep?: number;
  /** What users asked of the change that is under way; gone with the next change. */
  readonly asked?: RolloutWish;
};

/** A task, and the node that one like it is to be made on before it goes. */
export type Move = { readonly taskId: TaskId; readonly nodeId: NodeId };

/** One kept version of a service's spec. Key: `<serviceId>/<version>`. The last KEPT_VERSIONS are kept. */
export type ServiceVersion = {
  readonly id: string;
  readonly serviceId: ServiceId;
  readonly version: number;
  readonly spec: ServiceSpec;
  /** Over the meaning of the spec without replicas. */
  readonly hash: string;
  /** Over spec.template only: tasks of two versions with one template hash are equally current. */
  readonly templateHash: string;
  readonly createdAtMs: WallMs;
  /** Set by the control loop when the version converged and its monitor time passed without a failure. */
  readonly stable: boolean;
  /** Who made it, and what for; absent for versions of before this was kept. */
  readonly by?: string;
  readonly reason?: string;
  /** How the last change to it stands or ended; written by the control loop. */
  readonly outcome?: { readonly state: RolloutState; readonly message: string; readonly atMs: WallMs };
};

export const KEPT_VERSIONS = 10;

// --- tasks

/** In order: a task's state only grows within one attempt. */
export const TASK_STATES = [
  "new",
  "pending",
  "assigned",
  "accepted",
  "preparing",
  "ready",
  "starting",
  "running",
  "complete",
  "shutdown",
  "failed",
  "rejected",
  "remove",
] as const;
export type TaskState = (typeof TASK_STATES)[number];

export type DesiredState = "running" | "shutdown" | "remove";

export type HostPort = {
  readonly hostIp?: string;
  readonly published: number;
  readonly target: number;
  readonly protocol: PortProtocol;
};

/** Ids by the name of their resource. */
export type HeldIds = Readonly<Record<string, readonly string[]>>;

/** One placement of a slot on one node with one spec version. Written by the control loop only. */
export type Task = {
  readonly id: TaskId;
  readonly serviceId: ServiceId;
  /** 1…n for replicated services; 0 for global ones, whose slot is the node. */
  readonly slot: number;
  /** Number of the run that it is of; absent for services that are no jobs. */
  readonly run?: number;
  readonly specVersion: number;
  readonly force: number;
  readonly desired: DesiredState;
  /** Why `desired` is what it is: "replaced: n2 is lost", "scaled to 2". */
  readonly desiredReason: string;
  readonly createdAtMs: WallMs;
  /** A global service's task is for this node and no other. */
  readonly onlyNode?: NodeId;
  /** Absent while it cannot be placed. */
  readonly nodeId?: NodeId;
  readonly assignedAtMs?: WallMs;
  /** Why it does not run: no node will take it (reasons by frequency), or the node with its data is down. Absent when nothing is in the way. */
  readonly waiting?: string;
  /** Its own address on the node's bridge, kept over attempts and reboots. */
  readonly address?: string;
  readonly hostPorts: readonly HostPort[];
  /** Of named resources whose ids its node was told: those that it holds, and no other task there. */
  readonly generic?: HeldIds;
  /** Full names of the volumes that it mounts. */
  readonly volumes: readonly string[];
  /** Weight of its endpoint, 0–100. */
  readonly weight: number;
  /** First phase of a stop by choice: out of the routes since then, with the generation that says so. */
  readonly withdrawal?: { readonly startedAtMs: WallMs; readonly routesGeneration: number };
  /** Only of tasks with a lease of their own: the first generation of work that says it is to end. */
  readonly endsFrom?: number;
  /** It is over and gave its address back: another task may have it by now. */
  readonly released?: true;
  /** Set when it went over to `specVersion` in its running container: from which version, when, and how many attempts had failed by then. */
  readonly resize?: { readonly fromVersion: number; readonly atMs: WallMs; readonly failures: number };
  /** The task that it takes over from, if any. */
  readonly replaces?: TaskId;
  /** When `desired` left running. */
  readonly endedAtMs?: WallMs;
};

export const KEPT_TASKS_PER_SLOT = 5;

/** What the node's agent says of a task. Written from sessions only. Key: the task's id. */
export type TaskStatus = {
  readonly id: TaskId;
  readonly state: TaskState;
  readonly stateAtMs: WallMs;
  readonly attempt: number;
  /** How many of its attempts the host or the engine ended, not the task itself; absent for none. They are no failures. */
  readonly interrupted?: number;
  /** A sentence a person can act on; empty if all is well. */
  readonly reason: string;
  readonly exitCode?: number;
  /** Absent without a health check, or before its first verdict. */
  readonly healthy?: boolean;
  /** When this attempt's container started, by the agent's wall clock. */
  readonly startedAtMs?: WallMs;
  readonly containerId?: string;
  readonly imageDigest?: string;
  /** The spec version whose limits the container of this attempt has. */
  readonly limitsOf?: number;
  /** The spec version whose limits the engine would not give to the running container; `reason` says why. */
  readonly unresizedTo?: number;
  /** No further attempt will be made by the agent: the restart policy is exhausted or says no. */
  readonly exhausted: boolean;
  /** Last lines of output and the last probe's answer; only on failures. */
  readonly lastOutput?: string;
  readonly probeAnswer?: string;
};

// --- nodes

export type Availability = "active" | "pause" | "drain";

export type SshAddress = { readonly host: string; readonly port: number };

/** A host that has joined. Desired record: written by the API's commands. */
export type Node = {
  readonly id: NodeId;
  readonly index: number;
  /** Unique; the host name at join unless taken. */
  readonly name: string;
  readonly address: SshAddress;
  /** Pinned at join, strict ever after: OpenSSH public key line "type base64". */
  readonly hostKey: string;
  /** Ed25519 public JWK, made on the node; signs the agent's answers. */
  readonly agentKey: string;
  /** Hops to reach it, from the user's ProxyJump; the cluster's key is used on each. */
  readonly jump: readonly {
    readonly user: string;
    readonly host: string;
    readonly port: number;
    readonly hostKey: string;
  }[];
  readonly labels: Labels;
  readonly availability: Availability;
  /** Of a draining node: what is there by then ends, whether or not it runs elsewhere. Absent: no deadline. */
  readonly drainUntilMs?: WallMs;
  /** The node's /24 of the cluster's pool. */
  readonly subnet: string;
  /** Where other nodes reach its mesh, for one behind a translation of addresses; absent: its address, at the cluster's port. */
  readonly meshEndpoint?: MeshEndpoint;
  readonly reserved: ResourceAmounts;
  /** Named resources that its user says it has, such as GPUs: how many, or which by their ids; over what its agent finds. */
  readonly generic?: Readonly<Record<string, number | readonly string[]>>;
  readonly joinedAtMs: WallMs;
  /** Set by `confirm-dead` or removal: its tasks are replaced at once, and it must be asked before it counts again. */
  readonly confirmedDeadAtMs?: WallMs;
};

/** What is known of a node by looking. Written from sessions and the lease loop only. Key: the node's id. */
/** A socket that something listens with. */
export type Listener = {
  readonly protocol: PortProtocol;
  readonly port: number;
  /** IPv4; absent: every address of the host. */
  readonly address?: string;
  /** "nginx (pid 812)"; absent when it cannot be told. */
  readonly process?: string;
};

export type NodeStatus = {
  readonly id: NodeId;
  readonly bootId: string;
  readonly agentVersion: string;
  readonly engineVersion: string;
  readonly engineLabels: Labels;
  readonly platform: { readonly os: string; readonly arch: string };
  readonly kernel: string;
  readonly resources: ResourceAmounts;
  /** When it was last known to be there, set only while it is lost. An observation, not a state. */
  readonly unseenSinceMs?: WallMs;
  /** The last losses, newest last: two in ten minutes keep new work away for ten. At most 5. */
  readonly lostAtMs: readonly WallMs[];
  /** Ports that something outside davit listens on, so that the planner keeps away: "tcp/22". */
  readonly listening: readonly string[];
  /** Everything outside davit that listens, loopback included: a published port must not take its place. Absent from agents of before. */
  readonly listeners?: readonly Listener[];
  /** Base64 of its WireGuard public key; the private one never leaves it. */
  readonly meshKey?: string;
  /** What keeps its network from being as its routes say, in words; absent when nothing does. */
  readonly networkTrouble?: string;
};

// --- volumes, networks

export type Volume = VolumeSpec & {
  readonly id: VolumeId;
  readonly index: number;
  readonly createdAtMs: WallMs;
};

/** Where a pinned volume's data is. Written by the control loop: at the first placement, and once a task has run with it. Key: the volume's id. */
export type VolumePin = {
  readonly id: VolumeId;
  readonly nodeIds: readonly NodeId[];
  /** Nodes on which a task has run with the volume: there it must exist, and nothing is started on an empty one. */
  readonly madeOn?: readonly NodeId[];
};

export type Network = NetworkSpec & { readonly id: NetworkId; readonly index: number; readonly createdAtMs: WallMs };

// --- users, registries, issuer

export type Role = "admin" | "deployer" | "viewer";

export type UserToken = {
  readonly id: TokenId;
  readonly index: number;
  readonly name: string;
  readonly role: Role;
  /** A deployer may be bound to one stack. */
  readonly stack?: string;
  readonly createdAtMs: WallMs;
  readonly expiresAtMs: WallMs;
  readonly revokedAtMs?: WallMs;
};

/** Credentials of a registry, sealed: never in clear in the store. Key: the registry's host. */
export type RegistryLogin = {
  readonly id: string;
  readonly index: number;
  readonly username: string;
  readonly sealedPassword: string;
};

/** One of the cluster's signing keys. The private half is sealed. Key: kid. */
export type IssuerKey = {
  readonly id: string;
  readonly publicJwk: string;
  readonly sealedPrivateJwk: string;
  readonly createdAtMs: WallMs;
  /** Signs no more after it; still verified until every token it signed has expired. */
  readonly retiredAtMs?: WallMs;
};

/** The cluster's SSH key pair, used after the join. One record, key "cluster". */
export type ClusterKey = { readonly id: string; readonly publicKey: string; readonly sealedPrivateKey: string };

/** Every kind of record by its name in changes and in the store. */
export type RecordKinds = {
  readonly cluster: Cluster;
  readonly service: Service;
  readonly serviceVersion: ServiceVersion;
  readonly rollout: Rollout;
  readonly task: Task;
  readonly taskStatus: TaskStatus;
  readonly node: Node;
  readonly nodeStatus: NodeStatus;
  readonly volume: Volume;
  readonly volumePin: VolumePin;
  readonly network: Network;
  readonly freedAddress: FreedAddress;
  /** Contents of a config. Key: their SHA-256, so they never change. Written by deploys, dropped by the control loop. */
  readonly configFile: ConfigFile;
  readonly job: JobState;
  readonly run: JobRun;
  readonly userToken: UserToken;
  readonly registryLogin: RegistryLogin;
  readonly issuerKey: IssuerKey;
  readonly certificate: Certificate;
  readonly acmeAccount: AcmeAccount;
  readonly authority: Authority;
  readonly clusterKey: ClusterKey;
};
export type RecordKind = keyof RecordKinds;

/** One write. A commit is a list of them, applied in order, all or none. */
export type Change = {
  readonly [Kind in RecordKind]:
    | { readonly op: "put"; readonly kind: Kind; readonly record: RecordKinds[Kind] }
    | { readonly op: "delete"; readonly kind: Kind; readonly id: string };
}[RecordKind];

/** Something that happened, kept in the same transaction as what it tells of; bounded history. */
export type EventDraft = {
  /** Dotted: "task.failed", "service.updated", "node.lost". */
  readonly type: string;
  /** Kind and id of what it is about. */
  readonly subject: { readonly kind: string; readonly id: string; readonly name: string };
  readonly message: string;
  readonly data?: Readonly<Record<string, string | number | boolean>>;
};
export type DavitEvent = EventDraft & { readonly revision: number; readonly seq: number; readonly atMs: WallMs };

export type AuditDraft = {
  /** "socket" for the owner's socket, else the token's name. */
  readonly actor: string;
  readonly action: string;
  readonly subject: string;
  readonly outcome: "ok" | "refused";
  readonly message: string;
};
export type AuditEntry = AuditDraft & { readonly revision: number; readonly seq: number; readonly atMs: WallMs };
