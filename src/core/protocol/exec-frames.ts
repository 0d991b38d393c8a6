// Frames of a command running in a container: 1 byte type, 4 bytes big-endian length, payload. The same over the agent's stream, where
// they follow each other, and over a websocket, one per message. Pure but for its own buffer.

import { DavitError } from "../model/errors.ts";

export const EXEC_FRAME = { stdin: 0, stdout: 1, stderr: 2, resize: 3, exit: 4, error: 5 } as const;
const HEADER_BYTES = 5;
/** Output comes in pieces of 64 KiB at most; a larger frame is no frame. */
const MAX_PAYLOAD_BYTES = 1024 * 1024;

export type ExecFrame = { readonly type: number; readonly payload: Uint8Array };

/** One frame as it goes over the wire. */
export function encodeExecFrame(type: number, payload: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(HEADER_BYTES + payload.length);
  bytes[0] = type;
  new DataView(bytes.buffer).setUint32(1, payload.length);
  bytes.set(payload, HEADER_BYTES);
  return bytes;
}

/** Collects bytes and gives whole frames. Throws `too_large`; the stream must then be closed. */
export class ExecFrameDecoder {
  #pending: Uint8Array = new Uint8Array();

  push(chunk: Uint8Array): ExecFrame[] {
    const bytes = new Uint8Array(this.#pending.length + chunk.length);
    bytes.set(this.#pending);
    bytes.set(chunk, this.#pending.length);
    const view = new DataView(bytes.buffer);
    const frames: ExecFrame[] = [];
    let at = 0;
    while (bytes.length - at >= HEADER_BYTES) {
      const length = view.getUint32(at + 1);
      if (length > MAX_PAYLOAD_BYTES)
        throw new DavitError(
          "too_large",
          `read exec stream: a frame of ${length} bytes is larger than ${MAX_PAYLOAD_BYTES}`,
        );
      const end = at + HEADER_BYTES + length;
      if (end > bytes.length) break;
      frames.push({ type: bytes[at] ?? 0, payload: bytes.subarray(at + HEADER_BYTES, end) });
      at = end;
    }
    this.#pending = bytes.slice(at);
    return frames;
  }
}
