// A command in a running container: create, start with an upgraded connection that carries input and output, resize, exit code.
// The upgrade goes through node:http, because fetch cannot hand over its connection.

import { request as httpRequest } from "node:http";
import type { Duplex } from "node:stream";
import { EngineError, type ExecRequest, type ExecSession } from "../../../src/ports/container-engine.ts";
import { CALL_TIMEOUT_MS, type EngineHttp } from "./http-client.ts";
import { LogFrameDecoder } from "./log-frames.ts";

/** The engine writes the exit code just after it closes the connection: asked so often, this far apart. */
const EXIT_CODE_TRIES = 50;
const EXIT_CODE_PAUSE_MS = 20;

/** Runs a command in a container. Rejects with EngineError when it cannot be started, or the engine has not said so for `timeoutMs`. */
export async function startExec(
  http: EngineHttp,
  containerId: string,
  request: ExecRequest,
  onOutput: (stream: "stdout" | "stderr", bytes: Uint8Array) => void,
  timeoutMs = CALL_TIMEOUT_MS,
): Promise<ExecSession> {
  const what = `run ${request.argv[0] ?? "a command"} in ${containerId.slice(0, 12)}`;
  const body = {
    AttachStdin: request.stdin,
    AttachStdout: true,
    AttachStderr: true,
    Tty: request.tty,
    Cmd: request.argv,
    ...(request.user === undefined ? {} : { User: request.user }),
    ...(request.workingDir === undefined ? {} : { WorkingDir: request.workingDir }),
    ...(request.privileged === undefined ? {} : { Privileged: request.privileged }),
    ...(request.env === undefined
      ? {}
      : { Env: Object.entries(request.env).map(([name, value]) => `${name}=${value}`) }),
  };
  const { Id: execId } = (await http.json(`/containers/${containerId}/exec`, { method: "POST", body, what })) as {
    readonly Id: string;
  };
  const socket = await upgrade(
    http,
    await http.path(`/exec/${execId}/start`),
    JSON.stringify({ Detach: false, Tty: request.tty }),
    what,
    timeoutMs,
  );
  const resize = async (cols: number, rows: number): Promise<void> => {
    await http.json(`/exec/${execId}/resize`, {
      method: "POST",
      query: { w: String(cols), h: String(rows) },
      what: "resize the terminal",
    });
  };
  const decoder = new LogFrameDecoder();
  socket.on("data", (bytes: Uint8Array) => {
    if (request.tty) return onOutput("stdout", bytes);
    for (const chunk of decoder.push(bytes)) onOutput(chunk.stream, chunk.bytes);
  });
  const exited = closed(socket).then(() => exitCode(http, execId, what));
  // whoever starts a command may ask for its end only later
  exited.catch(() => {});
  // a command that has ended already has no terminal any more; any other can do with a size that is not its user's
  if (request.tty && request.cols !== undefined && request.rows !== undefined)
    await resize(request.cols, request.rows).catch(() => {});
  return {
    write: (bytes) => void socket.write(bytes),
    end: () => void socket.end(),
    resize,
    exited,
    close: () => socket.destroy(),
  };
}

/** The connection that carries input and output, once the engine hands it over: where a container's runtime is stuck it never does. */
function upgrade(http: EngineHttp, path: string, body: string, what: string, timeoutMs: number): Promise<Duplex> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const upgraded = new Promise<Duplex>((resolve, reject) => {
    const headers = {
      connection: "Upgrade",
      upgrade: "tcp",
      "content-type": "application/json",
      "content-length": Buffer.byteLength(body),
    };
    const request = httpRequest({ socketPath: http.socketPath, path, method: "POST", headers });
    request.on("upgrade", (_response, socket, head) => {
      if (head.length > 0) socket.unshift(head);
      resolve(socket);
    });
    request.on("response", (response) => {
      response.resume();
      reject(new EngineError("failed", `${what}: the container engine answered ${response.statusCode ?? 0}`));
    });
    request.on("error", (cause) => reject(new EngineError("unreachable", `${what}: ${cause.message}`, { cause })));
    timer = setTimeout(() => {
      reject(new EngineError("timeout", `${what}: the container engine did not answer within ${timeoutMs / 1_000} s`));
      request.destroy();
    }, timeoutMs);
    request.end(body);
  });
  return upgraded.finally(() => clearTimeout(timer));
}

function closed(socket: Duplex): Promise<void> {
  return new Promise((resolve) => {
    socket.on("end", resolve);
    socket.on("close", resolve);
    socket.on("error", () => resolve());
  });
}

async function exitCode(http: EngineHttp, execId: string, what: string): Promise<number> {
  for (let attempt = 0; attempt < EXIT_CODE_TRIES; attempt++) {
    const state = (await http.json(`/exec/${execId}/json`, { what })) as {
      readonly Running: boolean;
      readonly ExitCode: number | null;
    };
    if (!state.Running && state.ExitCode !== null) return state.ExitCode;
    await Bun.sleep(EXIT_CODE_PAUSE_MS);
  }
  throw new EngineError("timeout", `${what}: it went on without its connection`);
}
