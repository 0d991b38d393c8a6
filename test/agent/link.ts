// A control stream in memory between the agent's session and the coordinator's, both real: frames go through the real codec, in order.
// Either direction can be cut, as a network does it (frames vanish, nobody is told), and frames can be changed on the way.

import { type AgentFrame, type CoordinatorFrame, type Frame } from "../../src/core/protocol/frames.ts";
import { encodeFrame, FrameDecoder } from "../../src/core/protocol/codec.ts";
import type { ControlStream } from "../../src/ports/node-session.ts";
import type { AgentStream } from "../../workers/agent/session/agent-stream.ts";

class End<Out extends Frame, In extends Frame> {
  peer: End<In, Out> | undefined;
  isCut = false;
  closed: string | undefined;
  readonly sent: Out[] = [];
  /** Changes a frame on its way out. */
  alter: (frame: Out) => Out = (frame) => frame;
  #receive: ((frame: In) => void) | undefined;
  #onClose: (reason: string) => void = () => {};
  readonly #decoder = new FrameDecoder();
  #arrived: In[] = [];

  send(frame: Out): void {
    if (this.closed !== undefined) return;
    const altered = this.alter(frame);
    this.sent.push(altered);
    if (this.isCut) return;
    const bytes = encodeFrame(altered);
    queueMicrotask(() => this.peer?.take(bytes));
  }

  take(bytes: Uint8Array): void {
    if (this.closed !== undefined) return;
    this.#arrived.push(...(this.#decoder.push(bytes) as In[]));
    this.#hand();
  }

  onFrame(receive: (frame: In) => void): void {
    this.#receive = receive;
    this.#hand();
  }

  #hand(): void {
    const receive = this.#receive;
    if (receive === undefined) return;
    for (const frame of this.#arrived.splice(0)) receive(frame);
  }

  onClose(closed: (reason: string) => void): void {
    this.#onClose = closed;
  }

  close(reason: string): void {
    this.end(reason);
    // what was sent before arrives first
    queueMicrotask(() => this.peer?.end(reason));
  }

  end(reason: string): void {
    if (this.closed !== undefined) return;
    this.closed = reason;
    this.#onClose(reason);
  }
}

export type Link = {
  readonly agent: AgentStream & End<AgentFrame, CoordinatorFrame>;
  readonly coordinator: ControlStream & End<CoordinatorFrame, AgentFrame>;
};

/** Two ends of one stream. */
export function createLink(): Link {
  const agent = new End<AgentFrame, CoordinatorFrame>();
  const coordinator = new End<CoordinatorFrame, AgentFrame>();
  agent.peer = coordinator;
  coordinator.peer = agent;
  return { agent, coordinator };
}

/** Lets real cryptography come to its end: it answers from other threads, so turns of the loop are given until `check` is true. */
export async function until(what: string, check: () => boolean): Promise<void> {
  for (let turn = 0; turn < 100_000; turn++) {
    if (check()) return;
    await new Promise((resolve) => setImmediate(resolve));
  }
  throw new Error(`waited in vain until ${what}`);
}
