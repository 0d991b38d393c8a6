// What this node knows of its peers' tasks beside its routes: it listens to each peer, speaks to each, and tries the endpoints of those that fell
// silent. For each endpoint of the routes it says whether it gets new connections, and wakes whoever asks when that may have changed.

import { reasonOf } from "../../../src/core/model/errors.ts";
import type { NodeId } from "../../../src/core/model/ids.ts";
import type { Endpoint, MeshRoutes, Standing } from "../../../src/core/model/routes.ts";
import { PEER_SCOPE } from "../../../src/core/protocol/peer-frames.ts";
import type { Clock, Timer } from "../../../src/ports/clock.ts";
import type { Log } from "../../../src/ports/log.ts";
import type { PeerLinks } from "../../../src/ports/peer-links.ts";
import type { Signer, Verifier } from "../../../src/ports/signer.ts";
import { ListeningToPeers } from "./listening-to-peers.ts";
import { PeerWords } from "./peer-words.ts";
import { SpeakingToPeers } from "./speaking-to-peers.ts";

/** How often each agent says which of its tasks are ready, when nothing changes. */
export const PEER_INTERVAL_MS = 500;
/** Endpoints that are tried at once. */
const MAX_TRIES = 64;
/** The challenge binds an agent's token to now; it names an end all the same. */
const TOKEN_SECONDS = 60;

export type PeerPorts = {
  readonly links: PeerLinks;
  /** Verifies what one key (JWK text) signed. */
  readonly verifierOf: (publicJwk: string) => Verifier;
  /** Milliseconds; absent: PEER_INTERVAL_MS. */
  readonly intervalMs?: number;
};

export type PeersContext = PeerPorts & {
  readonly nodeId: string;
  readonly clock: Clock;
  readonly log: Log;
  readonly signer: Signer;
  readonly newNonce: () => string;
  readonly fraction: () => number;
  readonly isGranted: () => boolean;
  /** Ids of the node's own ready tasks; undefined while that is not known. */
  readonly ready: () => ReadonlySet<string> | undefined;
  /** What the routes say now. */
  readonly endpoints: () => readonly Endpoint[];
  /** An endpoint's standing is another than before. */
  readonly onChange: () => void;
};

export class Peers {
  readonly #context: PeersContext;
  readonly #intervalMs: number;
  readonly #words: PeerWords;
  readonly #listening: ListeningToPeers;
  readonly #speaking: SpeakingToPeers;
  #mesh: MeshRoutes | undefined;
  #tick: Timer | undefined;
  #isStopped = false;
  readonly #trying = new Set<string>();
  /** Tasks whose standing is not what the routes say, as they were told last. */
  #overruled = "";
  /** Where the next round of tries begins, when there are more than may be tried at once. */
  #turn = 0;

  constructor(context: PeersContext) {
    const { nodeId, clock, log, verifierOf, newNonce, links, signer, ready, fraction } = context;
    this.#context = context;
    this.#intervalMs = context.intervalMs ?? PEER_INTERVAL_MS;
    this.#words = new PeerWords(this.#intervalMs);
    const onWord = (from: NodeId, tasks: ReadonlySet<string>): void => {
      if (this.#words.take(from, tasks, clock.bootMs())) this.#tellChange();
    };
    this.#listening = new ListeningToPeers({
      nodeId,
      clock,
      log,
      newNonce,
      verifierOf,
      peers: () => this.#peers(),
      onWord,
    });
    this.#speaking = new SpeakingToPeers({
      clock,
      log,
      intervalMs: this.#intervalMs,
      fraction,
      dial: (address) => links.dial(address),
      sign: (to, challenge) => signer.sign(claimsFor(nodeId, to, challenge, clock.nowMs())),
      ready: () => {
        const tasks = ready();
        return tasks === undefined ? undefined : [...tasks];
      },
    });
  }

  /** The mesh is in force as these routes say. */
  follow(mesh: MeshRoutes): void {
    if (this.#isStopped || this.#mesh === mesh) return;
    this.#mesh = mesh;
    const { clock } = this.#context;
    const peers = this.#peers();
    const ids = new Set(peers.map(({ nodeId }) => nodeId));
    this.#words.retain(ids, clock.bootMs());
    this.#listening.retain(ids);
    this.#speaking.retain(peers);
    this.#tick ??= clock.after(0, () => void this.#look());
  }

  /** The node's own ready tasks may be others. */
  changed(): void {
    this.#speaking.changed();
    this.#tellChange();
  }

  /** The routes are others: what they say and what is known beside them are compared from here on. Who told is looking at both anyway. */
  routesChanged(): void {
    this.#overruled = this.#context
      .endpoints()
      .flatMap((endpoint) => (this.standingOf(endpoint) === endpoint.standing ? [] : [endpoint.taskId]))
      .join();
  }

  stop(): void {
    this.#isStopped = true;
    this.#tick?.cancel();
    this.#speaking.stop();
    this.#context.links.close();
  }

  /** Whether an endpoint gets new connections from this node. */
  standingOf(endpoint: Endpoint): Standing {
    const { clock, isGranted, nodeId, ready } = this.#context;
    if (endpoint.nodeId === nodeId) {
      const own = endpoint.standing === "out" ? undefined : ready();
      return own === undefined ? endpoint.standing : own.has(endpoint.taskId) ? "in" : "waiting";
    }
    return this.#words.standingOf(endpoint, clock.bootMs(), isGranted());
  }

  #peers(): MeshRoutes["nodes"] {
    return this.#mesh?.nodes.filter(({ nodeId }) => nodeId !== this.#context.nodeId) ?? [];
  }

  async #look(): Promise<void> {
    const { clock, links, log, nodeId } = this.#context;
    const self = this.#mesh?.nodes.find((node) => node.nodeId === nodeId);
    // its own mesh address may be missing for a moment
    const listening =
      self === undefined
        ? Promise.resolve()
        : links.listenAt(self.meshAddress, (stream, from) => this.#listening.accept(stream, from));
    await listening.catch((error: unknown) => log.warn("cannot listen to peers", { reason: reasonOf(error) }));
    if (this.#isStopped) return;
    this.#lookForSilence();
    this.#tick = clock.after(this.#intervalMs, () => void this.#look());
  }

  #lookForSilence(): void {
    const { clock, endpoints } = this.#context;
    const nowMs = clock.bootMs();
    const silent = new Set(this.#peers().flatMap((p) => (this.#words.isSilent(p.nodeId, nowMs) ? [p.nodeId] : [])));
    const ofSilent = silent.size === 0 ? [] : endpoints().filter((e) => e.standing === "in" && silent.has(e.nodeId));
    this.#words.keepTried(new Set(ofSilent.map(({ address }) => address)));
    const first = ofSilent.length === 0 ? 0 : this.#turn % ofSilent.length;
    const inTurn = [...ofSilent.slice(first), ...ofSilent.slice(0, first)].slice(0, MAX_TRIES - this.#trying.size);
    this.#turn = first + inTurn.length;
    for (const { address } of inTurn) this.#try(address);
    // words count for a while only
    if (silent.size > 0 || this.#overruled !== "") this.#tellChange();
  }

  #try(address: string): void {
    if (this.#trying.has(address)) return;
    this.#trying.add(address);
    this.#answers(address)
      .then((answered) => {
        this.#trying.delete(address);
        if (this.#words.tried(address, answered)) this.#tellChange();
        return undefined;
      })
      .catch((error: unknown) => this.#context.log.error("cannot judge an endpoint", { reason: reasonOf(error) }));
  }

  #answers(address: string): Promise<boolean> {
    return this.#context.links.answers(address).catch(() => false);
  }

  #tellChange(): void {
    if (this.#isStopped) return;
    const before = this.#overruled;
    this.routesChanged();
    if (this.#overruled !== before) this.#context.onChange();
  }
}

function claimsFor(self: string, to: NodeId, challenge: string, nowMs: number): Parameters<Signer["sign"]>[0] {
  const iat = Math.floor(nowMs / 1_000);
  return { iss: self, sub: self, aud: to, scope: PEER_SCOPE, iat, exp: iat + TOKEN_SECONDS, challenge };
}
