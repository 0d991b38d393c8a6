// Websockets on Bun.serve: each connection carries its own handlers, and the server's one set of callbacks hands on to them.

import type { ServerWebSocket } from "bun";

/** What one websocket connection does. */
export type SocketHandlers = {
  readonly open: (socket: ServerWebSocket<SocketHandlers>) => void;
  readonly message: (socket: ServerWebSocket<SocketHandlers>, bytes: Uint8Array) => void;
  /** The peer took what had piled up. */
  readonly drain: (socket: ServerWebSocket<SocketHandlers>) => void;
  readonly close: () => void;
};

/** One message holds one exec frame: a keystroke, or at most a chunk of a pipe. */
const MAX_MESSAGE_BYTES = 1024 * 1024;
/** A terminal may stand still for long; pings keep the connection known to be alive. */
const IDLE_TIMEOUT_S = 120;

/** Bun.serve's callbacks. */
export const webSocketHandler = {
  maxPayloadLength: MAX_MESSAGE_BYTES,
  idleTimeout: IDLE_TIMEOUT_S,
  sendPings: true,
  open: (socket: ServerWebSocket<SocketHandlers>) => socket.data.open(socket),
  message: (socket: ServerWebSocket<SocketHandlers>, message: string | Uint8Array) =>
    socket.data.message(socket, typeof message === "string" ? new TextEncoder().encode(message) : message),
  drain: (socket: ServerWebSocket<SocketHandlers>) => socket.data.drain(socket),
  close: (socket: ServerWebSocket<SocketHandlers>) => socket.data.close(),
};
