// A node's half of the streams between agents, with its peers' halves in the test's hand: tokens and words are real, the network is a pair of
// queues.

import { beforeAll } from "vitest";
import { createIssuerKey, type IssuerKeyPair } from "../../src/auth/keys.ts";
import { createSigner } from "../../src/auth/signer.ts";
import { createVerifier } from "../../src/auth/verifier.ts";
import { asId, type NodeId } from "../../src/core/model/ids.ts";
import type { Endpoint, MeshNode, MeshRoutes, Standing } from "../../src/core/model/routes.ts";
import type { PeerLinks, PeerStream } from "../../src/ports/peer-links.ts";
import type { Claims, Signer } from "../../src/ports/signer.ts";
import { Peers } from "../../workers/agent/peers/peers.ts";
import { FakeClock, settle } from "../fakes/fake-clock.ts";
import { silentLog, taskId } from "./agent-world.ts";
import { until } from "./link.ts";

export const [SELF, PEER, THIRD] = [1, 2, 3].map((number) => asId<"node">(`n${number}`.padEnd(25, "0"))) as [
  NodeId,
  NodeId,
  NodeId,
];

/** By node. */
export let keys: Readonly<Record<string, IssuerKeyPair>>;
beforeAll(async () => {
  keys = { [SELF]: await createIssuerKey(), [PEER]: await createIssuerKey(), [THIRD]: await createIssuerKey() };
});

function signerOf(id: string): Signer {
  const pair = keys[id];
  if (pair === undefined) throw new Error(`no key of ${id}`);
  return createSigner(() => [{ kid: pair.kid, privateJwk: pair.privateJwk, createdAtMs: 0 }]);
}

export class Queue implements PeerStream {
  peer: Queue | undefined;
  readonly sent: { readonly type: string }[] = [];
  closed: string | undefined;
  #receive: (frame: { readonly type: string }) => void = () => {};
  #onClose: (reason: string) => void = () => {};

  send(frame: { readonly type: string; readonly [field: string]: unknown }): void {
    if (this.closed !== undefined) return;
    this.sent.push(frame);
    const text = JSON.stringify(frame);
    queueMicrotask(() => this.peer?.closed ?? this.peer?.take(JSON.parse(text) as { readonly type: string }));
  }

  take(frame: { readonly type: string }): void {
    this.#receive(frame);
  }

  onFrame(receive: (frame: { readonly type: string }) => void): void {
    this.#receive = receive;
  }

  onClose(closed: (reason: string) => void): void {
    this.#onClose = closed;
    if (this.closed !== undefined) closed(this.closed);
  }

  close(reason: string): void {
    if (this.closed !== undefined) return;
    this.closed = reason;
    this.#onClose(reason);
    queueMicrotask(() => this.peer?.close("the other side closed it"));
  }
}

function queues(): readonly [Queue, Queue] {
  const [mine, theirs] = [new Queue(), new Queue()];
  mine.peer = theirs;
  theirs.peer = mine;
  return [mine, theirs];
}

class TestLinks implements PeerLinks {
  accept: (stream: PeerStream, from: string) => void = () => {};
  readonly dialled: Queue[] = [];
  readonly tried: string[] = [];
  isThere = true;
  canDial = true;

  async dial(): Promise<PeerStream> {
    if (!this.canDial) throw new Error("connection refused");
    const [mine, theirs] = queues();
    this.dialled.push(theirs);
    return mine;
  }

  async listenAt(_address: string, accept: (stream: PeerStream, from: string) => void): Promise<void> {
    this.accept = accept;
  }

  async answers(address: string): Promise<boolean> {
    this.tried.push(address);
    return this.isThere;
  }

  close(): void {}
}

export function nodeOf(id: NodeId, number: number): MeshNode {
  return {
    nodeId: id,
    name: `n${number}`,
    number,
    subnet: `10.210.${number}.0/24`,
    meshAddress: `10.210.0.${number}`,
    endpoint: { host: `10.0.0.${number}`, port: 51_820 },
    agentKey: keys[id]?.publicJwk ?? "",
  };
}

export function endpoint(id: NodeId, number: number, standing: Standing = "in"): Endpoint {
  return { taskId: taskId(number), nodeId: id, address: `10.210.${number}.9`, slot: number, weight: 100, standing };
}

/** A node whose peers are told what to say. */
export class PeerWorld {
  readonly clock = new FakeClock();
  readonly links = new TestLinks();
  endpoints: readonly Endpoint[] = [endpoint(SELF, 1), endpoint(PEER, 2), endpoint(THIRD, 3)];
  ready: ReadonlySet<string> | undefined = new Set([taskId(1)]);
  isGranted = true;
  changes = 0;
  #nonces = 0;
  readonly peers = new Peers({
    links: this.links,
    verifierOf: (key) => createVerifier(() => [key]),
    nodeId: SELF,
    clock: this.clock,
    log: silentLog,
    signer: signerOf(SELF),
    newNonce: () => `nonce-${++this.#nonces}`,
    fraction: () => 0.5,
    isGranted: () => this.isGranted,
    ready: () => this.ready,
    endpoints: () => this.endpoints,
    onChange: () => void (this.changes += 1),
  });

  async begin(...nodes: readonly MeshNode[]): Promise<this> {
    this.follow(...(nodes.length === 0 ? [nodeOf(SELF, 1), nodeOf(PEER, 2), nodeOf(THIRD, 3)] : nodes));
    await this.clock.advance(1);
    return this;
  }

  follow(...nodes: readonly MeshNode[]): void {
    const mesh: MeshRoutes = {
      kind: "mesh",
      addressPool: "10.210.0.0/16",
      servicePool: "10.210.224.0/19",
      encryption: "wireguard",
      port: 51_820,
      nodes,
    };
    this.peers.follow(mesh);
  }

  /** Connects from an address; gives the speaker's end. */
  async connect(from = "10.210.0.2"): Promise<Queue> {
    const [mine, theirs] = queues();
    this.links.accept(mine, from);
    await settle();
    return theirs;
  }

  standing(number: number): Standing | undefined {
    const one = this.endpoints.find(({ taskId: id }) => id === taskId(number));
    return one === undefined ? undefined : this.peers.standingOf(one);
  }

  /** A stream of the peer that is proved, and said this. */
  async spoken(...ready: readonly number[]): Promise<Queue> {
    const stream = await this.connect();
    stream.send({ type: "speak", token: await tokenOf(PEER, { challenge: this.nonceOf(stream) }) });
    await until("the proof was looked at", () => heard(stream) > 0);
    await this.say(stream, ...ready);
    return stream;
  }

  async say(stream: Queue, ...ready: readonly number[]): Promise<void> {
    stream.send({ type: "ready", tasks: ready.map((number) => taskId(number)) });
    await settle();
  }

  nonceOf(stream: Queue): string {
    return stream.peer?.sent.flatMap((frame) => ("nonce" in frame ? [String(frame.nonce)] : []))[0] ?? "";
  }
}

export function heard(stream: Queue): number {
  return (stream.peer?.sent ?? []).filter(({ type }) => type === "heard").length;
}

/** A token as a speaker makes it, but for these claims. */
export function tokenOf(by: NodeId, claims: Partial<Claims>): Promise<string> {
  const iat = 1_000;
  return signerOf(by).sign({ iss: by, sub: by, aud: SELF, scope: "peer:ready", iat, exp: iat + 60, ...claims });
}

/** The same claims, by the same key, with another challenge: all but one thing is right. */
export async function resigned(token: string, challenge: string): Promise<string> {
  const claims = JSON.parse(Buffer.from(token.split(".")[1] ?? "", "base64url").toString()) as Claims;
  const { kid } = JSON.parse(Buffer.from(token.split(".")[0] ?? "", "base64url").toString()) as {
    readonly kid: string;
  };
  const by = Object.entries(keys).find(([, pairOf]) => pairOf.kid === kid)?.[0] ?? "";
  return await signerOf(by).sign({ ...claims, challenge });
}
