// Between a websocket of a user and the exec stream of an agent: frames pass unchanged, one per message. Either side that is slow stops
// the other, and the end of one is the end of both.

import type { Duplex } from "node:stream";
import type { ServerWebSocket } from "bun";
import { DavitError, reasonOf } from "../core/model/errors.ts";
import { EXEC_FRAME, encodeExecFrame, ExecFrameDecoder } from "../core/protocol/exec-frames.ts";
import type { Actor, ApiContext, Parts } from "./context.ts";
import type { SocketHandlers } from "./websocket.ts";

/** Input that the agent has not taken yet; a paste is smaller, a pipe that is not read is cut. */
const MAX_INPUT_BYTES = 16 * 1024 * 1024;
/** Output waiting for the user beyond this stops the agent's stream until it was taken. */
const MAX_OUTPUT_BYTES = 1024 * 1024;
/** Websocket close codes: normal, and "the server met something unexpected". */
const CLOSE_NORMAL = 1000;
const CLOSE_FAILED = 1011;

/** Opens the exec stream first, so that its refusal is a plain HTTP error, then turns the request into a websocket. */
export async function bridgeExec(
  parts: Parts,
  actor: Actor,
  c: ApiContext,
  open: () => Promise<Duplex>,
): Promise<Response> {
  const release = parts.streams.take(actor.name);
  let stream: Duplex;
  try {
    stream = await open();
  } catch (error) {
    release();
    throw error;
  }
  stream.pause();
  if (!c.env.upgrade(c.req.raw, handlersOf(stream, release))) {
    release();
    stream.destroy();
    throw new DavitError("invalid_input", "exec: the connection could not become a websocket");
  }
  // the connection is no longer HTTP: what is returned here is dropped by the server
  return new Response(null);
}

function handlersOf(stream: Duplex, release: () => void): SocketHandlers {
  const decoder = new ExecFrameDecoder();
  let isOver = false;
  const end = (socket: ServerWebSocket<SocketHandlers>, failure?: string): void => {
    if (isOver) return;
    isOver = true;
    if (failure !== undefined)
      socket.send(encodeExecFrame(EXEC_FRAME.error, Buffer.from(JSON.stringify({ message: failure }))));
    socket.close(failure === undefined ? CLOSE_NORMAL : CLOSE_FAILED);
    stream.destroy();
  };
  return {
    open: (socket) => {
      stream.on("data", (chunk: Buffer) => {
        try {
          for (const frame of decoder.push(chunk)) socket.send(encodeExecFrame(frame.type, frame.payload));
        } catch (error) {
          end(socket, reasonOf(error));
        }
        if (socket.getBufferedAmount() > MAX_OUTPUT_BYTES) stream.pause();
      });
      stream.on("end", () => end(socket));
      stream.on("close", () => end(socket));
      stream.on("error", (error) => end(socket, `the connection to the node broke: ${error.message}`));
      stream.resume();
    },
    message: (socket, bytes) => {
      if (isOver) return;
      stream.write(bytes);
      if (stream.writableLength > MAX_INPUT_BYTES) end(socket, "the command does not read its input");
    },
    drain: () => void stream.resume(),
    close: () => {
      isOver = true;
      release();
      stream.destroy();
    },
  };
}
