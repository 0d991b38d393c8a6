// The speaking half of the agents' streams: to each peer one, opened again whenever it ends or is not answered; on each the whole list of the
// node's ready tasks, at once when it changes and at every interval all the same.

import { reasonOf } from "../../../src/core/model/errors.ts";
import type { NodeId } from "../../../src/core/model/ids.ts";
import type { MeshNode } from "../../../src/core/model/routes.ts";
import { textIn } from "../../../src/core/protocol/peer-frames.ts";
import type { Clock, Timer } from "../../../src/ports/clock.ts";
import type { Log } from "../../../src/ports/log.ts";
import type { PeerStream } from "../../../src/ports/peer-links.ts";

const FIRST_REDIAL_MS = 200;
const LAST_REDIAL_MS = 2_000;
/** Words about changes keep this distance, so that many changes at once are few words. */
const CHANGES_MS = 50;
/** Intervals without an answer after which a stream is taken for dead. */
const DEAF_INTERVALS = 6;

export type SpeakingContext = {
  readonly clock: Clock;
  readonly log: Log;
  readonly intervalMs: number;
  /** Between 0 and 1. */
  readonly fraction: () => number;
  readonly dial: (address: string) => Promise<PeerStream>;
  /** The answer to a peer's challenge. */
  readonly sign: (to: NodeId, challenge: string) => Promise<string>;
  /** Ids of the ready tasks; undefined while that is not known. */
  readonly ready: () => readonly string[] | undefined;
};

export class SpeakingToPeers {
  readonly #context: SpeakingContext;
  readonly #lines = new Map<NodeId, { readonly line: Line; readonly address: string }>();
  #lastMs = Number.NEGATIVE_INFINITY;
  #soon: Timer | undefined;
  #regular: Timer | undefined;

  constructor(context: SpeakingContext) {
    this.#context = context;
  }

  /** These are the peers now. */
  retain(peers: readonly MeshNode[]): void {
    const wanted = new Map(peers.map((peer) => [peer.nodeId, peer]));
    for (const [id, { line, address }] of this.#lines) {
      if (wanted.get(id)?.meshAddress === address) continue;
      line.stop();
      this.#lines.delete(id);
    }
    for (const peer of peers) {
      if (this.#lines.has(peer.nodeId)) continue;
      const line = new Line(this.#context, peer);
      this.#lines.set(peer.nodeId, { line, address: peer.meshAddress });
      line.open();
    }
    this.#regular ??= this.#context.clock.after(this.#context.intervalMs, () => this.#onInterval());
  }

  /** The ready tasks may be others. */
  changed(): void {
    if (this.#soon !== undefined) return;
    const waitMs = this.#lastMs + CHANGES_MS - this.#context.clock.bootMs();
    if (waitMs <= 0) return this.#speak();
    this.#soon = this.#context.clock.after(waitMs, () => {
      this.#soon = undefined;
      this.#speak();
    });
  }

  stop(): void {
    this.#soon?.cancel();
    this.#regular?.cancel();
    for (const { line } of this.#lines.values()) line.stop();
    this.#lines.clear();
  }

  #onInterval(): void {
    this.#regular = this.#context.clock.after(this.#context.intervalMs, () => this.#onInterval());
    this.#speak();
  }

  #speak(): void {
    this.#lastMs = this.#context.clock.bootMs();
    for (const { line } of this.#lines.values()) line.speak();
  }
}

/** The stream to one peer, over all its openings. */
class Line {
  readonly #context: SpeakingContext;
  readonly #peer: MeshNode;
  #stream: PeerStream | undefined;
  #isProved = false;
  #isStopped = false;
  #heardMs = 0;
  #redialMs = FIRST_REDIAL_MS;
  #redial: Timer | undefined;

  constructor(context: SpeakingContext, peer: MeshNode) {
    this.#context = context;
    this.#peer = peer;
  }

  open(): void {
    const { dial, clock } = this.#context;
    dial(this.#peer.meshAddress).then(
      (stream) => {
        if (this.#isStopped) return stream.close("the agent stops");
        this.#stream = stream;
        this.#isProved = false;
        this.#heardMs = clock.bootMs();
        stream.onClose((reason) => this.#ended(stream, reason));
        stream.onFrame((frame) => this.#take(stream, frame));
      },
      (error: unknown) => this.#openLater(reasonOf(error)),
    );
  }

  speak(): void {
    const { ready, clock, intervalMs } = this.#context;
    const stream = this.#stream;
    if (stream === undefined) return;
    if (clock.bootMs() - this.#heardMs > intervalMs * DEAF_INTERVALS) return stream.close("the peer does not answer");
    const tasks = this.#isProved ? ready() : undefined;
    if (tasks !== undefined) stream.send({ type: "ready", tasks });
  }

  stop(): void {
    this.#isStopped = true;
    this.#redial?.cancel();
    this.#stream?.close("the agent stops");
  }

  #take(stream: PeerStream, frame: { readonly type: string }): void {
    if (this.#stream !== stream) return;
    this.#heardMs = this.#context.clock.bootMs();
    if (frame.type === "heard") {
      this.#redialMs = FIRST_REDIAL_MS;
      if (this.#isProved) return;
      this.#isProved = true;
      return this.speak();
    }
    const nonce = frame.type === "challenge" ? textIn(frame, "nonce") : undefined;
    if (nonce === undefined) return stream.close("the peer speaks another language");
    this.#context
      .sign(this.#peer.nodeId, nonce)
      .then((token) => {
        if (this.#stream === stream) stream.send({ type: "speak", token });
      })
      .catch((error: unknown) => stream.close(reasonOf(error)));
  }

  #ended(stream: PeerStream, reason: string): void {
    if (this.#stream !== stream) return;
    this.#stream = undefined;
    this.#openLater(reason);
  }

  #openLater(reason: string): void {
    if (this.#isStopped) return;
    const { log, clock, fraction } = this.#context;
    log.debug("no stream to a peer", { peer: this.#peer.name, reason });
    this.#redial = clock.after(this.#redialMs * (0.5 + fraction() / 2), () => this.open());
    this.#redialMs = Math.min(this.#redialMs * 2, LAST_REDIAL_MS);
  }
}
