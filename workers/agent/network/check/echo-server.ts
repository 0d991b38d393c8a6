// Answers what peers measure: packets that come to the node's mesh address go back as they are, and a TCP connection is told how much of it
// arrived. For mesh addresses of peers alone, and never much at once.

import type { Socket } from "bun";

/** UDP and TCP port on each node's mesh address. */
export const ECHO_PORT = 7_374;
const MAX_STREAMS = 4;
/** Nobody measures for longer. */
const STREAM_SECONDS = 15;

type Stream = { bytes: number };

export class EchoServer {
  #address: string | undefined;
  #close: () => void = () => {};
  #peers: ReadonlySet<string> = new Set();
  #streams = 0;

  /** Listens at a mesh address, for peers with these; nothing happens when it does already. Rejects with the system's error. */
  async listenAt(address: string, peers: ReadonlySet<string>): Promise<void> {
    this.#peers = peers;
    if (this.#address === address) return;
    this.close();
    const udp = await Bun.udpSocket({
      hostname: address,
      port: ECHO_PORT,
      socket: {
        data: (socket, bytes, port, from) => {
          if (this.#peers.has(from)) socket.send(bytes, port, from);
        },
      },
    });
    const tcp = this.#listenForStreams(address);
    this.#address = address;
    this.#close = () => {
      udp.close();
      tcp.stop(true);
    };
  }

  close(): void {
    this.#close();
    this.#close = () => {};
    this.#address = undefined;
  }

  #listenForStreams(address: string): { stop(closeAll: boolean): void } {
    return Bun.listen<Stream>({
      hostname: address,
      port: ECHO_PORT,
      allowHalfOpen: true,
      socket: {
        open: (socket) => {
          socket.data = { bytes: 0 };
          this.#streams++;
          socket.timeout(STREAM_SECONDS);
          if (this.#streams > MAX_STREAMS || !this.#peers.has(socket.remoteAddress)) socket.terminate();
        },
        data(socket, bytes) {
          socket.data.bytes += bytes.length;
        },
        end: (socket: Socket<Stream>) => void socket.end(`${socket.data.bytes}\n`),
        timeout: (socket) => socket.terminate(),
        close: () => {
          this.#streams--;
        },
      },
    });
  }
}
