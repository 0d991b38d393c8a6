// A command in a task's container, over one upgraded connection: frames in (input, terminal size) and out (output, exit code).

import type { Duplex } from "node:stream";
import { DavitError, reasonOf } from "../../../src/core/model/errors.ts";
import {
  EXEC_FRAME,
  encodeExecFrame,
  type ExecFrame,
  ExecFrameDecoder,
} from "../../../src/core/protocol/exec-frames.ts";
import type { ExecRequest, ExecSession } from "../../../src/ports/container-engine.ts";
import type { BulkContext } from "./server.ts";

/** Runs until the command ends or the connection does. Throws before the upgrade when it cannot be started. */
export async function serveExec(
  context: BulkContext,
  taskId: string,
  query: URLSearchParams,
  socket: Duplex,
  head: Uint8Array,
): Promise<void> {
  const request = parseRequest(query);
  const container = context.core.view.containers.find(
    (candidate) => candidate.labels["davit.task"] === taskId && candidate.state === "running",
  );
  if (container === undefined)
    throw new DavitError("unavailable", `exec in task ${taskId}: it has no running container on this node`, {
      wayOut: "see `davit service ps`",
    });
  const send = (type: number, payload: Uint8Array): void => void socket.write(encodeExecFrame(type, payload));
  const early: [number, Uint8Array][] = [];
  let isUpgraded = false;
  const session = await context.engine.exec(container.id, request, (stream, bytes) => {
    const type = stream === "stdout" ? EXEC_FRAME.stdout : EXEC_FRAME.stderr;
    if (isUpgraded) send(type, bytes);
    else early.push([type, bytes]);
  });
  socket.write("HTTP/1.1 101 Switching Protocols\r\nconnection: Upgrade\r\nupgrade: davit-exec\r\n\r\n");
  isUpgraded = true;
  for (const [type, bytes] of early) send(type, bytes);
  takeInput(session, socket, head);
  const gone = new Promise<"gone">((resolve) => {
    socket.on("close", () => resolve("gone"));
    socket.on("end", () => resolve("gone"));
  });
  try {
    const ended = await Promise.race([session.exited, gone]);
    if (ended !== "gone") send(EXEC_FRAME.exit, Buffer.from(JSON.stringify({ exitCode: ended })));
  } catch (error) {
    send(EXEC_FRAME.error, Buffer.from(JSON.stringify({ message: reasonOf(error) })));
  } finally {
    session.exited.catch(() => {});
    session.close();
    socket.end();
  }
}

function takeInput(session: ExecSession, socket: Duplex, head: Uint8Array): void {
  const decoder = new ExecFrameDecoder();
  const take = (bytes: Uint8Array): void => {
    try {
      for (const frame of decoder.push(bytes)) takeFrame(session, frame);
    } catch (error) {
      socket.destroy(error instanceof Error ? error : undefined);
    }
  };
  if (head.length > 0) take(head);
  socket.on("data", take);
}

function takeFrame(session: ExecSession, frame: ExecFrame): void {
  if (frame.type === EXEC_FRAME.stdin) {
    if (frame.payload.length === 0) session.end();
    else session.write(frame.payload);
    return;
  }
  if (frame.type !== EXEC_FRAME.resize) return;
  const size = JSON.parse(new TextDecoder().decode(frame.payload)) as {
    readonly cols?: unknown;
    readonly rows?: unknown;
  };
  // a terminal that cannot be resized any more has ended: its exit code is on the way
  if (typeof size.cols === "number" && typeof size.rows === "number")
    session.resize(size.cols, size.rows).catch(() => {});
}

function parseRequest(query: URLSearchParams): ExecRequest {
  const argv = parseArgv(query.get("argv"));
  const tty = query.get("tty") === "1";
  const size = { cols: Number(query.get("cols")), rows: Number(query.get("rows")) };
  return {
    argv,
    tty,
    stdin: true,
    ...(query.get("user") === null ? {} : { user: query.get("user") ?? "" }),
    ...(query.get("workdir") === null ? {} : { workingDir: query.get("workdir") ?? "" }),
    ...(size.cols > 0 && size.rows > 0 ? size : {}),
  };
}

function parseArgv(text: string | null): readonly string[] {
  try {
    const argv: unknown = JSON.parse(text ?? "");
    if (Array.isArray(argv) && argv.length > 0 && argv.every((part) => typeof part === "string")) return argv;
  } catch {
    // falls through: said below
  }
  throw new DavitError("invalid_input", "exec: argv must be a JSON array of texts with at least one");
}
