// The sockets: one for UDP and one for TCP on the bridge's own address, nowhere else. Takes questions, hands them to the zone or to the
// host's resolvers, and sends what came of it.

import type { Clock } from "../../../../src/ports/clock.ts";
import type { Forwarder } from "./forwarder.ts";
import { framed, TcpFrames } from "./forwarder.ts";
import { failureFor, type Responder } from "./respond.ts";
import type { Asker, Zone } from "./zone.ts";

/** An asker of another node has a resolver of its own, which may know more: its word on what does not exist comes first. */
const NEGATIVE_DELAY_MS = 200;
const MAX_DELAYED = 1_024;
const MAX_STREAMS = 256;
/** Seconds without a word until a TCP connection is closed. */
const IDLE_SECONDS = 5;

export type Knowledge = {
  readonly zone: Zone;
  readonly responder: Responder;
  /** Whom to ask for a task that names servers of its own, by its address. */
  readonly serversOf: (address: string) => readonly string[] | undefined;
};

export type NameServer = { readonly close: () => void };

/** Listens; rejects with the system's error when the address is not there or the port is taken. */
export async function listen(
  address: string,
  port: number,
  know: () => Knowledge,
  forwarder: Forwarder,
  clock: Clock,
): Promise<NameServer> {
  const desk = new Desk(know, forwarder, clock);
  const udp = await Bun.udpSocket({
    hostname: address,
    port,
    socket: {
      data(socket, bytes, fromPort, from) {
        desk.take(bytes, from, "udp", (answer) => {
          if (!socket.closed) socket.send(answer, fromPort, from);
        });
      },
    },
  });
  try {
    const tcp = listenForStreams(address, port, desk);
    return {
      close() {
        udp.close();
        tcp.stop(true);
      },
    };
  } catch (error) {
    udp.close();
    throw error;
  }
}

function listenForStreams(address: string, port: number, desk: Desk): { stop(closeAll: boolean): void } {
  let streams = 0;
  return Bun.listen<TcpFrames | undefined>({
    hostname: address,
    port,
    socket: {
      open(socket) {
        if (++streams > MAX_STREAMS) {
          socket.end();
          return;
        }
        socket.timeout(IDLE_SECONDS);
        const from = socket.remoteAddress;
        socket.data = new TcpFrames((query) =>
          desk.take(query, from, "tcp", (answer) => void socket.write(framed(answer))),
        );
      },
      data(socket, bytes) {
        socket.timeout(IDLE_SECONDS);
        // none was given to one too many
        socket.data?.push(bytes);
      },
      timeout: (socket) => void socket.end(),
      close() {
        streams--;
      },
      error: (socket) => void socket.end(),
    },
  });
}

/** Decides for each question who answers it, and when. */
class Desk {
  readonly #know: () => Knowledge;
  readonly #forwarder: Forwarder;
  readonly #clock: Clock;
  #delayed = 0;

  constructor(know: () => Knowledge, forwarder: Forwarder, clock: Clock) {
    this.#know = know;
    this.#forwarder = forwarder;
    this.#clock = clock;
  }

  take(query: Uint8Array, from: string, over: "udp" | "tcp", send: (answer: Uint8Array) => void): void {
    const { zone, responder, serversOf } = this.#know();
    const asker = zone.askerAt(from);
    const response = responder.respond(asker, query, over);
    if (response.kind === "reply") this.#send(response.bytes, response.isNegative && isForeign(asker), query, send);
    else if (response.kind === "forward") {
      // the bytes are the socket's, and are gone after this
      const kept = Uint8Array.from(query);
      void this.#forwarder.ask(kept, from, over, serversOf(from)).then(send);
    }
  }

  #send(bytes: Uint8Array, isLater: boolean, query: Uint8Array, send: (answer: Uint8Array) => void): void {
    if (!isLater) {
      send(bytes);
      return;
    }
    if (this.#delayed >= MAX_DELAYED) {
      send(failureFor(query));
      return;
    }
    this.#delayed++;
    this.#clock.after(NEGATIVE_DELAY_MS, () => {
      this.#delayed--;
      send(bytes);
    });
  }
}

function isForeign(asker: Asker): boolean {
  return asker.kind === "task" && !asker.isOwn;
}
