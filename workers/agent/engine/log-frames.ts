// The engine's multiplexed stream of a container without a terminal: [1 byte stream][3 bytes 0][4 bytes length, big endian][payload].
// Pure but for its buffer; used for logs and for exec. With a terminal the bytes come raw, as stdout.

import { EngineError, type LogChunk } from "../../../src/ports/container-engine.ts";

const HEADER_BYTES = 8;
/** Docker cuts at 16 KiB; anything far larger is not this format. */
const MAX_PAYLOAD_BYTES = 64 * 1024 * 1024;

export class LogFrameDecoder {
  #rest: Uint8Array = new Uint8Array(0);

  /** Whole payloads so far. A payload in parts waits for its end. Throws EngineError on what cannot be a frame. */
  push(chunk: Uint8Array): LogChunk[] {
    const bytes = this.#rest.length === 0 ? chunk : join(this.#rest, chunk);
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    const chunks: LogChunk[] = [];
    let at = 0;
    while (bytes.length - at >= HEADER_BYTES) {
      const type = view.getUint8(at);
      const length = view.getUint32(at + 4);
      if (type > 3 || length > MAX_PAYLOAD_BYTES)
        throw new EngineError("failed", "read container output: not the engine's stream format");
      if (bytes.length - at - HEADER_BYTES < length) break;
      const payload = bytes.slice(at + HEADER_BYTES, at + HEADER_BYTES + length);
      chunks.push({ stream: type === 2 ? "stderr" : "stdout", bytes: payload });
      at += HEADER_BYTES + length;
    }
    this.#rest = bytes.slice(at);
    return chunks;
  }
}

function join(a: Uint8Array, b: Uint8Array): Uint8Array {
  const joined = new Uint8Array(a.length + b.length);
  joined.set(a);
  joined.set(b, a.length);
  return joined;
}
