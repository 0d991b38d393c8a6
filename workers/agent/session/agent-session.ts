// One conversation with a coordinator, seen from the node: challenge, opening, beats and grants, work in, observations out. It knows
// ports only. What several sessions share (lease, epoch, held work) is in SessionShared; a newer session ends the older.

import { reasonOf } from "../../../src/core/model/errors.ts";
import { type Epoch, BEAT_INTERVAL_MS } from "../../../src/core/model/lease.ts";
import type { TaskStatus } from "../../../src/core/model/records.ts";
import type { RoutesDelta } from "../../../src/core/model/routes.ts";
import type { WorkDelta } from "../../../src/core/model/work.ts";
import {
  type AgentFrame,
  type CoordinatorFrame,
  type Grant,
  type Open,
  PROTOCOL_VERSION,
  type Refuse,
  type RoutesFrame,
} from "../../../src/core/protocol/frames.ts";
import type { Timer } from "../../../src/ports/clock.ts";
import { ConfigFetcher } from "../configs/config-fetcher.ts";
import { checkOpening } from "../trust/check-token.ts";
import type { AgentStream } from "./agent-stream.ts";
import type { SessionShared } from "./shared.ts";

/** Frames of observations are so far apart at least: the first is sent at once, what is seen meanwhile goes with the next. */
export const OBSERVE_BATCH_MS = 30;
/** A coordinator that connects and then says nothing is let go. */
export const OPENING_TIMEOUT_MS = 10_000;

export class AgentSession {
  readonly #stream: AgentStream;
  readonly #shared: SessionShared;
  readonly #nonce: string;
  readonly #configs: ConfigFetcher;
  #epoch: Epoch | undefined;
  #isOpen = false;
  #isClosed = false;
  #work: Promise<void> = Promise.resolve();
  #openingTimer: Timer;
  #beatTimer: Timer | undefined;
  #batchTimer: Timer | undefined;
  /** Boot time of the last frame of observations. */
  #flushedAtMs = Number.NEGATIVE_INFINITY;
  readonly #changed = new Map<string, TaskStatus>();
  readonly #gone = new Set<string>();
  /** Parts of a change of the routes whose last part has not come. */
  #routesParts: RoutesDelta[] = [];

  constructor(stream: AgentStream, shared: SessionShared) {
    this.#stream = stream;
    this.#shared = shared;
    this.#nonce = shared.newNonce();
    this.#configs = new ConfigFetcher((frame) => stream.send(frame), shared.clock);
    this.#openingTimer = shared.clock.after(OPENING_TIMEOUT_MS, () => this.close("no opening in time"));
    stream.onFrame((frame) => this.#receive(frame));
    stream.onClose((reason) => this.#end(reason));
    stream.send({
      type: "challenge",
      protocol: PROTOCOL_VERSION,
      agentVersion: shared.agentVersion,
      nodeId: shared.nodeId,
      nonce: this.#nonce,
      knownKeys: shared.issuerKeys.ids,
    });
  }

  /** Tells of changed tasks, within OBSERVE_BATCH_MS. */
  observe(statuses: readonly TaskStatus[], gone: readonly string[]): void {
    if (!this.#isOpen || this.#isClosed) return;
    for (const status of statuses) {
      this.#changed.set(status.id, status);
      this.#gone.delete(status.id);
    }
    for (const id of gone) {
      this.#gone.add(id);
      this.#changed.delete(id);
    }
    const sinceMs = this.#shared.clock.bootMs() - this.#flushedAtMs;
    this.#batchTimer ??= this.#shared.clock.after(Math.max(0, OBSERVE_BATCH_MS - sinceMs), () => this.#flush());
  }

  /** Sends a frame of facts; nothing before the opening. */
  tell(frame: Extract<AgentFrame, { readonly type: "node" | "measured" | "applied" | "called" }>): void {
    if (this.#isOpen && !this.#isClosed) this.#stream.send(frame);
  }

  /** The contents of a config that the work mounts. Rejects with DavitError `not_found` or `unavailable`. */
  fetchConfig(config: string): Promise<Uint8Array> {
    return this.#configs.fetch(config);
  }

  refuse(code: Refuse["code"], message: string): void {
    if (this.#isClosed) return;
    this.#shared.log.warn("coordinator refused", { code, message });
    this.#stream.send({ type: "refuse", code, message });
    this.close(message);
  }

  close(reason: string): void {
    this.#end(reason);
    this.#stream.close(reason);
  }

  #end(reason: string): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#openingTimer.cancel();
    this.#beatTimer?.cancel();
    this.#batchTimer?.cancel();
    this.#configs.end(reason);
    this.#shared.ended(this, reason);
  }

  /** Frames are worked off one by one: a grant never waits, work is durable before the next work is looked at. */
  #receive(frame: CoordinatorFrame): void {
    if (this.#isClosed) return;
    if (frame.type === "grant") return this.#takeGrant(frame);
    this.#work = this.#work.then(() => this.#take(frame)).catch((error: unknown) => this.close(reasonOf(error)));
  }

  async #take(frame: Exclude<CoordinatorFrame, Grant>): Promise<void> {
    if (this.#isClosed) return;
    switch (frame.type) {
      case "open":
        return this.#open(frame);
      case "work":
        return this.#takeWork(frame.delta);
      case "routes":
        return this.#takeRoutes(frame);
      case "config":
      case "noConfig":
        return this.#configs.take(frame);
      case "bye":
        return this.close(`the coordinator said goodbye: ${frame.message}`);
      case "refuse":
        return this.close(`the coordinator refused: ${frame.message}`);
      default:
        this.#shared.log.warn("unknown frame ignored", { frame: String((frame as { readonly type: unknown }).type) });
    }
  }

  async #open(frame: Open): Promise<void> {
    if (this.#isOpen) return this.refuse("protocol", "a session is opened once");
    if (frame.protocol !== PROTOCOL_VERSION)
      return this.refuse("protocol", `this agent speaks protocol ${PROTOCOL_VERSION}, not ${frame.protocol}`);
    const shared = this.#shared;
    let opening: Awaited<ReturnType<typeof checkOpening>>;
    try {
      opening = await checkOpening(shared.verifier, frame.token, shared.nodeId, this.#nonce);
    } catch (error) {
      return this.refuse("unauthenticated", reasonOf(error));
    }
    const obedience = await shared.epochs.obey(opening.epoch, frame.chain);
    if (obedience.kind === "forked") return this.refuse("forked_history", obedience.message);
    await shared.issuerKeys.replace(frame.issuerKeys);
    const token = await shared.signChallenge(frame.nonce);
    const node = await shared.nodeFacts();
    if (this.#isClosed) return;
    // while this opening waited, a later start of the coordinator may have been obeyed
    if (shared.epochs.newest?.nonce !== opening.epoch.nonce)
      return this.refuse("superseded", "a later start of the coordinator took its place");
    shared.issuerTime.learn(opening.issuedAtMs);
    this.#epoch = opening.epoch;
    this.#openingTimer.cancel();
    this.#isOpen = true;
    shared.opened(this);
    const { held, routes } = shared;
    this.#stream.send({
      type: "welcome",
      token,
      ...(held.position === undefined ? {} : { held: held.position }),
      heldHashes: held.hashes,
      ...(routes.position === undefined ? {} : { routes: { held: routes.position, hashes: routes.hashes } }),
      node,
      tasks: shared.statuses(),
    });
    this.observe([], shared.goneTasks());
    shared.sendProgress();
    this.#beat();
  }

  #beat(): void {
    if (this.#isClosed) return;
    const seq = this.#shared.lease.beat();
    this.#stream.send({ type: "beat", seq });
    this.#beatTimer = this.#shared.clock.after(BEAT_INTERVAL_MS, () => this.#beat());
  }

  #takeGrant(grant: Grant): void {
    const epoch = this.#epoch;
    if (!this.#isOpen || epoch === undefined || grant.epoch !== epoch.epoch || grant.nonce !== epoch.nonce) return;
    this.#shared.issuerTime.learn(grant.issuerTimeMs);
    this.#shared.lease.granted(grant.seq, grant.leaseMs, grant.work, this.#shared.held.position);
  }

  async #takeWork(delta: WorkDelta): Promise<void> {
    if (!this.#isOpen) return this.refuse("protocol", "work before the opening");
    const receipt = await this.#shared.held.receive(delta);
    switch (receipt.kind) {
      case "kept":
        return this.#shared.workReceived(receipt.changed);
      case "stale":
        return this.#shared.log.warn("stale work ignored", { epoch: delta.epoch, generation: delta.generation });
      case "resync":
        if (!this.#isClosed) this.#stream.send({ type: "resync" });
    }
  }

  async #takeRoutes({ delta, more }: RoutesFrame): Promise<void> {
    if (!this.#isOpen) return this.refuse("protocol", "routes before the opening");
    this.#routesParts.push(delta);
    if (more === true) return this.#stream.send({ type: "moreRoutes" });
    const parts = this.#routesParts;
    this.#routesParts = [];
    const put = Object.assign({}, ...parts.map((part) => part.put)) as RoutesDelta["put"];
    const receipt = await this.#shared.routes.receive({ ...delta, put, drop: parts.flatMap((part) => part.drop) });
    switch (receipt.kind) {
      case "kept":
        return this.#shared.routesReceived();
      case "stale":
        return this.#shared.log.warn("stale routes ignored", { epoch: delta.epoch, generation: delta.generation });
      case "resync":
        if (!this.#isClosed) this.#stream.send({ type: "resync", of: "routes" });
    }
  }

  #flush(): void {
    this.#batchTimer = undefined;
    this.#flushedAtMs = this.#shared.clock.bootMs();
    if (this.#changed.size === 0 && this.#gone.size === 0) return;
    this.#stream.send({ type: "observe", tasks: [...this.#changed.values()], gone: [...this.#gone] });
    this.#changed.clear();
    this.#gone.clear();
  }
}
