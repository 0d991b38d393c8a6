// What the HTTP API needs of the coordinator, and nothing more: the world to read, one door for commands, history, and the few calls
// that reach nodes. The coordinator implements it; tests have a small implementation in memory.

import type { Duplex } from "node:stream";
import type { SealedCertificate } from "../core/commands/certificates.ts";
import type { Command } from "../core/commands/command.ts";
import type { NodeIngressFigures } from "../core/model/ingress-figures.ts";
import type { PeerMeasurement } from "../core/mesh/judge-peer.ts";
import type { NodeId, TaskId, TokenId } from "../core/model/ids.ts";
import type { AuditDraft, AuditEntry, DavitEvent } from "../core/model/records.ts";
import type { JoinProgress, JoinRequest } from "../core/model/views.ts";
import type { World } from "../core/model/world.ts";
import type { NodeContact } from "./views/nodes.ts";

export type Mutated<Result> = {
  readonly result: Result;
  readonly revision: number;
  readonly events: readonly DavitEvent[];
};

export type EventPage = {
  readonly events: readonly DavitEvent[];
  readonly oldestSeq: number;
  readonly newestSeq: number;
};

export type TaskLogOptions = {
  readonly follow: boolean;
  readonly tail?: number;
  readonly since?: string;
};
export type TaskLogLine = {
  readonly stream: "stdout" | "stderr";
  readonly at: string;
  readonly text: string;
};

export type TaskExecOptions = {
  readonly argv: readonly string[];
  readonly tty: boolean;
  readonly cols?: number;
  readonly rows?: number;
  readonly user?: string;
  readonly workingDir?: string;
};

export type NodeRemoval = { readonly force: boolean; readonly volumes: boolean };

export interface Backend {
  /** The committed records and what is measured now. Read it, keep no part of its maps over an await. */
  world(): World;
  /** Revision of the last commit. */
  revision(): number;
  /** Number of this coordinator's start in the chain of epochs. */
  epoch(): number;
  /** Wall-clock milliseconds since 1970. */
  nowMs(): number;
  /** Commits what a command asks for. Rejects with what it threw, or `out_of_sequence`, `unavailable`, `storage_failed`. */
  mutate<Result>(command: Command<Result>): Promise<Mutated<Result>>;
  /** What a command would answer now; commits nothing. Throws what it throws. */
  dryRun<Result>(command: Command<Result>): Result;
  /** Writes an audit entry of something refused; never rejects. */
  refused(entry: AuditDraft): void;
  /** Calls back after every commit, and after every change of presence; gives the way to stop it. */
  onChange(listener: () => void): () => void;
  /** Events with seq greater than `sinceSeq`, oldest first. */
  events(sinceSeq: number, limit: number): Promise<EventPage>;
  /** Calls back with the events of each commit, in order; gives the way to stop it. */
  onEvents(listener: (events: readonly DavitEvent[]) => void): () => void;
  /** Audit entries with seq greater than `sinceSeq`, oldest first. */
  audit(sinceSeq: number, limit: number): Promise<readonly AuditEntry[]>;
  /** Joins a host; resolves with its id once it is ready. Rejects with DavitError. Aborting stops at the next step. */
  join(request: JoinRequest, onProgress: (progress: JoinProgress) => void, signal: AbortSignal): Promise<NodeId>;
  /** Takes away what davit put on a node and removes its record (core/commands/nodes: removeNode). `force`: the record goes though the host cannot be reached. */
  removeNode(
    id: NodeId,
    options: NodeRemoval,
    onProgress: (progress: JoinProgress) => void,
    signal: AbortSignal,
  ): Promise<void>;
  /** Lines of a task's log from its node; resolves at the end, or when `signal` aborts. */
  taskLogs(
    id: TaskId,
    options: TaskLogOptions,
    onLine: (line: TaskLogLine) => void,
    signal: AbortSignal,
  ): Promise<void>;
  /** A duplex of exec frames: 1 byte type, 4 bytes big-endian length, payload. */
  openExec(id: TaskId, options: TaskExecOptions): Promise<Duplex>;
  /** What the agent of a node holds and sees, as JSON. */
  nodeState(id: NodeId): Promise<unknown>;
  /** What a node's ingress has counted of each service. Rejects when the node does not answer within seconds. */
  ingressFigures(id: NodeId): Promise<NodeIngressFigures>;
  /** Requests to a service (full name) that a node's ingress has logged; resolves at the end, or when `signal` aborts. */
  accessLog(
    id: NodeId,
    service: string,
    options: TaskLogOptions,
    onLine: (line: TaskLogLine) => void,
    signal: AbortSignal,
  ): Promise<void>;
  /** What a node's agent measures towards another node; takes some seconds. */
  measurePeer(id: NodeId, peer: NodeId, withStream: boolean): Promise<PeerMeasurement>;
  /** How a node stands with its session. */
  nodeContact(id: NodeId): NodeContact;
  /** Seals a secret text for the store. */
  seal(text: string): string;
  /** Checks a certificate of a user's own and seals it. Throws `invalid_input` with all that is wrong with it. */
  sealCertificate(name: string, certificatePem: string, keyPem: string): SealedCertificate;
  /** A number from 0 to 1 that is always the same for a name: what renewals are spread by. */
  unitOf(name: string): number;
  /** Notes the use of a user's token. */
  tokenUsed(id: TokenId): void;
  /** When a token was last used (wall-clock milliseconds), if it is known. */
  tokenLastUsedMs(id: TokenId): number | undefined;
}
