// The Backend of the API in memory: real commands on a real state with guards, events and audit as the store keeps them, and a world whose
// agents do what they are told when a test says so. Calls to nodes are scripted by the test.

import { randomBytes } from "node:crypto";
import { PassThrough, type Duplex } from "node:stream";
import type {
  Backend,
  EventPage,
  Mutated,
  NodeRemoval,
  TaskExecOptions,
  TaskLogLine,
  TaskLogOptions,
} from "../../src/api/backend.ts";
import { seal } from "../../src/auth/seal.ts";
import { inspectCertificate } from "../../src/certificates/inspect.ts";
import type { SealedCertificate } from "../../src/core/commands/certificates.ts";
import type { Command, CommandContext } from "../../src/core/commands/command.ts";
import { removeNode } from "../../src/core/commands/nodes.ts";
import type { NodeIngressFigures } from "../../src/core/model/ingress-figures.ts";
import type { PeerMeasurement } from "../../src/core/mesh/judge-peer.ts";
import { DavitError } from "../../src/core/model/errors.ts";
import {
  ID_BYTES,
  idFromBytes,
  idSourceFrom,
  type NodeId,
  type TaskId,
  type TokenId,
} from "../../src/core/model/ids.ts";
import type { AuditDraft, AuditEntry, DavitEvent } from "../../src/core/model/records.ts";
import type { JoinProgress, JoinRequest } from "../../src/core/model/views.ts";
import { applyChanges, type World } from "../../src/core/model/world.ts";
import { createCalendar } from "../../src/system/calendar.ts";
import { createHasher } from "../../src/system/hasher.ts";
import { WorldModel } from "./world-model.ts";

/** The context that commands get in tests: digests are real, ids random unless seeded. */
export function commandContext(nowMs: number, seed: string = idFromBytes(randomBytes(ID_BYTES))): CommandContext {
  return { nowMs, newId: idSourceFrom(seed), ...createHasher(), nextTick: createCalendar() };
}

export class MemoryBackend implements Backend {
  readonly model = new WorldModel();
  readonly entries: AuditEntry[] = [];
  readonly history: DavitEvent[] = [];
  readonly #key = randomBytes(32);
  readonly #listeners = new Set<() => void>();
  readonly #eventListeners = new Set<(events: readonly DavitEvent[]) => void>();
  readonly #used = new Map<TokenId, number>();
  #revision = 0;
  /** Events up to this number are no longer kept. */
  forgottenUpTo = 0;
  /** What a task's node answers: lines, then how it ends. */
  logsOf: (id: TaskId, options: TaskLogOptions) => { readonly lines: readonly TaskLogLine[]; readonly fails?: string } =
    () => ({ lines: [] });
  /** What an exec stream does with its frames. */
  execOf: (options: TaskExecOptions) => Duplex = () => new PassThrough();
  /** Steps that a join reports, and how it ends. */
  joinSteps: readonly JoinProgress[] = [];
  joinFails: DavitError | undefined;
  /** Nodes by id that take over no routes; all others have those of the newest revision. */
  readonly behind = new Set<string>();

  world(): World {
    const world = this.model.world();
    const nodes = [...world.state.node.values()].filter(({ id }) => !this.behind.has(id));
    const upToDate = { workApplied: this.#revision, routesApplied: this.#revision };
    return { ...world, progress: new Map(nodes.map(({ id }) => [id, upToDate])) };
  }

  revision(): number {
    return this.#revision;
  }

  epoch(): number {
    return 1;
  }

  nowMs(): number {
    return this.model.nowMs;
  }

  async mutate<Result>(command: Command<Result>): Promise<Mutated<Result>> {
    const outcome = command(this.model.state, commandContext(this.nowMs()));
    for (const guard of outcome.guards) {
      const record = this.model.state[guard.kind].get(guard.id) as { readonly index: number } | undefined;
      if ((record?.index ?? 0) !== guard.index)
        throw new DavitError("out_of_sequence", `${guard.kind} ${guard.id} is not at index ${guard.index}`);
    }
    if (outcome.changes.length + outcome.events.length + outcome.audit.length === 0)
      return { result: outcome.result, revision: this.#revision, events: [] };
    applyChanges(this.model.state, outcome.changes);
    this.#revision += 1;
    const events = outcome.events.map((event, at) => ({
      ...event,
      revision: this.#revision,
      seq: this.history.length + at + 1,
      atMs: this.nowMs(),
    }));
    this.history.push(...events);
    for (const entry of outcome.audit) this.#keep(entry);
    for (const listener of this.#eventListeners) listener(events);
    this.changed();
    return { result: outcome.result, revision: this.#revision, events };
  }

  dryRun<Result>(command: Command<Result>): Result {
    return command(this.model.state, commandContext(this.nowMs())).result;
  }

  refused(entry: AuditDraft): void {
    this.#keep(entry);
  }

  #keep(entry: AuditDraft): void {
    this.entries.push({ ...entry, revision: this.#revision, seq: this.entries.length + 1, atMs: this.nowMs() });
  }

  onChange(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  /** Something else than a command changed the world: agents worked, time passed. */
  changed(): void {
    for (const listener of this.#listeners) listener();
  }

  /** Time goes by, agents work, and the API is told. */
  run(forMs: number): void {
    this.model.run(forMs);
    this.changed();
  }

  async events(sinceSeq: number, limit: number): Promise<EventPage> {
    const kept = this.history.filter((event) => event.seq > this.forgottenUpTo);
    return {
      events: kept.filter((event) => event.seq > sinceSeq).slice(0, limit),
      oldestSeq: this.forgottenUpTo + 1,
      newestSeq: this.history.length,
    };
  }

  onEvents(listener: (events: readonly DavitEvent[]) => void): () => void {
    this.#eventListeners.add(listener);
    return () => void this.#eventListeners.delete(listener);
  }

  async audit(sinceSeq: number, limit: number): Promise<readonly AuditEntry[]> {
    return this.entries.filter((entry) => entry.seq > sinceSeq).slice(0, limit);
  }

  async join(request: JoinRequest, onProgress: (progress: JoinProgress) => void): Promise<NodeId> {
    for (const progress of this.joinSteps) onProgress(progress);
    if (this.joinFails !== undefined) throw this.joinFails;
    return this.model.node(request.name ?? request.host);
  }

  async removeNode(id: NodeId, _options: NodeRemoval, onProgress: (progress: JoinProgress) => void): Promise<void> {
    onProgress({ step: "agent", state: "done", message: "removed", elapsedMs: 1 });
    await this.mutate(removeNode(id));
  }

  async taskLogs(id: TaskId, options: TaskLogOptions, onLine: (line: TaskLogLine) => void): Promise<void> {
    const { lines, fails } = this.logsOf(id, options);
    for (const line of lines) onLine(line);
    if (fails !== undefined) throw new DavitError("unavailable", fails);
  }

  async openExec(_id: TaskId, options: TaskExecOptions): Promise<Duplex> {
    return this.execOf(options);
  }

  /** What is measured towards a node; tests change it. */
  measureOf: (peer: NodeId) => PeerMeasurement = (peer) => ({
    nodeId: peer,
    name: "peer",
    endpoint: "192.0.2.2:51820",
    encryption: "wireguard",
    hasKey: true,
    handshakeAgoS: 3,
    hostAnswers: true,
    small: { sent: 10, back: 10, medianMs: 0.4 },
    full: { sent: 5, back: 5, bytes: 1_420 },
  });

  async nodeState(id: NodeId): Promise<unknown> {
    return { nodeId: id };
  }

  async measurePeer(_id: NodeId, peer: NodeId, _withStream: boolean): Promise<PeerMeasurement> {
    return this.measureOf(peer);
  }

  /** What a node's ingress has counted; tests change it. */
  figuresOf: (node: NodeId) => NodeIngressFigures = () => [];

  /** Requests that a node's ingress has logged; tests change it. */
  accessLinesOf: (node: NodeId, service: string) => readonly TaskLogLine[] = () => [];

  async ingressFigures(id: NodeId): Promise<NodeIngressFigures> {
    return this.figuresOf(id);
  }

  async accessLog(
    id: NodeId,
    service: string,
    _options: TaskLogOptions,
    onLine: (line: TaskLogLine) => void,
  ): Promise<void> {
    for (const line of this.accessLinesOf(id, service)) onLine(line);
  }

  nodeContact(): { readonly message: string; readonly routesBehindMs: number } {
    return { message: "", routesBehindMs: 0 };
  }

  sealCertificate(name: string, certificatePem: string, keyPem: string): SealedCertificate {
    const { pem, ...rest } = inspectCertificate(name, certificatePem, keyPem, this.nowMs());
    return { ...rest, sealedPem: this.seal(pem) };
  }

  unitOf(name: string): number {
    return (name.length % 10) / 10;
  }

  seal(text: string): string {
    return seal(this.#key, text);
  }

  tokenUsed(id: TokenId): void {
    this.#used.set(id, this.nowMs());
  }

  tokenLastUsedMs(id: TokenId): number | undefined {
    return this.#used.get(id);
  }
}
