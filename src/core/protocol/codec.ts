// Frames to bytes and back: JSON texts ended by a newline, with a limit on the length of a line. Pure but for its own buffer.

import { DavitError } from "../model/errors.ts";
import type { Routes } from "../model/routes.ts";
import { type Frame, MAX_FRAME_BYTES, type RoutesFrame } from "./frames.ts";

type RoutesSection = Routes["sections"][string];

const encoder = new TextEncoder();

/** Routes as they were encoded: the same frames go to every node. */
const encodedRoutes = new WeakMap<RoutesFrame, Uint8Array>();
/** Nodes that hold different routes lack many of the same sections. */
const encodedSections = new WeakMap<RoutesSection, Uint8Array>();

/** One frame as it goes over the wire. */
export function encodeFrame(frame: Frame): Uint8Array {
  if (frame.type === "routes") return once(encodedRoutes, frame, encodeRoutes);
  return encoder.encode(`${JSON.stringify(frame)}\n`);
}

/** A section of routes as it goes over the wire, made once. */
export function encodeSection(section: RoutesSection): Uint8Array {
  return once(encodedSections, section, (one) => encoder.encode(JSON.stringify(one)));
}

function once<Thing extends object>(
  made: WeakMap<Thing, Uint8Array>,
  thing: Thing,
  encode: (thing: Thing) => Uint8Array,
): Uint8Array {
  const known = made.get(thing);
  if (known !== undefined) return known;
  const bytes = encode(thing);
  made.set(thing, bytes);
  return bytes;
}

/** The same JSON as any other frame's, with its sections put in as they were encoded before. */
function encodeRoutes({ delta: { put, ...delta }, ...frame }: RoutesFrame): Uint8Array {
  const parts: Uint8Array[] = [];
  for (const [key, section] of Object.entries(put)) {
    parts.push(encoder.encode(`${parts.length === 0 ? "" : ","}${JSON.stringify(key)}:`), encodeSection(section));
  }
  const [before, after] = [JSON.stringify(frame).slice(0, -1), JSON.stringify(delta).slice(1)];
  return joined([encoder.encode(`${before},"delta":{"put":{`), ...parts, encoder.encode(`},${after}}\n`)]);
}

function joined(parts: readonly Uint8Array[]): Uint8Array {
  const whole = new Uint8Array(parts.reduce((bytes, part) => bytes + part.length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
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
    const line = joined(this.#pending);
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
