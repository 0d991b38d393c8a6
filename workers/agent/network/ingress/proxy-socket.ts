// One command to one worker of a running proxy, over its master's socket: a connection for each, because the master reads only the first line.

import { createConnection } from "node:net";
import { DavitError } from "../../../../src/core/model/errors.ts";

/** A proxy that does not answer within it hangs, or reloads. */
const ANSWER_TIMEOUT_MS = 5_000;

/** The process that has the workers. */
export const MASTER = "master";

export interface ProxySocket {
  /** The answer of a worker (by pid), or of MASTER. Rejects when the proxy does not answer, with the system's error as its cause if there is one. */
  ask(worker: string, command: string): Promise<string>;
}

/** Speaks over a unix socket. */
export function createProxySocket(path: string): ProxySocket {
  return { ask: (worker, command) => ask(path, worker === MASTER ? command : `@!${worker} ${command}`) };
}

function ask(path: string, command: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = createConnection({ path });
    const chunks: Buffer[] = [];
    const fail = (reason: string, cause?: unknown): void => {
      socket.destroy();
      reject(new DavitError("unavailable", `ask the ingress proxy: ${reason}`, { cause }));
    };
    socket.setTimeout(ANSWER_TIMEOUT_MS, () => fail(`no answer within ${ANSWER_TIMEOUT_MS / 1_000} s`));
    socket.on("error", (error) => fail(error.message, error));
    socket.on("data", (chunk: Buffer) => chunks.push(chunk));
    socket.on("close", () => resolve(Buffer.concat(chunks).toString("utf8")));
    socket.on("connect", () => socket.end(`${command}\n`));
  });
}
