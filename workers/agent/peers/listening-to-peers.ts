// The listening half of the agents' streams: who speaks must prove which node it is, and what it says is taken in one form only. Streams, sizes
// and rates are bounded, so that a peer that was taken over can waste little beside its own words.

import { checkClaims } from "../../../src/auth/claims.ts";
import { reasonOf } from "../../../src/core/model/errors.ts";
import type { NodeId } from "../../../src/core/model/ids.ts";
import type { MeshNode } from "../../../src/core/model/routes.ts";
import { PEER_SCOPE, readyTasks, textIn } from "../../../src/core/protocol/peer-frames.ts";
import type { Clock } from "../../../src/ports/clock.ts";
import type { Log } from "../../../src/ports/log.ts";
import type { PeerStream } from "../../../src/ports/peer-links.ts";
import type { Verifier } from "../../../src/ports/signer.ts";

/** One in use, one that supersedes it, two half dead ones. */
const MAX_STREAMS_OF_PEER = 4;
const PROOF_TIMEOUT_MS = 5_000;
/** Words of one stream within a second; ours are at most twenty-two. */
const MAX_WORDS = 60;
const RATE_WINDOW_MS = 1_000;

export type ListeningContext = {
  readonly nodeId: string;
  readonly clock: Clock;
  readonly log: Log;
  readonly newNonce: () => string;
  /** Verifies what one key (JWK text) signed. */
  readonly verifierOf: (publicJwk: string) => Verifier;
  /** Nodes that may speak. */
  readonly peers: () => readonly MeshNode[];
  readonly onWord: (nodeId: NodeId, tasks: ReadonlySet<string>) => void;
};

export class ListeningToPeers {
  readonly #context: ListeningContext;
  /** Open streams by the address that they come from. */
  readonly #open = new Map<string, Set<PeerStream>>();
  /** The one that counts, by node. */
  readonly #speaking = new Map<NodeId, PeerStream>();

  constructor(context: ListeningContext) {
    this.#context = context;
  }

  /** Somebody connected from `from`. */
  accept(stream: PeerStream, from: string): void {
    const peer = this.#context.peers().find((node) => node.meshAddress === from);
    const streams = this.#open.get(from) ?? new Set();
    if (peer === undefined || streams.size >= MAX_STREAMS_OF_PEER)
      return stream.close(peer === undefined ? "not a peer" : "too many streams");
    this.#open.set(from, streams.add(stream));
    new Hearing(this.#context, peer, stream, {
      proved: () => this.#proved(peer.nodeId, stream),
      ended: () => {
        streams.delete(stream);
        if (streams.size === 0 && this.#open.get(from) === streams) this.#open.delete(from);
        if (this.#speaking.get(peer.nodeId) === stream) this.#speaking.delete(peer.nodeId);
      },
    }).begin();
  }

  /** Streams of nodes that are no peers any more end. */
  retain(peers: ReadonlySet<NodeId>): void {
    for (const [id, stream] of this.#speaking) if (!peers.has(id)) stream.close("not a peer any more");
  }

  #proved(nodeId: NodeId, stream: PeerStream): void {
    const older = this.#speaking.get(nodeId);
    this.#speaking.set(nodeId, stream);
    if (older !== stream) older?.close("a newer stream took its place");
  }
}

/** One stream. */
class Hearing {
  readonly #context: ListeningContext;
  readonly #peer: MeshNode;
  readonly #stream: PeerStream;
  readonly #tell: { readonly proved: () => void; readonly ended: () => void };
  readonly #nonce: string;
  #state: "unproved" | "proving" | "proved" | "ended" = "unproved";
  #words = 0;
  #windowMs = 0;

  constructor(
    context: ListeningContext,
    peer: MeshNode,
    stream: PeerStream,
    tell: { readonly proved: () => void; readonly ended: () => void },
  ) {
    this.#context = context;
    this.#peer = peer;
    this.#stream = stream;
    this.#tell = tell;
    this.#nonce = context.newNonce();
  }

  begin(): void {
    const timer = this.#context.clock.after(PROOF_TIMEOUT_MS, () => {
      if (this.#state !== "proved") this.#cut("no proof in time");
    });
    this.#stream.onClose(() => {
      this.#state = "ended";
      timer.cancel();
      this.#tell.ended();
    });
    this.#stream.onFrame((frame) => this.#take(frame));
    this.#stream.send({ type: "challenge", nonce: this.#nonce });
  }

  #take(frame: { readonly type: string }): void {
    if (this.#state === "ended") return;
    if (this.#state === "unproved" && frame.type === "speak") {
      this.#state = "proving";
      this.#prove(textIn(frame, "token") ?? "").catch((error: unknown) => this.#cut(reasonOf(error)));
      return;
    }
    const tasks = this.#state === "proved" ? readyTasks(frame) : undefined;
    if (tasks === undefined) return this.#cut(`what is no word of a peer: ${JSON.stringify(frame.type).slice(0, 40)}`);
    if (this.#isTooOften()) return this.#cut("too many words");
    this.#context.onWord(this.#peer.nodeId, tasks);
    this.#stream.send({ type: "heard" });
  }

  async #prove(token: string): Promise<void> {
    const { verifierOf, nodeId } = this.#context;
    const { agentKey, nodeId: peerId } = this.#peer;
    if (agentKey === undefined) throw new Error("the routes do not tell its key");
    const claims = await verifierOf(agentKey).verify(token);
    checkClaims(claims, { audience: nodeId, issuer: peerId, scope: PEER_SCOPE, challenge: this.#nonce });
    if (this.#state !== "proving") return;
    // it may have left the cluster, or come back with another key, while its answer was looked at
    const isStill = this.#context.peers().some((node) => node.nodeId === peerId && node.agentKey === agentKey);
    if (!isStill) throw new Error("not a peer any more");
    this.#state = "proved";
    this.#tell.proved();
    this.#stream.send({ type: "heard" });
  }

  #isTooOften(): boolean {
    const nowMs = this.#context.clock.bootMs();
    if (nowMs - this.#windowMs >= RATE_WINDOW_MS) {
      this.#windowMs = nowMs;
      this.#words = 0;
    }
    this.#words += 1;
    return this.#words > MAX_WORDS;
  }

  #cut(reason: string): void {
    if (this.#state === "ended") return;
    this.#context.log.warn("peer cut", { peer: this.#peer.name, reason });
    this.#stream.close(reason);
  }
}
