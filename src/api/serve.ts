// Where the API listens: the owner's unix socket (mode 0600, no token), and TCP on loopback (token needed). Nothing else unless asked.

import { chmodSync, existsSync, mkdtempSync, renameSync, rmSync, unlinkSync } from "node:fs";
import { join } from "node:path";
import { DavitError, reasonOf } from "../core/model/errors.ts";
import { MAX_BODY_BYTES } from "../core/protocol/limits.ts";
import { type ApiApp, createApi } from "./app.ts";
import type { Backend } from "./backend.ts";
import type { ApiOptions, Transport } from "./context.ts";
import { isLoopback } from "./host-check.ts";
import { type SocketHandlers, webSocketHandler } from "./websocket.ts";

/** Idle event streams send a comment every 15 s: a connection that is silent for this long is dead. */
const IDLE_TIMEOUT_S = 120;

export type Listening = {
  /** The TCP port that was taken; undefined when TCP was not asked for. */
  readonly port: number | undefined;
  /** Ends all connections, streams included. */
  readonly stop: () => Promise<void>;
};

export type ServeOptions = ApiOptions & {
  readonly backend: Backend;
  /** Absent: no socket. */
  readonly socketPath?: string;
  /** Absent: no TCP. Port 0 takes any free one. */
  readonly listen?: { readonly host: string; readonly port: number } | undefined;
};

/** Listens. Throws `unavailable` when a socket or port cannot be taken. The caller holds the lock of the data directory: a socket file found is a dead one's. */
export function serveApi(options: ServeOptions): Listening {
  const { backend, socketPath, listen: tcp } = options;
  const app = createApi(backend, { ...options, anyHost: tcp !== undefined && !isLoopback(tcp.host) });
  const servers: { stop(force?: boolean): Promise<void> }[] = [];
  if (socketPath !== undefined) servers.push(serveSocket(app, socketPath));
  let port: number | undefined;
  if (tcp !== undefined) {
    const server = listen(`${tcp.host}:${tcp.port}`, () =>
      Bun.serve({ ...handlers(app, "tcp"), hostname: tcp.host, port: tcp.port }),
    );
    servers.push(server);
    port = server.port;
  }
  return {
    port,
    stop: async () => {
      await Promise.all(servers.map((server) => server.stop(true)));
      if (socketPath !== undefined && existsSync(socketPath)) unlinkSync(socketPath);
    },
  };
}

/** Made in a folder that only the owner may enter and moved from there: at no moment could anybody else connect. */
function serveSocket(app: ApiApp, path: string): { stop(force?: boolean): Promise<void> } {
  const folder = mkdtempSync(`${path}.`);
  try {
    const made = join(folder, "s");
    const server = listen(path, () =>
      Bun.serve({ ...handlers(app, "socket"), unix: made } as Bun.Serve.Options<SocketHandlers>),
    );
    chmodSync(made, 0o600);
    renameSync(made, path);
    return server;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function listen<Server>(where: string, start: () => Server): Server {
  try {
    return start();
  } catch (cause) {
    throw new DavitError("unavailable", `listen on ${where}: ${reasonOf(cause)}`, {
      wayOut: "see who has it (ss -lp), or choose another with --listen",
      cause,
    });
  }
}

function handlers(app: ApiApp, transport: Transport) {
  return {
    fetch: (request: Request, server: Bun.Server<SocketHandlers>) =>
      app.fetch(request, { transport, upgrade: (raw, data) => server.upgrade(raw, { data }) }),
    websocket: webSocketHandler,
    // the application's own limit answers with a problem; this one only ends what goes on regardless
    maxRequestBodySize: 2 * MAX_BODY_BYTES,
    idleTimeout: IDLE_TIMEOUT_S,
    development: false,
  } as const;
}
