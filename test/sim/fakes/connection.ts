// One control stream between a coordinator and an agent, as SSH over TCP carries it: bytes in order, late, or not at all. A way that is cut
// holds back what was sent until it opens again, or until one side gives up: the coordinator's by its keep-alives, the agent's when it is
// told, which may be much later. Frames go through the real codec.

import type { AgentFrame, CoordinatorFrame, Frame } from "../../../src/core/protocol/frames.ts";
import { MAX_QUEUED_BYTES } from "../../../src/core/protocol/frames.ts";
import { encodeFrame, FrameDecoder } from "../../../src/core/protocol/codec.ts";
import { reasonOf } from "../../../src/core/model/errors.ts";
import type { ControlStream } from "../../../src/ports/node-session.ts";
import type { AgentStream } from "../../../workers/agent/session/agent-stream.ts";
import type { Life } from "../kernel/scheduler.ts";
import type { Network } from "./network.ts";

/** As src/ssh asks: three answers missed at a distance of 1.5 s. */
const KEEP_ALIVE_MS = 1_500;
const MISSES = 3;
/** Frames of a conversation that are remembered, to be told once more. */
const KEPT_FRAMES = 30;
/** What opens a conversation or carries a file in parts is said once. */
const ONCE: ReadonlySet<string> = new Set([
  "challenge",
  "open",
  "welcome",
  "refuse",
  "bye",
  "config",
  "noConfig",
  "wantConfig",
]);
/** The largest wait until TCP tries again on a way that has opened. */
const RETRY_MS = 1_000;

type Message = { readonly bytes: Uint8Array; readonly what: string; readyMs: number };
export type Side = "coordinator" | "agent";
/** Told of each frame as it arrives. */
export type Observer = (side: Side, frame: Frame) => void;

/** One direction: messages in order, the head being carried. */
class Flow {
  readonly way: readonly string[];
  readonly messages: Message[] = [];
  bytes = 0;
  isCarrying = false;
  lastMs = 0;

  constructor(way: readonly string[]) {
    this.way = way;
  }
}

class End<Out extends Frame, In extends Frame> {
  readonly side: Side;
  readonly #life: Life;
  readonly #connection: Connection;
  readonly #decoder = new FrameDecoder();
  #receive: ((frame: In) => void) | undefined;
  #onClose: (reason: string) => void = () => {};
  #arrived: In[] = [];
  readonly #heard: In[] = [];
  #closed: string | undefined;

  constructor(side: Side, life: Life, connection: Connection) {
    this.side = side;
    this.#life = life;
    this.#connection = connection;
  }

  get isOpen(): boolean {
    return this.#closed === undefined && this.#life.isAlive;
  }

  get life(): Life {
    return this.#life;
  }

  send(frame: Out): void {
    if (this.isOpen) this.#connection.carry(this.side, encodeFrame(frame), frame.type);
  }

  take(bytes: Uint8Array): void {
    if (!this.isOpen) return;
    try {
      const frames = this.#decoder.push(bytes) as In[];
      for (const frame of frames) this.#connection.observer(this.side, frame);
      this.#arrived.push(...frames);
    } catch (error) {
      this.close(reasonOf(error));
    }
    this.#hand();
  }

  onFrame(receive: (frame: In) => void): void {
    this.#receive = receive;
    this.#hand();
  }

  #hand(): void {
    const receive = this.#receive;
    if (receive === undefined) return;
    for (const frame of this.#arrived.splice(0)) {
      if (!this.isOpen) return;
      if (!ONCE.has(frame.type)) this.#heard.push(frame);
      if (this.#heard.length > KEPT_FRAMES) this.#heard.shift();
      receive(frame);
    }
  }

  /** What it heard last is said once more, in the same order. */
  repeat(): void {
    for (const frame of this.#heard.slice()) {
      if (!this.isOpen) return;
      this.#connection.observer(this.side, frame);
      this.#receive?.(frame);
    }
  }

  onClose(closed: (reason: string) => void): void {
    this.#onClose = closed;
    if (this.#closed !== undefined) closed(this.#closed);
  }

  /** Its own side ends it. */
  close(reason: string): void {
    if (this.#closed !== undefined) return;
    this.end(reason);
    this.#connection.closed(this.side, reason);
  }

  /** It is ended from below. */
  end(reason: string): void {
    if (this.#closed !== undefined) return;
    this.#closed = reason;
    if (this.#life.isAlive) this.#onClose(reason);
  }
}

export class Connection {
  readonly #network: Network;
  readonly #ends: {
    readonly coordinator: End<CoordinatorFrame, AgentFrame>;
    readonly agent: End<AgentFrame, CoordinatorFrame>;
  };
  readonly #flows: Readonly<Record<Side, Flow>>;
  readonly #stopListening: () => void;
  readonly observer: Observer;
  #brokenSinceMs: number | undefined;
  #isOver = false;

  /** `way`: addresses from the coordinator to the agent's host. */
  constructor(network: Network, way: readonly string[], lives: Readonly<Record<Side, Life>>, observer: Observer) {
    this.#network = network;
    this.observer = observer;
    this.#flows = { coordinator: new Flow(way), agent: new Flow(way.toReversed()) };
    this.#ends = {
      coordinator: new End("coordinator", lives.coordinator, this),
      agent: new End("agent", lives.agent, this),
    };
    this.#stopListening = network.onChange(() => this.#look());
  }

  get coordinator(): ControlStream {
    return this.#ends.coordinator;
  }

  get agent(): AgentStream {
    return this.#ends.agent;
  }

  /** Each side hears the last frames a second time: what was sent again because nobody knew whether it had arrived. */
  repeat(): void {
    for (const side of ["coordinator", "agent"] as const) {
      const end = this.#ends[side];
      this.#network.scheduler.after(0, end.life, () => end.repeat());
    }
  }

  /** Takes what one side sends. */
  carry(side: Side, bytes: Uint8Array, what: string): void {
    const flow = this.#flows[side];
    if (side === "coordinator" && flow.bytes + bytes.length > MAX_QUEUED_BYTES && flow.messages.length > 1) {
      this.#ends.coordinator.close(`stuck: ${flow.bytes} bytes wait to be read by the agent`);
      return;
    }
    flow.messages.push({ bytes, what, readyMs: this.#network.scheduler.nowMs + this.#network.delayMs(flow.way) });
    flow.bytes += bytes.length;
    this.#pump(side);
  }

  #pump(side: Side): void {
    const flow = this.#flows[side];
    const [head] = flow.messages;
    if (head === undefined || flow.isCarrying || !this.#network.isOpen(flow.way)) return;
    const { scheduler } = this.#network;
    flow.isCarrying = true;
    const other = this.#ends[side === "coordinator" ? "agent" : "coordinator"];
    scheduler.after(head.readyMs - scheduler.nowMs, undefined, () => {
      flow.isCarrying = false;
      // lost on the way: it is sent again when the way opens
      if (!this.#network.isOpen(flow.way)) return;
      flow.messages.shift();
      flow.bytes -= head.bytes.length;
      // what a paused process is sent waits in its socket, and in order
      if (other.isOpen) scheduler.after(0, other.life, () => this.#deliver(other, head));
      else this.#reset(side);
      this.#pump(side);
    });
  }

  #deliver(end: End<CoordinatorFrame, AgentFrame> | End<AgentFrame, CoordinatorFrame>, { bytes }: Message): void {
    const at = this.#network.chance.below(40 * bytes.length);
    if (at === 0 || at >= bytes.length) return end.take(bytes);
    // a stream knows no frames: now and then one comes in two pieces
    end.take(bytes.subarray(0, at));
    end.take(bytes.subarray(at));
  }

  /** One side closed its end: the other hears of it if there is a way, else perhaps later, perhaps never. */
  closed(side: Side, reason: string): void {
    if (this.#isOver) return;
    this.#isOver = true;
    const { scheduler, chance } = this.#network;
    const flow = this.#flows[side];
    const other = this.#ends[side === "coordinator" ? "agent" : "coordinator"];
    const tell = (): void => {
      const stop = this.#network.onChange(() => attempt());
      const attempt = (): void => {
        if (!this.#network.isOpen(flow.way)) return;
        stop();
        // what was sent before arrives first
        const waitMs = Math.max(...flow.messages.map((message) => message.readyMs - scheduler.nowMs), 0);
        scheduler.after(waitMs + this.#network.delayMs(flow.way), other.life, () => {
          scheduler.after(0, other.life, () => other.end(reason));
          this.#stopListening();
        });
      };
      attempt();
    };
    // a half-open stream: nobody tells the agent's side until it is superseded
    if (this.#network.isOpen(flow.way) || chance.happens(0.5)) tell();
    else this.#stopListening();
  }

  /** A process or its machine is gone: who is still there hears of it as of a closed stream, if the machine still stands. */
  processEnded(side: Side): void {
    this.closed(side, side === "agent" ? "the agent closed the stream" : "the connection ended");
  }

  /** What is sent to an end that is closed is answered so. */
  #reset(side: Side): void {
    const sender = this.#ends[side];
    const way = this.#flows[side].way.toReversed();
    if (!sender.isOpen || !this.#network.isOpen(way)) return;
    this.#network.scheduler.after(this.#network.delayMs(way), sender.life, () =>
      sender.end("the connection was reset"),
    );
  }

  #look(): void {
    const { scheduler, chance } = this.#network;
    const isOpen = this.#isBothWays();
    if (isOpen) {
      // a machine that came back knows nothing of the connections that it had
      for (const side of ["coordinator", "agent"] as const) if (!this.#ends[side].life.isAlive) this.processEnded(side);
      if (this.#brokenSinceMs === undefined) return;
      this.#brokenSinceMs = undefined;
      for (const side of ["coordinator", "agent"] as const) {
        const [head] = this.#flows[side].messages;
        if (head !== undefined) head.readyMs = Math.max(head.readyMs, scheduler.nowMs + chance.fraction() * RETRY_MS);
        this.#pump(side);
      }
      return;
    }
    for (const side of ["coordinator", "agent"] as const) this.#pump(side);
    if (this.#brokenSinceMs !== undefined) return;
    const sinceMs = scheduler.nowMs;
    this.#brokenSinceMs = sinceMs;
    const { coordinator } = this.#ends;
    scheduler.after(KEEP_ALIVE_MS * (MISSES + chance.fraction()), coordinator.life, () => {
      if (this.#brokenSinceMs === sinceMs) coordinator.close("no answer to 3 keep-alives");
    });
  }

  #isBothWays(): boolean {
    return this.#network.isOpen(this.#flows.coordinator.way) && this.#network.isOpen(this.#flows.agent.way);
  }
}
