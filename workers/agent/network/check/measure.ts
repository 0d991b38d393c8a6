// Measures the way to one peer: packets small and full through the mesh, one TCP connection, the last handshake, and the host outside of it.

import type { MeshNode, MeshRoutes } from "../../../../src/core/model/routes.ts";
import type { PeerMeasurement } from "../../../../src/core/mesh/judge-peer.ts";
import { readFileSync } from "node:fs";
import { MESH_LINK, TUNNEL_LINK } from "../mesh/names.ts";
import { parseWireguard } from "../mesh/read-state.ts";
import type { HostCommand } from "../run-command.ts";
import { ECHO_PORT } from "./echo-server.ts";

const SMALL_BYTES = 64;
const SMALL_COUNT = 10;
const FULL_COUNT = 5;
const BETWEEN_MS = 20;
/** For the last answers; a first handshake takes a round trip of its own. */
const PATIENCE_MS = 1_500;
const STREAM_MS = 1_000;
/** Without an end of it within so long the connection counts as failed. */
const STREAM_PATIENCE_MS = 8_000;
const CHUNK = new Uint8Array(64 * 1024);
/** IPv4's and UDP's own bytes. */
const HEADER_BYTES = 28;

/** `withStream`: measures throughput too, which takes a second and fills the line. */
export async function measurePeer(
  run: HostCommand,
  mesh: MeshRoutes,
  self: MeshNode,
  peer: MeshNode,
  withStream: boolean,
): Promise<PeerMeasurement> {
  const link = mesh.encryption === "wireguard" ? MESH_LINK : TUNNEL_LINK;
  const fullBytes = Number(readFileSync(`/sys/class/net/${link}/mtu`, "utf8"));
  const small = await echo(self.meshAddress, peer.meshAddress, SMALL_BYTES, SMALL_COUNT);
  const full =
    small.times.length === 0
      ? { times: [] }
      : await echo(self.meshAddress, peer.meshAddress, fullBytes - HEADER_BYTES, FULL_COUNT);
  const bitsPerSecond = withStream && full.times.length > 0 ? await stream(peer.meshAddress) : undefined;
  const handshakeAgoS = await handshakeAgo(run, peer);
  const hostAnswers = small.times.length > 0 ? true : await pings(run, peer.endpoint.host);
  const sorted = small.times.toSorted((a, b) => a - b);
  const medianMs = sorted[Math.floor(sorted.length / 2)];
  return {
    nodeId: peer.nodeId,
    name: peer.name,
    endpoint: `${peer.endpoint.host}:${peer.endpoint.port}`,
    encryption: mesh.encryption,
    hasKey: peer.meshKey !== undefined,
    ...(handshakeAgoS === undefined ? {} : { handshakeAgoS }),
    ...(hostAnswers === undefined ? {} : { hostAnswers }),
    small: { sent: SMALL_COUNT, back: sorted.length, ...(medianMs === undefined ? {} : { medianMs }) },
    full: { sent: FULL_COUNT, back: full.times.length, bytes: fullBytes },
    ...(bitsPerSecond === undefined ? {} : { bitsPerSecond }),
  };
}

/** Round trips in milliseconds of those that came back. */
async function echo(
  from: string,
  to: string,
  bytes: number,
  count: number,
): Promise<{ readonly times: readonly number[] }> {
  const sentAt = new Map<number, number>();
  const times: number[] = [];
  const { promise: all, resolve } = Promise.withResolvers<void>();
  const socket = await Bun.udpSocket({
    hostname: from,
    socket: {
      data(_, packet, port, address) {
        const number = packet[0] ?? 0;
        const at = sentAt.get(number);
        if (at === undefined || port !== ECHO_PORT || address !== to || packet.length !== bytes) return;
        sentAt.delete(number);
        times.push(performance.now() - at);
        if (times.length === count) resolve();
      },
      // a packet that is refused or too large is one that did not come back
      error() {},
    },
  });
  try {
    for (let number = 0; number < count; number++) {
      const packet = new Uint8Array(bytes);
      packet[0] = number;
      sentAt.set(number, performance.now());
      trySend(() => socket.send(packet, ECHO_PORT, to));
      await Bun.sleep(BETWEEN_MS);
    }
    await Promise.race([all, Bun.sleep(PATIENCE_MS)]);
    return { times };
  } finally {
    socket.close();
  }
}

function trySend(send: () => unknown): void {
  try {
    send();
  } catch {
    // as if it were lost on the way
  }
}

/** Bits a second of one connection, by what arrived; undefined when it failed. */
async function stream(to: string): Promise<number | undefined> {
  const { promise, resolve } = Promise.withResolvers<number | undefined>();
  const startedMs = performance.now();
  const untilMs = startedMs + STREAM_MS;
  let said = "";
  const pump = (socket: { write(bytes: Uint8Array): number; end(): unknown; shutdown(half?: boolean): void }): void => {
    while (performance.now() < untilMs) if (socket.write(CHUNK) < CHUNK.length) return;
    socket.shutdown();
  };
  try {
    const socket = await Bun.connect({
      hostname: to,
      port: ECHO_PORT,
      allowHalfOpen: true,
      socket: {
        open: pump,
        drain: pump,
        data(_, bytes) {
          said += Buffer.from(bytes).toString("latin1");
          if (!said.endsWith("\n")) return;
          resolve((Number(said) * 8) / ((performance.now() - startedMs) / 1_000));
        },
        close: () => resolve(undefined),
        error: () => resolve(undefined),
      },
    });
    const rate = await Promise.race([promise, Bun.sleep(STREAM_PATIENCE_MS).then(() => undefined)]);
    socket.terminate();
    return rate;
  } catch {
    return undefined;
  }
}

async function handshakeAgo(run: HostCommand, peer: MeshNode): Promise<number | undefined> {
  const end = await run(["wg", "show", MESH_LINK, "dump"]);
  const at = parseWireguard(end.stdout)?.peers.get(peer.meshKey ?? "")?.handshakeAt ?? 0;
  return at === 0 ? undefined : Math.max(0, Date.now() / 1_000 - at);
}

/** Undefined where there is no ping to try it with. */
async function pings(run: HostCommand, host: string): Promise<boolean | undefined> {
  const end = await run(["ping", "-n", "-q", "-c", "2", "-i", "0.3", "-W", "1", host]);
  return end.exitCode === 127 ? undefined : end.exitCode === 0;
}
