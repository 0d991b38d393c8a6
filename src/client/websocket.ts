// The client's half of a websocket (RFC 6455) on a stream that was upgraded already: binary messages out, masked; messages in, pings
// answered. Bun's own WebSocket can be opened on a URL only, and ours may come over SSH.

import { randomBytes } from "node:crypto";
import type { Duplex } from "node:stream";

const OPCODE = { continuation: 0, text: 1, binary: 2, close: 8, ping: 9, pong: 10 } as const;
/** Larger than any exec frame. */
const MAX_MESSAGE_BYTES = 4 * 1024 * 1024;

export type WebSocketStream = {
  send(bytes: Uint8Array): void;
  close(): void;
};

export type WebSocketEvents = {
  readonly onMessage: (bytes: Uint8Array) => void;
  /** Once; empty when it was closed in order. */
  readonly onClose: (reason: string) => void;
};

/** The headers that ask for a websocket. */
export function upgradeHeaders(): Readonly<Record<string, string>> {
  return {
    connection: "Upgrade",
    upgrade: "websocket",
    "sec-websocket-version": "13",
    "sec-websocket-key": randomBytes(16).toString("base64"),
  };
}

/** Speaks on an upgraded stream; `head`: bytes that came with the headers. */
export function openWebSocket(socket: Duplex, head: Uint8Array, events: WebSocketEvents): WebSocketStream {
  let isClosed = false;
  const finish = (reason: string): void => {
    if (isClosed) return;
    isClosed = true;
    socket.destroy();
    events.onClose(reason);
  };
  const send = (opcode: number, payload: Uint8Array): void => {
    if (!isClosed) socket.write(encodeFrame(opcode, payload));
  };
  const decoder = new FrameDecoder((opcode, payload) => {
    if (opcode === OPCODE.ping) send(OPCODE.pong, payload);
    else if (opcode === OPCODE.close) {
      send(OPCODE.close, payload);
      finish("");
    } else if (opcode !== OPCODE.pong) events.onMessage(payload);
  });
  const receive = (chunk: Uint8Array): void => {
    try {
      decoder.push(chunk);
    } catch (error) {
      finish(error instanceof Error ? error.message : String(error));
    }
  };
  if (head.length > 0) queueMicrotask(() => receive(head));
  socket.on("data", receive);
  socket.on("error", (error) => finish(error.message));
  socket.on("close", () => finish("the connection was closed"));
  return {
    send: (bytes) => send(OPCODE.binary, bytes),
    close: () => {
      send(OPCODE.close, new Uint8Array([3, 232]));
      finish("");
    },
  };
}

function encodeFrame(opcode: number, payload: Uint8Array): Uint8Array {
  const { length } = payload;
  const extra = length < 126 ? 0 : length < 65_536 ? 2 : 8;
  const bytes = new Uint8Array(2 + extra + 4 + length);
  const view = new DataView(bytes.buffer);
  bytes[0] = 0x80 | opcode;
  bytes[1] = 0x80 | (extra === 0 ? length : extra === 2 ? 126 : 127);
  if (extra === 2) view.setUint16(2, length);
  if (extra === 8) view.setBigUint64(2, BigInt(length));
  const mask = randomBytes(4);
  bytes.set(mask, 2 + extra);
  for (let at = 0; at < length; at++) bytes[6 + extra + at] = (payload[at] ?? 0) ^ (mask[at & 3] ?? 0);
  return bytes;
}

class FrameDecoder {
  #pending: Uint8Array = new Uint8Array();
  #message: Uint8Array[] = [];
  readonly #receive: (opcode: number, payload: Uint8Array) => void;

  constructor(receive: (opcode: number, payload: Uint8Array) => void) {
    this.#receive = receive;
  }

  push(chunk: Uint8Array): void {
    this.#pending = Buffer.concat([this.#pending, chunk]);
    while (this.#take()) {
      // one frame after the other
    }
  }

  #take(): boolean {
    const bytes = this.#pending;
    if (bytes.length < 2) return false;
    const [first = 0, second = 0] = bytes;
    const short = second & 0x7f;
    const extra = short === 126 ? 2 : short === 127 ? 8 : 0;
    if (bytes.length < 2 + extra) return false;
    const view = new DataView(bytes.buffer, bytes.byteOffset);
    const length = extra === 0 ? short : extra === 2 ? view.getUint16(2) : Number(view.getBigUint64(2));
    if (length > MAX_MESSAGE_BYTES) throw new Error(`a message of ${length} bytes is too large`);
    const from = 2 + extra;
    if (bytes.length < from + length) return false;
    const payload = bytes.slice(from, from + length);
    this.#pending = bytes.subarray(from + length);
    this.#deliver((first & 0x80) !== 0, first & 0x0f, payload);
    return true;
  }

  /** Control frames come between the parts of a message and are whole. */
  #deliver(isFinal: boolean, opcode: number, payload: Uint8Array): void {
    if (opcode >= OPCODE.close) {
      this.#receive(opcode, payload);
      return;
    }
    this.#message.push(payload);
    if (!isFinal) return;
    const whole = this.#message.length === 1 ? payload : Buffer.concat(this.#message);
    this.#message = [];
    this.#receive(OPCODE.binary, whole);
  }
}
