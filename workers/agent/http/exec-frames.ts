// Frames of an exec stream, both ways: [1 byte type][4 bytes length, big endian][payload]. The same frames go through the
// coordinator's websockets, one per message. Pure but for its buffer.

import { DavitError } from "../../../src/core/model/errors.ts";

export const EXEC_FRAME = { stdin: 0, stdout: 1, stderr: 2, resize: 3, exit: 4, error: 5 } as const;
export type ExecFrameType = (typeof EXEC_FRAME)[keyof typeof EXEC_FRAME];
export type ExecFrame = { readonly type: number; readonly payload: Uint8Array };

const HEADER_BYTES = 5;
/** Terminals and pipes move far less at once. */
export const MAX_EXEC_PAYLOAD_BYTES = 1024 * 1024;

export function encodeExecFrame(type: ExecFrameType, payload: Uint8Array): Uint8Array {
  const frame = new Uint8Array(HEADER_BYTES + payload.length);
  frame[0] = type;
  new DataView(frame.buffer).setUint32(1, payload.length);
  frame.set(payload, HEADER_BYTES);
  return frame;
}

export class ExecFrameDecoder {
  #rest: Uint8Array = new Uint8Array(0);

  /** Throws `too_large` for a payload beyond MAX_EXEC_PAYLOAD_BYTES. */
  push(chunk: Uint8Array): ExecFrame[] {
    const bytes = new Uint8Array(this.#rest.length + chunk.length);
    bytes.set(this.#rest);
    bytes.set(chunk, this.#rest.length);
    const view = new DataView(bytes.buffer);
    const frames: ExecFrame[] = [];
    let at = 0;
    while (bytes.length - at >= HEADER_BYTES) {
      const length = view.getUint32(at + 1);
      if (length > MAX_EXEC_PAYLOAD_BYTES)
        throw new DavitError("too_large", `read exec stream: a frame of ${length} bytes`);
      if (bytes.length - at - HEADER_BYTES < length) break;
      frames.push({ type: view.getUint8(at), payload: bytes.slice(at + HEADER_BYTES, at + HEADER_BYTES + length) });
      at += HEADER_BYTES + length;
    }
    this.#rest = bytes.slice(at);
    return frames;
  }
}
