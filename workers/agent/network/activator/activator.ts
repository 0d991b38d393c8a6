// The way to services that are asleep: a listener for each of their ports at the gateway of the node's own bridge. What comes is held, the coordinator
// is told, and once the routes have an endpoint each connection is joined to one, some at a time. Nothing is decided here about who may call:
// the doors lead only those here who may.

import { connect, createServer, type Server, type Socket } from "node:net";
import { reasonOf } from "../../../../src/core/model/errors.ts";
import type { ServiceId } from "../../../../src/core/model/ids.ts";
import type { Clock, Timer } from "../../../../src/ports/clock.ts";
import type { Log } from "../../../../src/ports/log.ts";
import type { Activation, NetworkView } from "../../../../src/ports/node-network.ts";
import { chosenFrom } from "../firewall/balance.ts";
import { gatewayOf } from "../firewall/facts.ts";

/** A caller that has said nothing for so long and is still there waits for the service to speak first. */
const MEANT_AFTER_MS = 100;
/** Longer nobody is held: by then something is wrong that davit ps names. */
const HOLD_MS = 60_000;
/** Held connections of one service on one node. */
const MAX_HELD = 512;
/** Connections of one service that are let go before the first of them is answered. */
const AT_ONCE = 32;
/** One that is not answered makes room after this. */
const ANSWER_MS = 1_000;
/** Endpoints that one connection tries. */
const MAX_TRIES = 3;
const AGAIN_MS = 1_000;

export type ActivatorContext = {
  readonly clock: Clock;
  readonly log: Log;
};

/** What it tells its owner. */
export type ActivatorEvents = {
  /** There are other doors than before. */
  readonly onDoors: () => void;
  /** Connections wait for these; said again every second for as long as they do. */
  readonly onWaiting: (services: readonly ServiceId[]) => void;
};

export class Activator {
  readonly #context: ActivatorContext;
  readonly #services = new Map<ServiceId, Sleeper>();
  #events: ActivatorEvents | undefined;
  #timer: Timer | undefined;

  constructor(context: ActivatorContext) {
    this.#context = context;
  }

  begin(events: ActivatorEvents): void {
    this.#events = events;
  }

  /** Makes listeners and endpoints match; says which doors are open, by service. */
  follow(view: NetworkView): ReadonlyMap<ServiceId, Activation> {
    const address = gatewayOf(view.node.subnet);
    const wanted = new Map(
      view.services.filter(({ waking }) => waking !== undefined).map((each) => [each.serviceId, each]),
    );
    for (const [id, sleeper] of this.#services) {
      if (wanted.has(id) && sleeper.address === address) continue;
      sleeper.close();
      this.#services.delete(id);
    }
    for (const [id, { name, waking = [], endpoints }] of wanted) {
      const sleeper = this.#services.get(id) ?? this.#sleeper(id, name, address);
      sleeper.follow(
        waking,
        chosenFrom(endpoints).map((endpoint) => endpoint.address),
      );
    }
    return new Map([...this.#services].map(([id, sleeper]) => [id, { address, ports: sleeper.doors }]));
  }

  /** Services with connections that are held or passed on here. */
  get active(): readonly ServiceId[] {
    return [...this.#services].filter(([, sleeper]) => sleeper.isInUse).map(([id]) => id);
  }

  stop(): void {
    this.#timer?.cancel();
    for (const sleeper of this.#services.values()) sleeper.close();
    this.#services.clear();
  }

  #sleeper(id: ServiceId, name: string, address: string): Sleeper {
    const sleeper = new Sleeper(this.#context, name, address, {
      onDoor: () => this.#events?.onDoors(),
      onWaiting: () => this.#tell(),
    });
    this.#services.set(id, sleeper);
    return sleeper;
  }

  #tell(): void {
    const waiting = [...this.#services].filter(([, sleeper]) => sleeper.isWaiting).map(([id]) => id);
    this.#timer?.cancel();
    this.#timer = undefined;
    if (waiting.length === 0) return;
    this.#events?.onWaiting(waiting);
    this.#timer = this.#context.clock.after(AGAIN_MS, () => this.#tell());
  }
}

type Door = { readonly server: Server; at: number | undefined };
/** `first`: what it said before it was held. */
type Held = {
  readonly socket: Socket;
  readonly port: number;
  readonly first: Buffer | undefined;
  readonly timer: Timer;
};

/** One service that may be asleep. */
class Sleeper {
  readonly address: string;
  readonly #context: ActivatorContext;
  readonly #name: string;
  readonly #tell: { readonly onDoor: () => void; readonly onWaiting: () => void };
  readonly #doors = new Map<number, Door>();
  readonly #held = new Set<Held>();
  readonly #open = new Set<Socket>();
  #endpoints: readonly string[] = [];
  #releasing = 0;
  #turn = 0;

  constructor(
    context: ActivatorContext,
    name: string,
    address: string,
    tell: { readonly onDoor: () => void; readonly onWaiting: () => void },
  ) {
    this.#context = context;
    this.#name = name;
    this.address = address;
    this.#tell = tell;
  }

  /** Where each of its ports is listened for; those that cannot be are left out. */
  get doors(): ReadonlyMap<number, number> {
    return new Map([...this.#doors].flatMap(([port, { at }]) => (at === undefined ? [] : [[port, at] as const])));
  }

  get isWaiting(): boolean {
    return this.#held.size > 0 && this.#endpoints.length === 0;
  }

  get isInUse(): boolean {
    return this.#open.size > 0;
  }

  follow(ports: readonly number[], endpoints: readonly string[]): void {
    this.#endpoints = endpoints;
    for (const [port, { server }] of this.#doors) {
      if (ports.includes(port)) continue;
      server.close();
      this.#doors.delete(port);
    }
    for (const port of ports) if (!this.#doors.has(port)) this.#listen(port);
    this.#release();
  }

  close(): void {
    for (const { server } of this.#doors.values()) server.close();
    this.#doors.clear();
    for (const socket of this.#open) socket.destroy();
    for (const { timer } of this.#held) timer.cancel();
    this.#held.clear();
  }

  #listen(port: number): void {
    const server = createServer({ allowHalfOpen: true, noDelay: true }, (socket) => this.#accept(socket, port));
    const door: Door = { server, at: undefined };
    this.#doors.set(port, door);
    server.on("error", (error) => {
      this.#context.log.warn("cannot hold connections", { service: this.#name, port, reason: reasonOf(error) });
      // the next view tries again: after a boot the bridge may not be there yet
      if (this.#doors.get(port) === door) this.#doors.delete(port);
    });
    server.listen({ host: this.address, port: 0 }, () => {
      const bound = server.address();
      door.at = typeof bound === "object" ? bound?.port : undefined;
      this.#tell.onDoor();
    });
  }

  /** Held once it is meant: a look whether somebody listens says nothing and ends. */
  #accept(socket: Socket, port: number): void {
    socket.on("error", () => socket.destroy());
    if (this.#open.size >= MAX_HELD && this.#endpoints.length === 0) return void socket.resetAndDestroy();
    this.#open.add(socket);
    const { clock } = this.#context;
    let isMeant = false;
    const soon = clock.after(MEANT_AFTER_MS, () => hold(undefined));
    const hold = (first: Buffer | undefined): void => {
      isMeant = true;
      soon.cancel();
      socket.off("data", hold);
      if (socket.destroyed || socket.readableEnded) return;
      socket.pause();
      const timer = clock.after(HOLD_MS, () => this.#giveUp(held));
      const held: Held = { socket, port, first, timer };
      this.#held.add(held);
      socket.once("close", () => this.#forget(held));
      this.#release();
      if (this.isWaiting) this.#tell.onWaiting();
    };
    socket.once("data", hold);
    socket.once("end", () => {
      if (isMeant) return;
      soon.cancel();
      socket.end();
    });
    socket.once("close", () => {
      soon.cancel();
      this.#open.delete(socket);
    });
  }

  #forget(held: Held): void {
    held.timer.cancel();
    this.#held.delete(held);
  }

  #giveUp(held: Held): void {
    this.#context.log.warn("nobody came to answer", { service: this.#name, afterMs: HOLD_MS });
    this.#forget(held);
    held.socket.resetAndDestroy();
  }

  /** Joins held connections to endpoints, as many as may be let go now. */
  #release(): void {
    for (const held of this.#held) {
      if (this.#endpoints.length === 0 || this.#releasing >= AT_ONCE) return;
      this.#forget(held);
      this.#join(held, 1);
    }
  }

  #join({ socket, port, first, timer: _timer }: Held, tries: number): void {
    const host = this.#endpoints[this.#turn++ % this.#endpoints.length];
    if (host === undefined || socket.destroyed) return void socket.destroy();
    this.#releasing += 1;
    const upstream = connect({ host, port, allowHalfOpen: true, noDelay: true });
    let isDone = false;
    const done = (): void => {
      if (isDone) return;
      isDone = true;
      late.cancel();
      this.#releasing -= 1;
      this.#release();
    };
    const late = this.#context.clock.after(ANSWER_MS, done);
    let isJoined = false;
    upstream.once("connect", () => {
      isJoined = true;
      if (first !== undefined) upstream.write(first);
      socket.pipe(upstream);
      upstream.pipe(socket);
    });
    upstream.once("data", done);
    upstream.on("error", () => {
      done();
      if (isJoined || tries >= MAX_TRIES) return void socket.resetAndDestroy();
      this.#join({ socket, port, first, timer: late }, tries + 1);
    });
    upstream.once("close", () => {
      done();
      if (isJoined) socket.destroySoon();
    });
    socket.once("close", () => {
      if (isJoined) upstream.destroy();
    });
  }
}
