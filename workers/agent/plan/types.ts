// What the agent's planner looks at and what it answers. All data, nothing that acts. Pure.

import type { TaskId } from "../../../src/core/model/ids.ts";
import type { TaskStatus } from "../../../src/core/model/records.ts";
import type { HealthSpec, Hook, ResourceSpec } from "../../../src/core/model/service-spec.ts";
import type { NodeWork, TaskWork, VolumeWork } from "../../../src/core/model/work.ts";
import type { ContainerRequest, EngineContainer } from "../../../src/ports/container-engine.ts";

/** The engine network that every task joins, and its bridge's name. */
export const BRIDGE = "davit0";

/** What the agent remembers of a task over its own restarts: the status it reports, and what the restart policy counts. */
export type TaskRun = {
  readonly status: TaskStatus;
  /** Host's boot in which this attempt was made: an attempt of an earlier boot was ended by the reboot. */
  readonly bootId: string;
  /** When this attempt was made, wall clock. */
  readonly attemptAtMs: number;
  /** Attempts that failed fast, one after the other: what the backoff doubles by. */
  readonly streak: number;
  /** When attempts after the first were made because one had ended by itself; bounded by MAX_RETRIES_KEPT. */
  readonly retriedAtMs: readonly number[];
  /** When the next attempt is due; only on ended attempts that get one. */
  readonly retryAtMs?: number;
  /** Its post_start hooks ran to their end. */
  readonly postStarted?: true;
  /**
   * What its container was given of limits and memory reservation, by `limitsKey`; absent: as its label says. unknown ("?") from the moment
   * that an engine is asked to change them until it has answered.
   */
  readonly limits?: string;
  /** What the engine would not give to the running container, by `limitsKey`. */
  readonly refusedLimits?: string;
  /** It is to shut down, and waits for its connections since then, wall clock. */
  readonly drainSinceMs?: number;
  /** It is being stopped for this reason and counts as failed once it is down. */
  readonly condemned?: string;
  /** It is being stopped because its lease is over: that is no failure, and it goes on when the lease does. */
  readonly unleased?: true;
};

/** An exit as it was found by looking: with what the planner needs to say why. */
export type Examined = { readonly lastOutput: string };

export type SeenContainer = EngineContainer & {
  /** Set once the end of it was looked into. */
  readonly examined?: Examined;
  /** Found ended when the engine came back, rather than seen ending. */
  readonly endedUnseen?: boolean;
};

/** It has a process, or is about to have one again. */
export function isUp({ state }: SeenContainer): boolean {
  return state === "running" || state === "paused" || state === "restarting";
}

/** Number of the attempt that it is of, by its label. */
export function attemptOf(container: SeenContainer): number {
  return Number(container.labels["davit.attempt"] ?? 0);
}

export type ImageFact =
  | { readonly kind: "missing" }
  | {
      readonly kind: "present";
      readonly digest?: string;
      readonly hasHealthCheck: boolean;
      readonly pulledAtMs?: number;
    }
  | { readonly kind: "failed"; readonly reason: string; readonly atMs: number };
/** Looked for again for each attempt: the engine would make a vanished volume anew, empty, without a word. */
export type VolumeFact =
  | { readonly kind: "missing"; readonly atMs: number }
  | { readonly kind: "present"; readonly atMs: number }
  | { readonly kind: "failed"; readonly reason: string; readonly atMs: number };
export type BridgeFact =
  | { readonly kind: "missing" }
  | {
      readonly kind: "present";
      readonly subnet: string;
      readonly containers: number;
      /** What of its options keeps nodes from reaching each other, in words. */
      readonly fault?: string;
      readonly atMs: number;
    }
  | { readonly kind: "failed"; readonly reason: string; readonly atMs: number };

/** A config that could not be fetched; one that is held is in `heldConfigs`. */
export type ConfigFact = { readonly kind: "failed"; readonly reason: string; readonly atMs: number };

/** Last word of the probes on one container. */
export type Verdict = { readonly healthy: boolean; readonly answer: string };

export type HeldTasks = ReadonlyMap<TaskId, TaskWork>;

/** Who listens on a host port now ("8080/tcp"; on one address or, without one, on any), in words; undefined when it is free. */
export type PortOwner = (port: string, hostIp?: string) => string | undefined;

export type PlanInput = {
  readonly clusterId: string;
  readonly nodeId: string;
  /** Undefined until work was received once: then nothing is touched at all. */
  readonly node: NodeWork | undefined;
  readonly tasks: HeldTasks;
  readonly runs: ReadonlyMap<TaskId, TaskRun>;
  /** What the coordinator knew of a task when it gave all its work: it stands in where nothing is remembered. */
  readonly knownOf: (taskId: TaskId) => TaskStatus | undefined;
  /** Of this cluster only. */
  readonly containers: readonly SeenContainer[];
  readonly images: ReadonlyMap<string, ImageFact>;
  readonly volumes: ReadonlyMap<string, VolumeFact>;
  readonly bridge: BridgeFact | undefined;
  /** A task's container starts only once its node's network provides for it; `reason`: what the others wait for. */
  readonly network: { readonly isInForceFor: (taskId: TaskId) => boolean; readonly reason: string };
  readonly heldConfigs: ReadonlySet<string>;
  readonly configs: ReadonlyMap<string, ConfigFact>;
  /** A coordinator is there to be asked. */
  readonly isConnected: boolean;
  /** The kernel can be asked about connections. */
  readonly drains: boolean;
  /** What it said last, by task. */
  readonly connections: ReadonlyMap<TaskId, { readonly open: number; readonly atMs: number }>;
  readonly verdicts: ReadonlyMap<string, Verdict>;
  /** What is left of a task's own lease of this length, in milliseconds; 0 or less: it may not run. */
  readonly leaseLeftMs: (leaseMs: number) => number;
  /** Containers that are being stopped. */
  readonly stopping: ReadonlySet<string>;
  /** Subjects that an operation is under way for. */
  readonly busy: ReadonlySet<string>;
  readonly portOwner: PortOwner;
  readonly bootId: string;
  readonly nowMs: number;
};

/** One thing to do. `subject`: at most one operation at a time has it; `pool`: what limits how many of its like run at once. */
export type Operation = { readonly subject: string; readonly taskId?: TaskId } & (
  | { readonly kind: "inspectBridge"; readonly pool: "look" }
  | { readonly kind: "createBridge"; readonly pool: "make"; readonly subnet: string }
  | { readonly kind: "removeBridge"; readonly pool: "make"; readonly subnet: string }
  | { readonly kind: "inspectImage"; readonly pool: "look"; readonly image: string }
  | { readonly kind: "pull"; readonly pool: "pull"; readonly image: string }
  | { readonly kind: "inspectVolume"; readonly pool: "look"; readonly volume: string }
  | { readonly kind: "createVolume"; readonly pool: "make"; readonly volume: VolumeWork }
  | { readonly kind: "fetchConfig"; readonly pool: "make"; readonly config: string; readonly name: string }
  | { readonly kind: "create"; readonly pool: "start"; readonly taskId: TaskId; readonly request: ContainerRequest }
  | {
      readonly kind: "start";
      readonly pool: "start";
      readonly taskId: TaskId;
      readonly containerId: string;
      /** The engine was asked before, and what came of it is not known. */
      readonly isRepeat: boolean;
    }
  | {
      readonly kind: "postStart";
      readonly pool: "hook";
      readonly taskId: TaskId;
      readonly containerId: string;
      readonly attempt: number;
      readonly hooks: readonly Hook[];
    }
  | {
      readonly kind: "resize";
      readonly pool: "make";
      readonly taskId: TaskId;
      readonly containerId: string;
      readonly version: number;
      readonly resources: ResourceSpec;
      /** What it had so far, as the run says, and the version that this is of; for an engine that refuses. */
      readonly before: string;
      readonly versionBefore?: number;
      /** Of the runtime: swap goes along with memory. */
      readonly memorySwapBytes?: number;
    }
  | { readonly kind: "countConnections"; readonly pool: "look"; readonly taskId: TaskId; readonly address: string }
  | { readonly kind: "examine"; readonly pool: "look"; readonly taskId: TaskId; readonly containerId: string }
  | {
      readonly kind: "stop";
      readonly pool: "stop";
      readonly containerId: string;
      readonly graceMs?: number;
      readonly reason: string;
      /** Run first, within the grace. */
      readonly hooks: readonly Hook[];
    }
  | { readonly kind: "remove"; readonly pool: "make"; readonly containerId: string; readonly reason: string }
);
export type Pool = Operation["pool"];

/** What became of an operation, as data. */
export type Outcome =
  | {
      readonly ok: true;
      readonly containerId?: string;
      readonly connections?: number;
      readonly image?: ImageFact;
      readonly volume?: VolumeFact;
      readonly bridge?: BridgeFact;
    }
  | { readonly ok: false; readonly fault: string; readonly reason: string };

/** A container that the agent itself must probe. */
export type ProbeTarget = {
  readonly containerId: string;
  readonly taskId: TaskId;
  readonly address: string;
  readonly health: HealthSpec;
};

export type AgentPlan = {
  readonly probes: readonly ProbeTarget[];
  /** Runs that change by the plan itself. */
  readonly runs: readonly TaskRun[];
  /** Tasks of which nothing is left. */
  readonly forget: readonly TaskId[];
  readonly operations: readonly Operation[];
  /** Earliest wall time at which planning again could give something else. */
  readonly wakeAtMs?: number;
  /** Tasks that still have a way to go before they match their work or say why not. */
  readonly unsettled: ReadonlySet<TaskId>;
};

/** "start web.1 attempt 2": for logs and people. */
export function describeOperation(operation: Operation): string {
  switch (operation.kind) {
    case "inspectBridge":
      return `look for network ${BRIDGE}`;
    case "createBridge":
      return `create network ${BRIDGE} with ${operation.subnet}`;
    case "removeBridge":
      return `remove network ${BRIDGE}: it has ${operation.subnet} and no containers`;
    case "inspectImage":
      return `look for image ${operation.image}`;
    case "pull":
      return `pull image ${operation.image}`;
    case "inspectVolume":
      return `look for volume ${operation.volume}`;
    case "createVolume":
      return `create volume ${operation.volume.name}`;
    case "create":
      return `create container ${operation.request.name}`;
    case "fetchConfig":
      return `fetch config ${operation.name}`;
    case "postStart":
      return `run post_start hooks in container ${operation.containerId.slice(0, 12)}`;
    case "start":
      return `start container ${operation.containerId.slice(0, 12)}`;
    case "resize":
      return `change the limits of container ${operation.containerId.slice(0, 12)}`;
    case "countConnections":
      return `count connections to ${operation.address}`;
    case "examine":
      return `look into the end of container ${operation.containerId.slice(0, 12)}`;
    case "stop":
      return `stop container ${operation.containerId.slice(0, 12)}: ${operation.reason}`;
    case "remove":
      return `remove container ${operation.containerId.slice(0, 12)}: ${operation.reason}`;
  }
}

/** The subject of everything that is done for one task's containers. */
export function taskSubject(taskId: string): string {
  return `task/${taskId}`;
}
