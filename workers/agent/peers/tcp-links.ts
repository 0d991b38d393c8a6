// Streams to peers over TCP on the mesh, and the look whether a container's kernel answers. What waits to be written is bounded, and so is a line
// that comes in.

import { connect } from "node:net";
import type { Socket, TCPSocketListener } from "bun";
import { reasonOf } from "../../../src/core/model/errors.ts";
import { FrameDecoder } from "../../../src/core/protocol/codec.ts";
import { MAX_PEER_FRAME_BYTES, PEER_PORT, type PeerFrame } from "../../../src/core/protocol/peer-frames.ts";
import type { PeerLinks, PeerStream } from "../../../src/ports/peer-links.ts";

const DIAL_TIMEOUT_MS = 2_000;
const ANSWER_TIMEOUT_MS = 400;
/** A port that hardly anybody listens on: what is asked is whether the address is there. */
const ANSWER_PORT = 9;
/** Of all peers together; what each may have is the listener's to say. */
const MAX_STREAMS = 1_024;

type Receiver = {
  opened(socket: Socket<Receiver | undefined>): void;
  receive(bytes: Uint8Array): void;
  drain(): void;
  ended(reason: string): void;
};

const HANDLERS = {
  data: (socket: Socket<Receiver | undefined>, bytes: Uint8Array) => socket.data?.receive(bytes),
  drain: (socket: Socket<Receiver | undefined>) => socket.data?.drain(),
  close: (socket: Socket<Receiver | undefined>) => socket.data?.ended("the connection ended"),
  end: (socket: Socket<Receiver | undefined>) => socket.data?.ended("the peer ended the connection"),
  error: (socket: Socket<Receiver | undefined>, error: Error) => socket.data?.ended(error.message),
};

/** `port`: where agents listen; `answerPort`: what is knocked at. Others than the defaults are for tests. */
export class TcpLinks implements PeerLinks {
  readonly #port: number;
  readonly #answerPort: number;
  #listener: TCPSocketListener<Receiver | undefined> | undefined;
  #address: string | undefined;
  #streams = 0;

  constructor(port: number = PEER_PORT, answerPort: number = ANSWER_PORT) {
    this.#port = port;
    this.#answerPort = answerPort;
  }

  async dial(address: string): Promise<PeerStream> {
    const stream = new TcpStream();
    const connecting = Bun.connect<Receiver | undefined>({
      hostname: address,
      port: this.#port,
      data: stream,
      socket: { ...HANDLERS, open: (socket) => stream.opened(socket) },
    });
    const { promise: late, reject } = Promise.withResolvers<never>();
    const timer = setTimeout(() => {
      stream.close("too late");
      reject(new Error(`no connection to ${address} within ${DIAL_TIMEOUT_MS} ms`));
    }, DIAL_TIMEOUT_MS);
    try {
      await Promise.race([connecting, late]);
      return stream;
    } finally {
      clearTimeout(timer);
      connecting.catch(() => undefined);
    }
  }

  async listenAt(address: string, accept: (stream: PeerStream, from: string) => void): Promise<void> {
    if (this.#address === address) return;
    this.close();
    this.#listener = Bun.listen<Receiver | undefined>({
      hostname: address,
      port: this.#port,
      socket: {
        ...HANDLERS,
        open: (socket) => {
          this.#streams++;
          if (this.#streams > MAX_STREAMS) {
            socket.terminate();
            return;
          }
          const stream = new TcpStream();
          stream.opened(socket);
          socket.data = stream;
          accept(stream, socket.remoteAddress);
        },
        close: (socket) => {
          this.#streams--;
          HANDLERS.close(socket);
        },
      },
    });
    this.#address = address;
  }

  answers(address: string): Promise<boolean> {
    const { promise, resolve } = Promise.withResolvers<boolean>();
    const socket = connect({ host: address, port: this.#answerPort });
    socket.setTimeout(ANSWER_TIMEOUT_MS, () => resolve(false));
    socket.once("connect", () => resolve(true));
    socket.once("error", (error: NodeJS.ErrnoException) => resolve(error.code === "ECONNREFUSED"));
    return promise.finally(() => socket.destroy());
  }

  close(): void {
    this.#listener?.stop(true);
    this.#listener = undefined;
    this.#address = undefined;
  }
}

class TcpStream implements PeerStream, Receiver {
  readonly #decoder = new FrameDecoder(MAX_PEER_FRAME_BYTES);
  #socket: Socket<Receiver | undefined> | undefined;
  #waiting = new Uint8Array(0);
  #arrived: { readonly type: string }[] = [];
  #onFrame: ((frame: { readonly type: string }) => void) | undefined;
  #onClose: ((reason: string) => void) | undefined;
  #ended: string | undefined;

  opened(socket: Socket<Receiver | undefined>): void {
    this.#socket = socket;
    if (this.#ended !== undefined) socket.terminate();
  }

  send(frame: PeerFrame): void {
    if (this.#ended !== undefined) return;
    // whole lists: one that waits is replaced by the next only once it is gone, so that at most a few wait
    this.#waiting = Buffer.concat([this.#waiting, Buffer.from(`${JSON.stringify(frame)}\n`)]);
    if (this.#waiting.length > 2 * MAX_PEER_FRAME_BYTES) return this.close("the peer does not read");
    this.drain();
  }

  drain(): void {
    if (this.#waiting.length === 0 || this.#socket === undefined) return;
    const written = this.#socket.write(this.#waiting);
    if (written > 0) this.#waiting = this.#waiting.subarray(written);
  }

  receive(bytes: Uint8Array): void {
    if (this.#ended !== undefined) return;
    try {
      this.#arrived.push(...this.#decoder.push(bytes));
      this.#hand();
    } catch (error) {
      this.close(reasonOf(error));
    }
  }

  onFrame(receive: (frame: { readonly type: string }) => void): void {
    this.#onFrame = receive;
    this.#hand();
  }

  onClose(closed: (reason: string) => void): void {
    this.#onClose = closed;
    if (this.#ended !== undefined) closed(this.#ended);
  }

  close(reason: string): void {
    this.#socket?.terminate();
    this.ended(reason);
  }

  ended(reason: string): void {
    if (this.#ended !== undefined) return;
    this.#ended = reason;
    this.#arrived = [];
    this.#onClose?.(reason);
  }

  #hand(): void {
    if (this.#onFrame === undefined) return;
    for (const frame of this.#arrived.splice(0)) if (this.#ended === undefined) this.#onFrame(frame);
  }
}
