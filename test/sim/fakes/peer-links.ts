// Streams between agents of two machines, as TCP over the mesh carries them: in order, late, or not at all; a way that is cut holds back what was
// sent until it opens, and nobody is told. And the look whether a container is there, by what truly runs.

import type { PeerFrame } from "../../../src/core/protocol/peer-frames.ts";
import type { PeerLinks, PeerStream } from "../../../src/ports/peer-links.ts";
import type { Life } from "../kernel/scheduler.ts";
import type { Host } from "../world/host.ts";
import type { Universe } from "../world/universe.ts";

const DIAL_TIMEOUT_MS = 2_000;
const ANSWER_TIMEOUT_MS = 400;

/** Where an agent listens. */
export type Door = {
  readonly host: Host;
  readonly life: Life;
  readonly accept: (stream: PeerStream, from: string) => void;
};

class End implements PeerStream {
  readonly host: Host;
  readonly life: Life;
  readonly wire: PeerWire;
  readonly waiting: { readonly text: string; readyMs: number }[] = [];
  isCarrying = false;
  #arrived: { readonly type: string }[] = [];
  #receive: ((frame: { readonly type: string }) => void) | undefined;
  #onClose: ((reason: string) => void) | undefined;
  #closed: string | undefined;

  constructor(host: Host, life: Life, wire: PeerWire) {
    this.host = host;
    this.life = life;
    this.wire = wire;
  }

  get isOpen(): boolean {
    return this.#closed === undefined && this.life.isAlive;
  }

  send(frame: PeerFrame): void {
    if (this.isOpen) this.wire.carry(this, JSON.stringify(frame));
  }

  take(text: string): void {
    this.#arrived.push(JSON.parse(text) as { readonly type: string });
    this.#hand();
  }

  onFrame(receive: (frame: { readonly type: string }) => void): void {
    this.#receive = receive;
    this.#hand();
  }

  onClose(closed: (reason: string) => void): void {
    this.#onClose = closed;
    if (this.#closed !== undefined) closed(this.#closed);
  }

  close(reason: string): void {
    if (this.#closed !== undefined) return;
    this.end(reason);
    this.wire.closed(this);
  }

  end(reason: string): void {
    if (this.#closed !== undefined) return;
    this.#closed = reason;
    if (this.life.isAlive) this.#onClose?.(reason);
  }

  #hand(): void {
    const receive = this.#receive;
    if (receive === undefined) return;
    for (const frame of this.#arrived.splice(0)) if (this.isOpen) receive(frame);
  }
}

export class PeerWire {
  readonly #universe: Universe;
  readonly #ends: readonly [End, End];
  readonly #stopListening: () => void;

  constructor(universe: Universe, from: { host: Host; life: Life }, to: { host: Host; life: Life }) {
    this.#universe = universe;
    this.#ends = [new End(from.host, from.life, this), new End(to.host, to.life, this)];
    this.#stopListening = universe.network.onChange(() => this.#ends.forEach((end) => this.#pump(end)));
    for (const { host } of this.#ends) host.wires.add(this);
  }

  get speaker(): PeerStream {
    return this.#ends[0];
  }

  get listener(): PeerStream {
    return this.#ends[1];
  }

  carry(from: End, text: string): void {
    const { scheduler, network } = this.#universe;
    from.waiting.push({ text, readyMs: scheduler.nowMs + network.delayMs(this.#way(from)) });
    this.#pump(from);
  }

  /** One side closed its end: the other hears of it when there is a way. */
  closed(by: End): void {
    const { scheduler, network } = this.#universe;
    const other = this.#other(by);
    this.#forget();
    if (!network.isOpen(this.#way(by))) return;
    scheduler.after(network.delayMs(this.#way(by)), other.life, () => other.end("the connection ended"));
  }

  /** The agent of a machine was killed: its system closes what it had open. */
  processEnded(host: Host): void {
    for (const end of this.#ends) if (end.host === host) this.closed(end);
  }

  /** A machine lost its power: what it had not sent is gone, and it knows of no connection any more. */
  powerLost(host: Host): void {
    for (const end of this.#ends) if (end.host === host) end.waiting.length = 0;
  }

  #pump(from: End): void {
    const { scheduler, network } = this.#universe;
    const [head] = from.waiting;
    const way = this.#way(from);
    if (head === undefined || from.isCarrying || !network.isOpen(way)) return;
    from.isCarrying = true;
    const other = this.#other(from);
    scheduler.after(head.readyMs - scheduler.nowMs, undefined, () => {
      from.isCarrying = false;
      if (from.waiting[0] !== head || !network.isOpen(way)) return;
      from.waiting.shift();
      if (other.isOpen) scheduler.after(0, other.life, () => (other.isOpen ? other.take(head.text) : undefined));
      else this.#reset(from);
      this.#pump(from);
    });
  }

  /** Nobody is there any more to take it. */
  #reset(from: End): void {
    const { scheduler, network } = this.#universe;
    this.#forget();
    const back = this.#way(this.#other(from));
    if (from.isOpen && network.isOpen(back))
      scheduler.after(network.delayMs(back), from.life, () => from.end("the connection was reset"));
  }

  #forget(): void {
    this.#stopListening();
    for (const { host } of this.#ends) host.wires.delete(this);
  }

  #other(end: End): End {
    return end === this.#ends[0] ? this.#ends[1] : this.#ends[0];
  }

  #way(from: End): readonly string[] {
    return [from.host.address, this.#other(from).host.address];
  }
}

/** As one agent's process has them. */
export class SimPeerLinks implements PeerLinks {
  readonly #universe: Universe;
  readonly #host: Host;
  readonly #life: Life;

  constructor(universe: Universe, host: Host, life: Life) {
    this.#universe = universe;
    this.#host = host;
    this.#life = life;
  }

  async dial(address: string): Promise<PeerStream> {
    const { scheduler, network, doors } = this.#universe;
    const target = this.#universe.hosts.find((host) => host.meshAddress === address);
    const way = [this.#host.address, target?.address ?? ""];
    const isOpen = (): boolean => network.isOpen(way) && network.isOpen(way.toReversed());
    const delayMs = network.delayMs(way) + network.delayMs(way.toReversed());
    if (!isOpen() || delayMs > DIAL_TIMEOUT_MS)
      return await scheduler.later(DIAL_TIMEOUT_MS, this.#life, () => refuse("no answer"));
    return await scheduler.later(delayMs, this.#life, () => {
      const door = doors.get(address);
      if (door?.life.isAlive !== true || !isOpen()) return refuse("connection refused");
      const wire = new PeerWire(this.#universe, { host: this.#host, life: this.#life }, door);
      scheduler.after(0, door.life, () => door.accept(wire.listener, this.#host.meshAddress));
      return wire.speaker;
    });
  }

  async listenAt(address: string, accept: Door["accept"]): Promise<void> {
    const { doors } = this.#universe;
    if (doors.get(address)?.life !== this.#life) doors.set(address, { host: this.#host, life: this.#life, accept });
  }

  answers(address: string): Promise<boolean> {
    const { scheduler, network, hosts } = this.#universe;
    const isThere = (): boolean =>
      hosts.some(
        (host) =>
          network.isOpen([this.#host.address, host.address]) &&
          network.isOpen([host.address, this.#host.address]) &&
          host.engine.running.some((box) => box.request?.task.address === address),
      );
    const delayMs = network.delayMs([this.#host.address, "somewhere"]) * 2;
    const isInTime = delayMs < ANSWER_TIMEOUT_MS && isThere();
    return scheduler.later(isInTime ? delayMs : ANSWER_TIMEOUT_MS, this.#life, () => isInTime && isThere());
  }

  close(): void {
    for (const [address, { life }] of this.#universe.doors)
      if (life === this.#life) this.#universe.doors.delete(address);
  }
}

function refuse(reason: string): never {
  throw new Error(reason);
}
