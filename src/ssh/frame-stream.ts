// A control stream over any duplex: frames in order, one being written and a bounded queue behind it. What cannot be written while the queue is
// full means that the other side has stopped reading: the stream is closed as stuck, so that the node is tried anew and nothing piles up.

import type { Duplex } from "node:stream";
import { reasonOf } from "../core/model/errors.ts";
import { encodeFrame, FrameDecoder } from "../core/protocol/codec.ts";
import { type AgentFrame, type CoordinatorFrame, MAX_QUEUED_BYTES } from "../core/protocol/frames.ts";
import type { ControlStream } from "../ports/node-session.ts";

/** Wraps a duplex. `connectionClosed` tells why, when the connection below it ends; `release` is called once when the stream has ended. */
export function openFrameStream(duplex: Duplex, connectionClosed: Promise<string>, release: () => void): ControlStream {
  return new FrameStream(duplex, connectionClosed, release);
}

class FrameStream implements ControlStream {
  readonly #duplex: Duplex;
  readonly #release: () => void;
  readonly #decoder = new FrameDecoder();
  /** Behind the frame that is being written. A frame may be larger than the limit: one such may wait, and does not count. */
  readonly #queue: Uint8Array[] = [];
  #queuedBytes = 0;
  #isLargeWaiting = false;
  #isWriting = false;
  #closeReason: string | undefined;
  #closed: ((reason: string) => void) | undefined;

  constructor(duplex: Duplex, connectionClosed: Promise<string>, release: () => void) {
    this.#duplex = duplex;
    this.#release = release;
    duplex.on("error", (error) => this.close(reasonOf(error)));
    duplex.once("end", () => this.#endedBelow(connectionClosed));
    duplex.once("close", () => this.#endedBelow(connectionClosed));
    void connectionClosed.then((reason) => this.close(reason));
  }

  send(frame: CoordinatorFrame): void {
    if (this.#closeReason !== undefined) return;
    const bytes = encodeFrame(frame);
    if (!this.#isWriting) return this.#write(bytes);
    const isLarge = bytes.length > MAX_QUEUED_BYTES;
    if (isLarge ? this.#isLargeWaiting : this.#queuedBytes + bytes.length > MAX_QUEUED_BYTES) {
      return this.close(`stuck: ${this.#queuedBytes} bytes wait to be read by the agent`);
    }
    this.#queue.push(bytes);
    if (isLarge) this.#isLargeWaiting = true;
    else this.#queuedBytes += bytes.length;
  }

  onFrame(receive: (frame: AgentFrame) => void): void {
    this.#duplex.on("data", (chunk: Uint8Array) => {
      try {
        for (const frame of this.#decoder.push(chunk)) {
          if (this.#closeReason !== undefined) return;
          receive(frame as AgentFrame);
        }
      } catch (error) {
        this.close(reasonOf(error));
      }
    });
  }

  onClose(closed: (reason: string) => void): void {
    this.#closed = closed;
    if (this.#closeReason !== undefined) closed(this.#closeReason);
  }

  close(reason: string): void {
    if (this.#closeReason !== undefined) return;
    this.#closeReason = reason;
    this.#queue.length = 0;
    this.#duplex.end();
    this.#duplex.destroy();
    this.#release();
    this.#closed?.(reason);
  }

  /** The connection's own end, if that is the cause, says more than "the stream ended". */
  #endedBelow(connectionClosed: Promise<string>): void {
    const stream = new Promise<string>((resolve) => setImmediate(() => resolve("the agent closed the stream")));
    void Promise.race([connectionClosed, stream]).then((reason) => this.close(reason));
  }

  #write(bytes: Uint8Array): void {
    this.#isWriting = true;
    this.#duplex.write(bytes, () => {
      this.#isWriting = false;
      const next = this.#queue.shift();
      if (next === undefined || this.#closeReason !== undefined) return;
      if (next.length > MAX_QUEUED_BYTES) this.#isLargeWaiting = false;
      else this.#queuedBytes -= next.length;
      this.#write(next);
    });
  }
}
