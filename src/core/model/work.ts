// The document a node is given: what it must run. It is cut into sections with a content hash each, so that a change
// travels as the sections that changed. The agent persists it before acting on it. Pure.

import type { NodeId, ServiceId, TaskId } from "./ids.ts";
import type { DesiredState, HostPort, TaskStatus } from "./records.ts";
import type { ContainerSpec, HealthSpec, ResourceSpec, RestartPolicy } from "./service-spec.ts";

/** Everything the agent needs to run one task without asking anyone. */
export type TaskWork = {
  readonly kind: "task";
  readonly taskId: TaskId;
  readonly serviceId: ServiceId;
  readonly serviceName: string;
  readonly stack?: string;
  readonly slot: number;
  readonly specVersion: number;
  readonly templateHash: string;
  /** running: keep it so; shutdown: stop with grace and keep the container's record; remove: take away all traces. */
  readonly desired: DesiredState;
  readonly container: ContainerSpec;
  readonly resources: ResourceSpec;
  readonly health: HealthSpec;
  readonly restart: RestartPolicy;
  /** A job's task: ending with 0 is `complete`, not a reason for another attempt. */
  readonly isJob: boolean;
  readonly settleMs: number;
  /** It runs for so long after the last beat that was confirmed for this work, and not longer; absent: whatever happens. */
  readonly leaseMs?: number;
  /** How long open connections may go on when it shuts down; absent: it is reached by nobody, so nothing is waited for. */
  readonly drainMs?: number;
  readonly address: string;
  readonly hostPorts: readonly HostPort[];
  /** Volumes to have before the container: only those that mounts name. */
  readonly volumes: readonly VolumeWork[];
};

export type VolumeWork = {
  readonly name: string;
  readonly driver: string;
  readonly driverOpts: Readonly<Record<string, string>>;
  readonly labels: Readonly<Record<string, string>>;
  readonly external: boolean;
  /** The data was made here before: if the volume is gone, say so and do not start on an empty one. */
  readonly mustExist: boolean;
};

/** What the node itself must be. One section, key "node". */
export type NodeWork = {
  readonly kind: "node";
  readonly nodeId: NodeId;
  readonly nodeName: string;
  /** The node's /24; its first address is the bridge's. */
  readonly subnet: string;
  readonly addressPool: string;
  readonly leaseMs: number;
};

/** Registry logins; one section, key "logins". Kept in memory and on tmpfs by the agent, never on its disk. */
export type LoginsWork = {
  readonly kind: "logins";
  readonly logins: Readonly<Record<string, { readonly username: string; readonly password: string }>>;
};

export type WorkSection = TaskWork | NodeWork | LoginsWork;

/** Section keys: "node", "logins", "task/<id>". */
export type Work = {
  readonly sections: Readonly<Record<string, { readonly hash: string; readonly content: WorkSection }>>;
};

/** What an agent holds after applying every delta so far. Work is ordered by (epoch, generation). */
export type WorkPosition = { readonly epoch: number; readonly generation: number };

/** From what the agent holds to what it must hold. `base` absent: this is everything, forget what you had. */
export type WorkDelta = WorkPosition & {
  readonly base?: WorkPosition;
  /** With everything: what was last reported of each of its tasks, for an agent that lost its own memory of them. */
  readonly known?: Readonly<Record<string, TaskStatus>>;
  readonly put: Work["sections"];
  readonly drop: readonly string[];
};
