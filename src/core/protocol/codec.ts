// Frames to bytes and back: JSON texts ended by a newline, with a limit on the length of a line. Pure but for its own buffer.

import { DavitError } from "../model/errors.ts";
import { type Frame, MAX_FRAME_BYTES } from "./frames.ts";

const encoder = new TextEncoder();

/** Routes as they were encoded: the same frames go to every node. */
const encodedRoutes = new WeakMap<Frame, Uint8Array>();

/** One frame as it goes over the wire. */
export function encodeFrame(frame: Frame): Uint8Array {
  const known = encodedRoutes.get(frame);
  if (known !== undefined) return known;
  const bytes = encoder.encode(`${JSON.stringify(frame)}\n`);
  if (frame.type === "routes") encodedRoutes.set(frame, bytes);
  return bytes;
}

/** Collects bytes and gives whole frames. Throws `too_large` or `invalid_input`; the stream must then be closed. */
export class FrameDecoder {
  #pending: Uint8Array[] = [];
  #pendingBytes = 0;
  readonly #decoder = new TextDecoder("utf-8", { fatal: true });
  readonly #maxBytes: number;

  constructor(maxBytes: number = MAX_FRAME_BYTES) {
    this.#maxBytes = maxBytes;
  }

  push(chunk: Uint8Array): Frame[] {
    const frames: Frame[] = [];
    let from = 0;
    for (let end = chunk.indexOf(10); end !== -1; end = chunk.indexOf(10, from)) {
      this.#keep(chunk.subarray(from, end));
      frames.push(this.#take());
      from = end + 1;
    }
    this.#keep(chunk.slice(from));
    return frames;
  }

  #keep(part: Uint8Array): void {
    this.#pendingBytes += part.length;
    if (this.#pendingBytes > this.#maxBytes) {
      throw new DavitError("too_large", `read control stream: a frame is larger than ${this.#maxBytes} bytes`);
    }
    if (part.length > 0) this.#pending.push(part);
  }

  #take(): Frame {
    const line = new Uint8Array(this.#pendingBytes);
    let at = 0;
    for (const part of this.#pending) {
      line.set(part, at);
      at += part.length;
    }
    this.#pending = [];
    this.#pendingBytes = 0;
    try {
      const value: unknown = JSON.parse(this.#decoder.decode(line));
      if (typeof value === "object" && value !== null && typeof (value as { type?: unknown }).type === "string")
        return value as Frame;
    } catch (cause) {
      throw new DavitError("invalid_input", "read control stream: a line is not JSON", { cause });
    }
    throw new DavitError("invalid_input", "read control stream: a frame has no type");
  }
}
