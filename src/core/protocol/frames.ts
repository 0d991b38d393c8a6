// The control stream between coordinator and agent: one JSON text per line, typed and versioned. Opening:
//   agent → challenge   coordinator → open   agent → welcome | refuse   then both ways until one closes.
// Pure: types and what they mean. The codec is in codec.ts.

import type { ServiceId } from "../model/ids.ts";
import type { EpochChain } from "../model/lease.ts";
import type { NodeStatus, TaskStatus } from "../model/records.ts";
import type { RoutesDelta } from "../model/routes.ts";
import type { WorkDelta, WorkPosition } from "../model/work.ts";
import type { Measured } from "../model/world.ts";

export const PROTOCOL_VERSION = 1;
/** The largest line that either side accepts: a full work document of a few hundred tasks. */
export const MAX_FRAME_BYTES = 8 * 1024 * 1024;
/** Characters of one part of a config, a multiple of four: half of what may wait, so that beats and grants pass between the parts. */
export const CONFIG_PART_CHARS = 32 * 1024;
/** A part of the routes: with beats and grants beside it, it stays well below what may wait. */
export const ROUTES_PART_BYTES = 24 * 1024;
/** What may wait to be written on a control stream before the session is closed as stuck. */
export const MAX_QUEUED_BYTES = 64 * 1024;

/**
 * First frame, from the agent. `nonce` must come back inside the coordinator's token. `knownKeys`: ids of the issuer's keys that the
 * agent trusts now, so that a node that was away during a rotation is opened with a key that it knows.
 */
export type Challenge = {
  readonly type: "challenge";
  readonly protocol: number;
  readonly agentVersion: string;
  readonly nodeId: string;
  readonly nonce: string;
  readonly knownKeys?: readonly string[];
};

/** From the coordinator. `token`: JWT with aud = node id, scope agent:work, claims epoch, epochNonce, challenge. */
export type Open = {
  readonly type: "open";
  readonly protocol: number;
  readonly token: string;
  readonly chain: EpochChain;
  /** To be signed by the agent's key in `welcome`. */
  readonly nonce: string;
  /** Issuer's public keys (JWK texts) that are valid from now on: rotation travels here. */
  readonly issuerKeys: readonly string[];
};

export type Welcome = {
  readonly type: "welcome";
  /** JWT signed by the agent's own key: iss = node id, aud = "coordinator", claim challenge = Open.nonce. */
  readonly token: string;
  readonly held?: WorkPosition;
  readonly heldHashes: Readonly<Record<string, string>>;
  /** The same of its routes; absent before it has any. */
  readonly routes?: { readonly held: WorkPosition; readonly hashes: Readonly<Record<string, string>> };
  readonly node: Omit<NodeStatus, "id" | "unseenSinceMs" | "lostAtMs">;
  /** Every task that the agent knows of: a full scan, so that no earlier event is needed. */
  readonly tasks: readonly TaskStatus[];
};

export type Refuse = {
  readonly type: "refuse";
  readonly code: "forked_history" | "unauthenticated" | "protocol" | "superseded";
  readonly message: string;
};

/** The agent notes its boot-time clock when it sends this; only a grant of this number renews the lease. */
export type Beat = { readonly type: "beat"; readonly seq: number };
export type Grant = {
  readonly type: "grant";
  readonly seq: number;
  readonly epoch: number;
  readonly nonce: string;
  readonly leaseMs: number;
  readonly issuerTimeMs: number;
  /**
   * The newest work that was sent by then; absent before any was. Leases of tasks are renewed only by agents that hold it: they know of each
   * task whether it is still theirs to run.
   */
  readonly work?: WorkPosition;
};

export type WorkFrame = { readonly type: "work"; readonly delta: WorkDelta };
/**
 * One part of a change of the routes, with at most ROUTES_PART_BYTES unless one section is larger. `more`: others follow, one for each
 * `moreRoutes`; the agent takes them over together. The next change is sent once this one was received.
 */
export type RoutesFrame = { readonly type: "routes"; readonly delta: RoutesDelta; readonly more?: true };
export type MoreRoutes = { readonly type: "moreRoutes" };
/**
 * Received is durable on the node's disk; applied means that the engine was made to match once, or the task says why not. Of routes:
 * mesh, rules, names and ingress are in force; absent until they were once.
 */
export type Applied = {
  readonly type: "applied";
  readonly received: WorkPosition;
  readonly applied: WorkPosition;
  readonly routes?: { readonly received: WorkPosition; readonly applied?: WorkPosition };
};
/** The delta's base is not what the agent holds: send everything. `of` absent: of the work. */
export type Resync = { readonly type: "resync"; readonly of?: "routes" };

export type Observe = {
  readonly type: "observe";
  readonly tasks: readonly TaskStatus[];
  /** Tasks that the agent removed entirely. */ readonly gone: readonly string[];
};
export type NodeFacts = { readonly type: "node"; readonly node: Welcome["node"] };
/**
 * Services that may fall asleep: those that connections wait for on this node, at once and every second for as long as they wait, and those
 * that are called here, every few seconds.
 */
export type Called = {
  readonly type: "called";
  readonly waiting: readonly ServiceId[];
  readonly active: readonly ServiceId[];
};
export type MeasuredFrame = { readonly type: "measured"; readonly measured: Measured };

/** The agent lacks a config that its work mounts: the part from `offset` on, please. */
export type WantConfig = { readonly type: "wantConfig"; readonly config: string; readonly offset: number };
/** A part of a config's base64 text, from `offset` on; `length`: characters of the whole text. */
export type ConfigPart = {
  readonly type: "config";
  readonly config: string;
  readonly offset: number;
  readonly length: number;
  readonly data: string;
};
/** The node has no right to this config, or it is no more. */
export type NoConfig = { readonly type: "noConfig"; readonly config: string };

/** An orderly end: the coordinator stops; nothing is wrong. */
export type Bye = { readonly type: "bye"; readonly message: string };

export type AgentFrame =
  | Challenge
  | Welcome
  | Refuse
  | Beat
  | Applied
  | MoreRoutes
  | Resync
  | Observe
  | NodeFacts
  | MeasuredFrame
  | Called
  | WantConfig;
export type CoordinatorFrame = Open | Refuse | Grant | WorkFrame | RoutesFrame | ConfigPart | NoConfig | Bye;
export type Frame = AgentFrame | CoordinatorFrame;
