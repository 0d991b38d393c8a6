// One open conversation with one agent: the opening (challenge, open, welcome), beats and grants, work that changed, observations.
// It awaits ports only. What is observed goes to `events`; what must be sent is asked of `sections` whenever something changed.

import { DavitError, reasonOf } from "../core/model/errors.ts";
import type { NodeId, TaskId } from "../core/model/ids.ts";
import { type EpochChain, LEASE_MS } from "../core/model/lease.ts";
import type { Node, TaskStatus } from "../core/model/records.ts";
import type { Work, WorkPosition } from "../core/model/work.ts";
import type { NodeProgress } from "../core/model/world.ts";
import {
  type AgentFrame,
  type Called,
  type Challenge,
  CONFIG_PART_CHARS,
  type MeasuredFrame,
  type Observe,
  PROTOCOL_VERSION,
  type WantConfig,
  type Welcome,
} from "../core/protocol/frames.ts";
import type { Clock } from "../ports/clock.ts";
import type { Log } from "../ports/log.ts";
import type { ControlStream } from "../ports/node-session.ts";
import { type RoutesChanges, type RoutesNow, RoutesSender } from "./routes-sender.ts";

/** An opening that takes longer is given up: the agent hangs, and another try costs little. */
export const OPENING_TIMEOUT_MS = 5_000;

/** What a session tells its owner. */
export interface SessionEvents {
  beat(id: NodeId): void;
  observed(id: NodeId, frame: Observe): void;
  facts(id: NodeId, facts: Welcome["node"]): void;
  measured(id: NodeId, frame: MeasuredFrame): void;
  called(id: NodeId, frame: Called): void;
  progress(id: NodeId, progress: Partial<NodeProgress>): void;
  closed(session: NodeSession, reason: string): void;
  /** The agent obeys another chain of epochs: this coordinator must stop. */
  forked(id: NodeId, message: string): void;
}

/** Makes and checks the two tokens of an opening. Implemented over the Signer and Verifier ports in auth. */
export interface SessionTrust {
  /** The coordinator's token for one node, bound to the agent's challenge, by the newest key that the agent knows. */
  openToken(node: Node, challenge: string, knownKeys: readonly string[] | undefined): Promise<string>;
  /** Rejects with `unauthenticated` unless the node's own key signed this challenge. */
  checkWelcome(node: Node, token: string, challenge: string): Promise<void>;
  /** Public keys (JWK texts) that agents must accept from now on. */
  issuerKeys(): readonly string[];
}

export type SessionContext = {
  readonly clock: Clock;
  readonly log: Log;
  readonly trust: SessionTrust;
  readonly chain: EpochChain;
  readonly events: SessionEvents;
  /** Fresh random text for the agent to sign. */
  readonly newNonce: () => string;
  /** Base64 of a config, if the node's work mounts it: contents go only to nodes that need them. */
  readonly configOf: (id: NodeId, config: string) => string | undefined;
  /** The node's work now, and the revision it is of. */
  readonly sections: (id: NodeId) => { readonly revision: number; readonly sections: Work["sections"] };
  /** What was last reported of a task of the node, if anything. */
  readonly statusOf: (taskId: TaskId) => TaskStatus | undefined;
  /** The routes now, the same for every node. */
  readonly routes: () => RoutesNow;
  readonly routesChanges: RoutesChanges;
  /** The agent has taken over the routes that it was sent: call `sendRoutes` soon. */
  readonly isFreeForRoutes: (session: NodeSession) => void;
};

export class NodeSession {
  readonly node: Node;
  readonly #stream: ControlStream;
  readonly #context: SessionContext;
  /** Hash by section key, as the agent has or will have it once it read all that was sent. */
  readonly #sent = new Map<string, string>();
  #position: WorkPosition | undefined;
  /** From then on each commit that touches its work is sent at once: the agent has all of it up to #position, or is about to. */
  #isWorkSent = false;
  #routes: RoutesSender | undefined;
  #closed: string | undefined;

  private constructor(node: Node, stream: ControlStream, context: SessionContext) {
    this.node = node;
    this.#stream = stream;
    this.#context = context;
  }

  /** Runs the opening on a fresh stream. Rejects in words, with the stream closed. */
  static async open(node: Node, stream: ControlStream, context: SessionContext): Promise<NodeSession> {
    const session = new NodeSession(node, stream, context);
    const inbox = new Inbox(stream, context.clock);
    try {
      const challenge = await inbox.next("challenge");
      await session.#answer(challenge);
      const welcome = await inbox.next("welcome");
      session.#begin(welcome);
      await session.#checkWelcome(welcome);
    } catch (error) {
      inbox.end();
      stream.close(reasonOf(error));
      if (error instanceof DavitError && error.code === "forked_history") context.events.forked(node.id, error.message);
      throw error;
    }
    inbox.handOver(
      (frame) => session.#receive(frame),
      (reason) => session.#end(reason),
    );
    return session;
  }

  #nonce = "";

  async #answer(challenge: Challenge): Promise<void> {
    if (challenge.protocol !== PROTOCOL_VERSION) {
      throw new DavitError(
        "not_supported",
        `open session with ${this.node.name}: its agent speaks protocol ${challenge.protocol}, this coordinator ${PROTOCOL_VERSION}`,
        {
          wayOut: `davit node rm ${this.node.name}, then join the host again with this coordinator: volumes keep their data`,
        },
      );
    }
    if (challenge.nodeId !== this.node.id) {
      throw new DavitError(
        "unauthenticated",
        `open session with ${this.node.name}: the agent there says it is node ${challenge.nodeId}`,
        {
          wayOut: `davit node rm --force ${this.node.name}, then join the host again`,
        },
      );
    }
    const { chain, trust, newNonce } = this.#context;
    this.#nonce = newNonce();
    const token = await trust.openToken(this.node, challenge.nonce, challenge.knownKeys);
    this.#stream.send({
      type: "open",
      protocol: PROTOCOL_VERSION,
      token,
      chain,
      nonce: this.#nonce,
      issuerKeys: trust.issuerKeys(),
    });
  }

  #begin(welcome: Welcome): void {
    const { chain, clock, routes, routesChanges, isFreeForRoutes, events } = this.#context;
    this.#position = welcome.held;
    for (const [key, hash] of Object.entries(welcome.heldHashes)) this.#sent.set(key, hash);
    this.#routes = new RoutesSender(
      {
        epoch: chain.at(-1)?.epoch ?? 0,
        now: routes,
        changes: routesChanges,
        isFree: () => isFreeForRoutes(this),
        bootMs: () => clock.bootMs(),
        send: (frame) => this.#stream.send(frame),
        applied: (routesApplied) => events.progress(this.node.id, { routesApplied }),
      },
      welcome.routes,
    );
  }

  async #checkWelcome(welcome: Welcome): Promise<void> {
    const { events, trust } = this.#context;
    await trust.checkWelcome(this.node, welcome.token, this.#nonce);
    events.facts(this.node.id, welcome.node);
    events.observed(this.node.id, { type: "observe", tasks: welcome.tasks, gone: [] });
  }

  #receive(frame: AgentFrame): void {
    const { events } = this.#context;
    const { id } = this.node;
    switch (frame.type) {
      case "beat":
        return this.#grant(frame.seq);
      case "observe":
        return events.observed(id, frame);
      case "node":
        return events.facts(id, frame.node);
      case "measured":
        return events.measured(id, frame);
      case "called":
        return events.called(id, frame);
      case "applied":
        events.progress(id, { workApplied: frame.applied.generation });
        return frame.routes === undefined ? undefined : this.#routes?.progress(frame.routes);
      case "moreRoutes":
        return this.#routes?.more();
      case "resync":
        if (frame.of === "routes") return this.#routes?.resync();
        this.#sent.clear();
        this.#position = undefined;
        return this.sendWork();
      case "wantConfig":
        return this.#sendConfigPart(frame);
      case "refuse":
        return this.close(`refused by the agent: ${frame.message}`);
      case "challenge":
      case "welcome":
        return this.close(`the agent sent ${frame.type} twice`);
      default:
        return this.#context.log.warn("unknown frame ignored", {
          node: this.node.name,
          frame: String((frame as { type: unknown }).type),
        });
    }
  }

  #grant(seq: number): void {
    const { clock, chain, events } = this.#context;
    const newest = chain.at(-1);
    if (newest === undefined) return;
    // the coordinator's lease counts from now, before the answer is on its way
    events.beat(this.node.id);
    this.#stream.send({
      type: "grant",
      seq,
      epoch: newest.epoch,
      nonce: newest.nonce,
      leaseMs: LEASE_MS,
      issuerTimeMs: clock.nowMs(),
      ...(this.#isWorkSent && this.#position !== undefined ? { work: this.#position } : {}),
    });
  }

  /** Sends what the agent does not have yet of its work; nothing if it has all. */
  sendWork(): void {
    if (this.#closed !== undefined) return;
    this.#isWorkSent = true;
    const { revision, sections } = this.#context.sections(this.node.id);
    const put: Record<string, Work["sections"][string]> = {};
    for (const [key, section] of Object.entries(sections)) if (this.#sent.get(key) !== section.hash) put[key] = section;
    const drop = [...this.#sent.keys()].filter((key) => sections[key] === undefined);
    if (this.#position !== undefined && Object.keys(put).length === 0 && drop.length === 0) return;
    const position: WorkPosition = { epoch: this.#context.chain.at(-1)?.epoch ?? 0, generation: revision };
    const rest = this.#position === undefined ? { known: this.#knownOf(sections) } : { base: this.#position };
    this.#stream.send({ type: "work", delta: { ...position, ...rest, put, drop } });
    for (const [key, section] of Object.entries(put)) this.#sent.set(key, section.hash);
    for (const key of drop) this.#sent.delete(key);
    this.#position = position;
  }

  #knownOf(sections: Work["sections"]): Record<string, TaskStatus> {
    const known: Record<string, TaskStatus> = {};
    for (const { content } of Object.values(sections)) {
      const status = content.kind === "task" ? this.#context.statusOf(content.taskId) : undefined;
      if (status !== undefined) known[status.id] = status;
    }
    return known;
  }

  /** Sends what the agent does not have yet of the routes, once it has what is on its way. */
  sendRoutes(): void {
    if (this.#closed === undefined) this.#routes?.look();
  }

  /** For how long, in milliseconds, it has had routes that it did not apply. */
  get routesBehindMs(): number {
    return this.#routes?.behindMs ?? 0;
  }

  #sendConfigPart({ config, offset }: WantConfig): void {
    const text = this.#context.configOf(this.node.id, config);
    if (text === undefined) return this.#stream.send({ type: "noConfig", config });
    const data = text.slice(offset, offset + CONFIG_PART_CHARS);
    this.#stream.send({ type: "config", config, offset, length: text.length, data });
  }

  /** Says goodbye if `farewell` is set, and closes. */
  close(reason: string, farewell = false): void {
    if (this.#closed !== undefined) return;
    if (farewell) this.#stream.send({ type: "bye", message: reason });
    this.#end(reason);
    this.#stream.close(reason);
  }

  #end(reason: string): void {
    if (this.#closed !== undefined) return;
    this.#closed = reason;
    this.#context.events.closed(this, reason);
  }
}

/** Takes frames one by one during the opening; after that hands them all to the session. */
class Inbox {
  readonly #frames: AgentFrame[] = [];
  #ended: string | undefined;
  #wake: (() => void) | undefined;
  #onFrame: ((frame: AgentFrame) => void) | undefined;
  #onClose: ((reason: string) => void) | undefined;
  readonly #timer;

  constructor(stream: ControlStream, clock: Clock) {
    this.#timer = clock.after(OPENING_TIMEOUT_MS, () =>
      this.#close(`no answer within ${OPENING_TIMEOUT_MS / 1_000} s`),
    );
    stream.onFrame((frame) => {
      if (this.#onFrame !== undefined) return this.#onFrame(frame);
      this.#frames.push(frame);
      this.#wake?.();
    });
    stream.onClose((reason) => this.#close(reason));
  }

  #close(reason: string): void {
    this.#ended ??= reason;
    this.#onClose?.(reason);
    this.#wake?.();
  }

  async next<Type extends "challenge" | "welcome">(type: Type): Promise<Extract<AgentFrame, { type: Type }>> {
    while (this.#frames.length === 0 && this.#ended === undefined)
      await new Promise<void>((resolve) => (this.#wake = resolve));
    const frame = this.#frames.shift();
    if (frame === undefined) throw new DavitError("unavailable", `open session: ${this.#ended ?? "closed"}`);
    if (frame.type === type) return frame as Extract<AgentFrame, { type: Type }>;
    if (frame.type === "refuse") {
      throw new DavitError(
        frame.code === "forked_history" ? "forked_history" : "unauthenticated",
        `open session: ${frame.message}`,
      );
    }
    throw new DavitError("invalid_input", `open session: expected ${type}, got ${frame.type}`);
  }

  end(): void {
    this.#timer.cancel();
  }

  handOver(onFrame: (frame: AgentFrame) => void, onClose: (reason: string) => void): void {
    this.#timer.cancel();
    this.#onClose = onClose;
    this.#onFrame = onFrame;
    for (const frame of this.#frames.splice(0)) onFrame(frame);
    if (this.#ended !== undefined) onClose(this.#ended);
  }
}
