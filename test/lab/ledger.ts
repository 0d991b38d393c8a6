// A client that keeps a ledger of every request it made: on kept connections, on new ones, with large bodies, and of messages over WebSockets.
// It retries nothing. A connection that the server closed between two requests is no failure, as it is none for any client; one that ends
// after a request was written and before its answer was whole is.

import { connect, type Socket } from "node:net";
import { connect as connectTls } from "node:tls";

export type LedgerTarget = {
  readonly address: string;
  readonly port: number;
  readonly host: string;
  readonly path?: string;
  /** PEM of what the server's certificate must be signed by; absent: no TLS. */
  readonly ca?: string;
};

export type Entry = {
  readonly kind: "kept" | "new" | "upload" | "socket";
  readonly target: string;
  /** Milliseconds of the client's clock. */
  readonly atMs: number;
  /** The client's own port, once it had one. */
  readonly from?: number;
  readonly tookMs: number;
  /** Nothing was answered on this connection before. */
  readonly isFirst: boolean;
  /** It failed on a connection that stood, by the server's end of it. */
  readonly wasEnded?: boolean;
  /** What the answer said, of 200 ones. */
  readonly body?: string;
  readonly failure?: string;
};

const ANSWER_TIMEOUT_MS = 20_000;
const UPLOAD = Buffer.alloc(256 * 1024, "x");

type Answer = { readonly status: number; readonly body: string; readonly isKept: boolean };

/** A request and what became of it, for people; times since `startMs` of the client's clock. */
export function describeEntry({ kind, target, from, atMs, tookMs, failure }: Entry, startMs: number): string {
  const what = `${kind} to ${target} from port ${from ?? "?"}`;
  return `${what} at ${((atMs - startMs) / 1_000).toFixed(3)} s, after ${tookMs.toFixed(1)} ms: ${failure ?? "answered"}`;
}

/** One connection, and what is read from it. */
class Connection {
  readonly socket: Socket;
  /** The client's own port: a socket that is reset forgets it. */
  readonly from: number | undefined;
  isOver = false;
  #buffer = Buffer.alloc(0);
  #wake: () => void = () => undefined;
  #failure: string | undefined;

  private constructor(socket: Socket) {
    this.socket = socket;
    this.from = socket.localPort;
    socket.on("data", (chunk: Buffer) => {
      this.#buffer = Buffer.concat([this.#buffer, chunk]);
      this.#wake();
    });
    socket.on("error", (error) => this.#end(error.message));
    socket.on("end", () => this.#end("closed by the server"));
    socket.on("close", () => this.#end("closed"));
  }

  static open(target: LedgerTarget): Promise<Connection> {
    const { address, port, host, ca } = target;
    return new Promise((resolve, reject) => {
      const socket =
        ca === undefined
          ? connect({ host: address, port })
          : connectTls({ host: address, port, servername: host, ca, ALPNProtocols: ["http/1.1"] });
      const timer = setTimeout(() => reject(new Error("no connection in time")), ANSWER_TIMEOUT_MS);
      socket.once("error", reject);
      socket.once(ca === undefined ? "connect" : "secureConnect", () => {
        clearTimeout(timer);
        socket.removeListener("error", reject);
        socket.setNoDelay(true);
        resolve(new Connection(socket));
      });
    });
  }

  #end(reason: string): void {
    this.isOver = true;
    this.#failure ??= reason;
    this.#wake();
  }

  /** Bytes up to and with `mark`, or so many bytes. */
  async take(what: Buffer | number): Promise<Buffer> {
    const late = performance.now() + ANSWER_TIMEOUT_MS;
    for (;;) {
      const end = typeof what === "number" ? what : this.#buffer.indexOf(what) + what.length;
      const isThere = typeof what === "number" ? this.#buffer.length >= what : end >= what.length;
      if (isThere) {
        const taken = this.#buffer.subarray(0, end);
        this.#buffer = this.#buffer.subarray(end);
        return taken;
      }
      if (this.isOver) throw new Error(this.#failure);
      const left = late - performance.now();
      if (left <= 0) throw new Error("no answer in time");
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, left);
        this.#wake = () => {
          clearTimeout(timer);
          resolve();
        };
      });
    }
  }

  async ask(target: LedgerTarget, method: string, isKept: boolean, body?: Buffer): Promise<Answer> {
    const head = [
      `${method} ${target.path ?? "/"} HTTP/1.1`,
      `Host: ${target.host}`,
      `Connection: ${isKept ? "keep-alive" : "close"}`,
      ...(body === undefined ? [] : [`Content-Length: ${body.length}`]),
    ];
    this.socket.write(`${head.join("\r\n")}\r\n\r\n`);
    if (body !== undefined) this.socket.write(body);
    return await this.answer();
  }

  async answer(): Promise<Answer> {
    const head = (await this.take(Buffer.from("\r\n\r\n"))).toString("latin1").toLowerCase();
    const status = Number(head.slice(9, 12));
    const length = /\r\ncontent-length: *(\d+)/.exec(head)?.[1];
    let body = "";
    if (head.includes("transfer-encoding: chunked")) {
      for (;;) {
        const size = Number.parseInt((await this.take(Buffer.from("\r\n"))).toString("latin1"), 16);
        body += (await this.take(size + 2)).subarray(0, size).toString("utf8");
        if (size === 0) break;
      }
    } else if (length !== undefined) body = (await this.take(Number(length))).toString("utf8");
    return { status, body, isKept: !/\r\nconnection: *close/.test(head) };
  }
}

/** Clients of some targets, going on until they are stopped. */
export class Ledger {
  readonly entries: Entry[] = [];
  /** WebSockets that ended before they were told to, with why. */
  readonly endedSockets: string[] = [];
  /** Kept connections that the server ended between two answers. */
  endedKept = 0;
  #isStopped = false;
  readonly #work: Promise<void>[] = [];

  /** `pauseMs` between the requests of one client. */
  keepAsking(target: LedgerTarget, kind: "kept" | "new" | "upload", clients: number, pauseMs = 0): void {
    for (let at = 0; at < clients; at++) this.#work.push(this.#ask(target, kind, pauseMs));
  }

  /** A message on each socket every `everyMs`; a socket that ends is opened again. */
  keepTalking(target: LedgerTarget, sockets: number, everyMs: number): void {
    for (let at = 0; at < sockets; at++) this.#work.push(this.#talk(target, everyMs));
  }

  async stop(): Promise<void> {
    this.#isStopped = true;
    await Promise.all(this.#work);
  }

  get failures(): readonly Entry[] {
    return this.entries.filter(({ failure }) => failure !== undefined);
  }

  /** How many of a kind there are. */
  count(kind: Entry["kind"]): number {
    return this.entries.filter((entry) => entry.kind === kind).length;
  }

  async #ask(target: LedgerTarget, kind: "kept" | "new" | "upload", pauseMs: number): Promise<void> {
    let connection: Connection | undefined;
    let isFirst = true;
    const isKept = kind !== "new";
    while (!this.#isStopped) {
      const started = performance.now();
      if (connection?.isOver === true) {
        this.endedKept += 1;
        connection = undefined;
      }
      isFirst = connection === undefined;
      try {
        connection ??= await Connection.open(target);
        const isUpload = kind === "upload";
        const answer = await connection.ask(target, isUpload ? "POST" : "GET", isKept, isUpload ? UPLOAD : undefined);
        const body = answer.body;
        const isGood = answer.status === 200;
        this.#note(
          target,
          kind,
          started,
          isGood ? { isFirst, body } : { isFirst, failure: `${answer.status} ${body}` },
        );
        if (!isKept || !answer.isKept) {
          if (isKept) this.endedKept += 1;
          connection.socket.destroy();
          connection = undefined;
        }
      } catch (error) {
        const wasEnded = connection?.isOver === true;
        const from = connection?.from;
        this.#note(target, kind, started, {
          isFirst,
          failure: String(error),
          wasEnded,
          ...(from === undefined ? {} : { from }),
        });
        connection?.socket.destroy();
        connection = undefined;
      }
      if (pauseMs > 0) await pause(pauseMs);
    }
    connection?.socket.destroy();
  }

  async #talk(target: LedgerTarget, everyMs: number): Promise<void> {
    while (!this.#isStopped) {
      let connection: Connection | undefined;
      try {
        connection = await Connection.open(target);
        await upgrade(connection, target);
        while (!this.#isStopped) {
          const started = performance.now();
          connection.socket.write(frame("hello"));
          const [, size = 0] = await connection.take(2);
          const body = (await connection.take(size)).toString("utf8");
          this.#note(target, "socket", started, { isFirst: false, body });
          await pause(everyMs);
        }
      } catch (error) {
        if (!this.#isStopped) this.endedSockets.push(String(error));
      }
      connection?.socket.destroy();
    }
  }

  #note(
    target: LedgerTarget,
    kind: Entry["kind"],
    started: number,
    rest: Pick<Entry, "isFirst" | "body" | "failure" | "wasEnded" | "from">,
  ): void {
    const tookMs = performance.now() - started;
    this.entries.push({ kind, target: `${target.address}:${target.port}`, atMs: started, tookMs, ...rest });
  }
}

async function upgrade(connection: Connection, target: LedgerTarget): Promise<void> {
  const head = [
    `GET ${target.path ?? "/"}ws HTTP/1.1`,
    `Host: ${target.host}`,
    "Connection: Upgrade",
    "Upgrade: websocket",
    "Sec-WebSocket-Version: 13",
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
  ];
  connection.socket.write(`${head.join("\r\n")}\r\n\r\n`);
  const answer = (await connection.take(Buffer.from("\r\n\r\n"))).toString("latin1");
  if (!answer.startsWith("HTTP/1.1 101")) throw new Error(`not upgraded: ${answer.split("\r\n")[0] ?? ""}`);
}

/** A short text as a client's frame: masked with zeros (RFC 6455). */
function frame(text: string): Buffer {
  return Buffer.concat([Buffer.from([0x81, 0x80 | text.length, 0, 0, 0, 0]), Buffer.from(text)]);
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
