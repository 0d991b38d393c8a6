// The world: every committed record in memory, keyed by id, plus what is only measured. Planners read it and never write it.
// `applyChange` is the one way from a committed change to the next world; the mutable twin is owned by the commit door. Pure.

import type { NodeId } from "./ids.ts";
import { assertNever } from "./invariant.ts";
import type { Change, RecordKind, RecordKinds } from "./records.ts";

/** All records by kind, then by id. */
export type State = { readonly [Kind in RecordKind]: ReadonlyMap<string, RecordKinds[Kind]> };
/** The commit door's own, mutable view of the same maps. */
export type MutableState = { readonly [Kind in RecordKind]: Map<string, RecordKinds[Kind]> };

/** What the coordinator believes of a node's reachability now; computed by core/lease, never stored. */
export type Presence =
  /** In contact, lease current. */
  | "ready"
  /** Silent, but its lease has not run out, or it is being tried through another node, or the valve is shut. */
  | "silent"
  /** The lease ran out and a second try failed: its `keep` tasks are replaced. */
  | "lost";

/** Figures that a node reports every few seconds; in memory only. */
export type Measured = {
  readonly cpuFraction: number;
  readonly memoryUsedBytes: number;
  readonly diskFreeBytes: number;
  readonly diskTotalBytes: number;
};

/** A node's progress with the documents it was given. */
export type NodeProgress = {
  /** Routes generation that the node has applied; a stop by choice waits for it. */
  readonly routesApplied: number;
  readonly workApplied: number;
};

export type World = {
  readonly state: State;
  readonly presence: ReadonlyMap<NodeId, Presence>;
  readonly measured: ReadonlyMap<NodeId, Measured>;
  readonly progress: ReadonlyMap<NodeId, NodeProgress>;
  /** For how long a node has said nothing, in milliseconds of boot time; anew from a start, a stall, and the valve's opening. 0 of one unknown. */
  readonly silentMs: (id: NodeId) => number;
  /** More than half of the nodes are silent: replace nothing. */
  readonly valveShut: boolean;
  /** Generation of the newest routes; 0 while there are no routes. */
  readonly routesGeneration: number;
};

export const RECORD_KINDS: readonly RecordKind[] = [
  "cluster",
  "service",
  "serviceVersion",
  "rollout",
  "task",
  "taskStatus",
  "node",
  "nodeStatus",
  "volume",
  "volumePin",
  "network",
  "freedAddress",
  "configFile",
  "job",
  "run",
  "userToken",
  "registryLogin",
  "issuerKey",
  "certificate",
  "acmeAccount",
  "authority",
  "clusterKey",
];

/** A state without records. */
export function emptyState(): MutableState {
  return {
    cluster: new Map(),
    service: new Map(),
    serviceVersion: new Map(),
    rollout: new Map(),
    task: new Map(),
    taskStatus: new Map(),
    node: new Map(),
    nodeStatus: new Map(),
    volume: new Map(),
    volumePin: new Map(),
    network: new Map(),
    freedAddress: new Map(),
    configFile: new Map(),
    job: new Map(),
    run: new Map(),
    userToken: new Map(),
    registryLogin: new Map(),
    issuerKey: new Map(),
    certificate: new Map(),
    acmeAccount: new Map(),
    authority: new Map(),
    clusterKey: new Map(),
  };
}

/** A copy that shares the (immutable) records: what a planner's test or a dry run may change. */
export function copyState(state: State): MutableState {
  // a map made of a map is copied whole, far faster than record by record
  return Object.fromEntries(RECORD_KINDS.map((kind) => [kind, new Map<string, unknown>(state[kind])])) as MutableState;
}

/** Applies one committed change. */
export function applyChange(state: MutableState, change: Change): void {
  switch (change.op) {
    case "put":
      (state[change.kind] as Map<string, unknown>).set(change.record.id, change.record);
      return;
    case "delete":
      state[change.kind].delete(change.id);
      return;
    default:
      assertNever(change);
  }
}

/** Applies changes in order. */
export function applyChanges(state: MutableState, changes: readonly Change[]): void {
  for (const change of changes) applyChange(state, change);
}

/** Key of a service version's record. */
export function versionKey(serviceId: string, version: number): string {
  return `${serviceId}/${version}`;
}
