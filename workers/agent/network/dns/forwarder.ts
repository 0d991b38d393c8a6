// Asks the host's own resolvers what is not the cluster's: each question from a socket of its own, whose port nobody can guess, with an end
// to the wait and to how many are under way. The host's resolv.conf is read anew when it changes, so that split DNS stays as it is there.

import { randomInt } from "node:crypto";
import { readFile, stat } from "node:fs/promises";
import type { Clock } from "../../../../src/ports/clock.ts";
import { failureFor } from "./respond.ts";
import { nameserversIn } from "./resolv-conf.ts";

/** For one server; then the next is asked. */
const TRY_MS = 1_500;
const MAX_SERVERS = 3;
/** Under way in all, and for one asker: a container that floods must not stop the others' names. */
const MAX_UNDER_WAY = 512;
const MAX_FOR_ONE = 128;
const RELOOK_MS = 2_000;
const DNS_PORT = 53;

export class Forwarder {
  readonly #clock: Clock;
  readonly #path: string;
  readonly #own: () => ReadonlySet<string>;
  readonly #port: number;
  readonly #underWay = new Map<string, number>();
  #count = 0;
  #servers: readonly string[] = [];
  #lookedAtMs = -Infinity;
  #changedMs = -1;

  /** `path`: the host's resolv.conf. `own`: addresses of davit's own resolvers, which are never asked from here. */
  constructor(clock: Clock, path: string, own: () => ReadonlySet<string>, port = DNS_PORT) {
    this.#clock = clock;
    this.#path = path;
    this.#own = own;
    this.#port = port;
  }

  /** The answer as it came, or a failure in its place; never rejects. `servers`: whom to ask instead of the host's. */
  async ask(
    query: Uint8Array,
    asker: string,
    over: "udp" | "tcp",
    servers: readonly string[] | undefined,
  ): Promise<Uint8Array> {
    const underWay = this.#underWay.get(asker) ?? 0;
    if (this.#count >= MAX_UNDER_WAY || underWay >= MAX_FOR_ONE) return failureFor(query);
    this.#count++;
    this.#underWay.set(asker, underWay + 1);
    try {
      for (const server of (servers ?? (await this.#hostServers())).slice(0, MAX_SERVERS)) {
        const answer = await this.#askOne(server, query, over);
        if (answer !== undefined) return answer;
      }
      return failureFor(query);
    } finally {
      this.#count--;
      const left = (this.#underWay.get(asker) ?? 1) - 1;
      if (left === 0) this.#underWay.delete(asker);
      else this.#underWay.set(asker, left);
    }
  }

  async #hostServers(): Promise<readonly string[]> {
    const nowMs = this.#clock.bootMs();
    if (nowMs < this.#lookedAtMs + RELOOK_MS) return this.#servers;
    this.#lookedAtMs = nowMs;
    try {
      const { mtimeMs } = await stat(this.#path);
      if (mtimeMs !== this.#changedMs) {
        this.#servers = nameserversIn(await readFile(this.#path, "utf8"), this.#own());
        this.#changedMs = mtimeMs;
      }
    } catch {
      // the file is being replaced, or gone: what was known goes on
    }
    return this.#servers;
  }

  async #askOne(server: string, query: Uint8Array, over: "udp" | "tcp"): Promise<Uint8Array | undefined> {
    // another number for each question, so that an answer cannot be made up without hearing it
    const sent = Buffer.from(query);
    sent.writeUInt16BE(randomInt(0x10000), 0);
    const { promise, resolve } = Promise.withResolvers<Uint8Array | undefined>();
    const take = (bytes: Uint8Array): void => {
      if (!answers(sent, bytes)) return;
      const answer = Buffer.from(bytes);
      query.slice(0, 2).forEach((byte, at) => (answer[at] = byte));
      resolve(answer);
    };
    const timer = this.#clock.after(TRY_MS, () => resolve(undefined));
    const close = await (over === "udp" ? askByUdp : askByTcp)(server, this.#port, sent, take, () =>
      resolve(undefined),
    );
    try {
      return await promise;
    } finally {
      timer.cancel();
      close();
    }
  }
}

type Ask = (
  server: string,
  port: number,
  query: Uint8Array,
  take: (bytes: Uint8Array) => void,
  fail: () => void,
) => Promise<() => void>;

const askByUdp: Ask = async (server, port, query, take, fail) => {
  try {
    // connected: the kernel drops what comes from anywhere else
    const socket = await Bun.udpSocket({
      connect: { hostname: server, port },
      socket: { data: (_, bytes) => take(bytes), error: () => fail() },
    });
    socket.send(query);
    return () => socket.close();
  } catch {
    fail();
    return () => {};
  }
};

const askByTcp: Ask = async (server, port, query, take, fail) => {
  try {
    const frames = new TcpFrames(take);
    const socket = await Bun.connect({
      hostname: server,
      port,
      socket: { data: (_, bytes) => frames.push(bytes), close: () => fail(), error: () => fail() },
    });
    socket.write(framed(query));
    return () => socket.end();
  } catch {
    fail();
    return () => {};
  }
};

/** The same number and the same question, as far as a server gave it back. */
function answers(query: Buffer, bytes: Uint8Array): boolean {
  if (bytes.length < 12 || bytes[0] !== query[0] || bytes[1] !== query[1]) return false;
  if (((bytes[2] ?? 0) & 0x80) === 0) return false;
  const end = questionEnd(query);
  const isEcho = Buffer.from(bytes.subarray(12, end)).equals(query.subarray(12, end));
  return isEcho || bytes[5] === 0;
}

function questionEnd(query: Uint8Array): number {
  let at = 12;
  while (at < query.length && query[at] !== 0) at += (query[at] ?? 0) + 1;
  return at + 5;
}

/** A message with its length in front, as TCP carries it. */
export function framed(message: Uint8Array): Uint8Array {
  const bytes = Buffer.alloc(message.length + 2);
  bytes.writeUInt16BE(message.length, 0);
  bytes.set(message, 2);
  return bytes;
}

/** Cuts a stream into messages. */
export class TcpFrames {
  readonly #take: (message: Uint8Array) => void;
  #rest: Buffer = Buffer.alloc(0);

  constructor(take: (message: Uint8Array) => void) {
    this.#take = take;
  }

  push(bytes: Uint8Array): void {
    this.#rest = Buffer.concat([this.#rest, bytes]);
    while (this.#rest.length >= 2) {
      const end = 2 + this.#rest.readUInt16BE(0);
      if (this.#rest.length < end) return;
      const message = this.#rest.subarray(2, end);
      this.#rest = this.#rest.subarray(end);
      this.#take(message);
    }
  }
}
