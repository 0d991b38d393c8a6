// The unix socket on which coordinators open control streams, over SSH. Frames as lines, with a limit on what may wait to be written.

import { chmodSync, chownSync, rmSync } from "node:fs";
import type { Socket, UnixSocketListener } from "bun";
import { reasonOf } from "../../../src/core/model/errors.ts";
import { encodeFrame, FrameDecoder } from "../../../src/core/protocol/codec.ts";
import { type CoordinatorFrame, MAX_QUEUED_BYTES } from "../../../src/core/protocol/frames.ts";
import type { AgentStream } from "./agent-stream.ts";

/** Streams at once: one is in use, one supersedes it, and a few may be half dead. */
const MAX_STREAMS = 8;
/** A welcome with all tasks may be larger than the queue allows later on. */
const MAX_WAITING_BYTES = MAX_QUEUED_BYTES + 4 * 1024 * 1024;

/** Opens the socket (0660, group `groupId`) and hands each connection over as a stream. */
export function listenForControl(
  path: string,
  groupId: number | undefined,
  accept: (stream: AgentStream) => void,
): UnixSocketListener<SocketStream> {
  rmSync(path, { force: true });
  let streams = 0;
  const listener = Bun.listen<SocketStream>({
    unix: path,
    socket: {
      open(socket) {
        streams++;
        socket.data = new SocketStream(socket);
        if (streams > MAX_STREAMS) socket.data.close("too many control streams");
        else accept(socket.data);
      },
      data: (socket, bytes) => socket.data.receive(bytes),
      drain: (socket) => socket.data.drain(),
      close(socket) {
        streams--;
        socket.data.ended("the connection ended");
      },
      error: (socket, error) => socket.data.ended(error.message),
    },
  });
  openToGroup(path, groupId);
  return listener;
}

/** root:davit 0660: the coordinator's SSH user reaches it, others do not. */
export function openToGroup(path: string, groupId: number | undefined): void {
  if (groupId !== undefined) chownSync(path, 0, groupId);
  chmodSync(path, 0o660);
}

class SocketStream implements AgentStream {
  readonly #socket: Socket<SocketStream>;
  readonly #decoder = new FrameDecoder();
  #waiting: Uint8Array[] = [];
  #waitingBytes = 0;
  #onFrame: (frame: CoordinatorFrame) => void = () => {};
  #onClose: (reason: string) => void = () => {};
  #isEnded = false;

  constructor(socket: Socket<SocketStream>) {
    this.#socket = socket;
  }

  send(frame: Parameters<AgentStream["send"]>[0]): void {
    if (this.#isEnded) return;
    this.#waiting.push(encodeFrame(frame));
    this.#waitingBytes += this.#waiting.at(-1)?.length ?? 0;
    this.drain();
    if (this.#waitingBytes > MAX_WAITING_BYTES) this.close("the coordinator does not read");
  }

  drain(): void {
    for (let first = this.#waiting[0]; first !== undefined; first = this.#waiting[0]) {
      const written = this.#socket.write(first);
      if (written <= 0) return;
      this.#waitingBytes -= written;
      if (written < first.length) {
        this.#waiting[0] = first.subarray(written);
        return;
      }
      this.#waiting.shift();
    }
  }

  receive(bytes: Uint8Array): void {
    try {
      for (const frame of this.#decoder.push(bytes)) this.#onFrame(frame as CoordinatorFrame);
    } catch (error) {
      this.close(reasonOf(error));
    }
  }

  onFrame(receive: (frame: CoordinatorFrame) => void): void {
    this.#onFrame = receive;
  }

  onClose(closed: (reason: string) => void): void {
    this.#onClose = closed;
  }

  close(reason: string): void {
    this.#socket.end();
    this.ended(reason);
  }

  ended(reason: string): void {
    if (this.#isEnded) return;
    this.#isEnded = true;
    this.#waiting = [];
    this.#onClose(reason);
  }
}
