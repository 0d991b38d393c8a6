// The bulk socket: HTTP/1.1 on a unix socket, for what must not hold up the control stream: logs, exec, state. Each request carries a
// token of the issuer for this node and this use.

import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { Duplex } from "node:stream";
import { rmSync } from "node:fs";
import type { NodeIngressFigures } from "../../../src/core/model/ingress-figures.ts";
import { DavitError, reasonOf } from "../../../src/core/model/errors.ts";
import { type ContainerEngine, EngineError } from "../../../src/ports/container-engine.ts";
import type { AgentCore } from "../agent-core.ts";
import { openToGroup } from "../session/control-server.ts";
import { checkRequest } from "../trust/check-token.ts";
import { serveExec } from "./exec.ts";
import { sendAccessLog } from "./access-log.ts";
import { sendLogs } from "./logs.ts";
import { measurePeers } from "./peers.ts";

/** Streams (logs, exec) at once: what a handful of people watching need, and no more than the agent's memory bears. */
export const MAX_STREAMS = 64;
const STATUS: Readonly<Record<string, number>> = {
  unauthenticated: 401,
  forbidden: 403,
  not_found: 404,
  invalid_input: 400,
  too_many: 429,
  not_yet: 503,
  unavailable: 503,
};

export type BulkContext = {
  readonly core: AgentCore;
  readonly engine: ContainerEngine;
  readonly ingress: { figures(): Promise<NodeIngressFigures> };
};
type Route = {
  readonly scope: string;
  readonly taskId?: string;
  readonly kind: "logs" | "exec" | "state" | "peers" | "figures" | "access-log";
};

/** Listens until `close` is called. */
export async function serveBulk(
  path: string,
  groupId: number | undefined,
  context: BulkContext,
): Promise<{ close(): void }> {
  rmSync(path, { force: true });
  let streams = 0;
  const counted = async (work: () => Promise<void>): Promise<void> => {
    if (streams >= MAX_STREAMS)
      throw new DavitError("too_many", `open stream: ${MAX_STREAMS} are open on this node`, {
        wayOut: "close some `logs -f` or `exec`",
      });
    streams++;
    try {
      await work();
    } finally {
      streams--;
    }
  };
  const server = createServer((request, response) => void answer(context, request, response, counted));
  server.on(
    "upgrade",
    (request: IncomingMessage, socket: Duplex, head: Buffer) => void upgrade(context, request, socket, head, counted),
  );
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(path, resolve);
  });
  openToGroup(path, groupId);
  return {
    close: () => {
      server.close();
      server.closeAllConnections();
    },
  };
}

type Counted = (work: () => Promise<void>) => Promise<void>;

async function answer(
  context: BulkContext,
  request: IncomingMessage,
  response: ServerResponse,
  counted: Counted,
): Promise<void> {
  try {
    const url = new URL(request.url ?? "/", "http://agent");
    const route = routeOf(request.method ?? "GET", url.pathname);
    await authorize(context, request, route);
    if (route.kind === "exec")
      throw new DavitError("invalid_input", "exec: the request must ask for an upgrade to davit-exec");
    if (route.kind === "state") return sendJson(response, 200, stateOf(context.core));
    if (route.kind === "peers")
      return await counted(async () => sendJson(response, 200, await measurePeers(context.core, url.searchParams)));
    if (route.kind === "figures") return sendJson(response, 200, await context.ingress.figures());
    if (route.kind === "access-log") return await counted(() => sendAccessLog(url.searchParams, response));
    await counted(() => sendLogs(context, route.taskId ?? "", url.searchParams, response));
  } catch (error) {
    if (response.headersSent) return void response.destroy();
    const problem = problemOf(error);
    sendJson(response, problem.status, problem);
  }
}

async function upgrade(
  context: BulkContext,
  request: IncomingMessage,
  socket: Duplex,
  head: Buffer,
  counted: Counted,
): Promise<void> {
  socket.on("error", () => socket.destroy());
  try {
    const url = new URL(request.url ?? "/", "http://agent");
    const route = routeOf(request.method ?? "GET", url.pathname);
    await authorize(context, request, route);
    if (route.kind !== "exec") throw new DavitError("invalid_input", "only exec can be upgraded");
    await counted(() => serveExec(context, route.taskId ?? "", url.searchParams, socket, head));
  } catch (error) {
    const problem = problemOf(error);
    const body = JSON.stringify(problem);
    const lines = [
      `HTTP/1.1 ${problem.status} ${problem.title}`,
      "content-type: application/problem+json",
      `content-length: ${Buffer.byteLength(body)}`,
      "connection: close",
      "",
      body,
    ];
    socket.end(lines.join("\r\n"));
  }
}

function routeOf(method: string, path: string): Route {
  const task = /^\/v1\/tasks\/([0-9a-z]{25})\/(logs|exec)$/.exec(path);
  if (task?.[2] === "logs" && method === "GET") return { kind: "logs", scope: "agent:logs", taskId: task[1] ?? "" };
  if (task?.[2] === "exec" && method === "POST") return { kind: "exec", scope: "agent:exec", taskId: task[1] ?? "" };
  if (path === "/v1/state" && method === "GET") return { kind: "state", scope: "agent:observe" };
  if (path === "/v1/peers" && method === "GET") return { kind: "peers", scope: "agent:observe" };
  if (path === "/v1/ingress/figures" && method === "GET") return { kind: "figures", scope: "agent:observe" };
  if (path === "/v1/ingress/log" && method === "GET") return { kind: "access-log", scope: "agent:logs" };
  throw new DavitError("not_found", `${method} ${path}: the agent has no such thing`);
}

async function authorize(context: BulkContext, request: IncomingMessage, route: Route): Promise<void> {
  const token = /^Bearer (\S+)$/.exec(request.headers.authorization ?? "")?.[1];
  if (token === undefined) throw new DavitError("unauthenticated", "check token: there is none");
  const { core } = context;
  const { verifier, nodeId, issuerTime, epochs } = core;
  await checkRequest({ verifier, nodeId, issuerTime, newest: epochs.newest }, token, route.scope);
}

function problemOf(error: unknown): {
  readonly type: string;
  readonly title: string;
  readonly status: number;
  readonly code: string;
  readonly detail: string;
} {
  const code = error instanceof DavitError ? error.code : error instanceof EngineError ? "engine_failed" : "internal";
  const status = STATUS[code] ?? 500;
  return { type: "about:blank", title: code.replaceAll("_", " "), status, code, detail: reasonOf(error) };
}

function sendJson(response: ServerResponse, status: number, value: object): void {
  const body = JSON.stringify(value);
  response.writeHead(status, {
    "content-type": status < 400 ? "application/json" : "application/problem+json",
    "content-length": Buffer.byteLength(body),
  });
  response.end(body);
}

/** What the agent holds and sees, for people who look into a node. No secrets: sections are named, logins left out. */
function stateOf(core: AgentCore): object {
  return {
    nodeId: core.nodeId,
    state: core.state,
    position: core.held.position,
    epoch: core.epochs.newest?.epoch,
    leaseHeld: core.lease.isHeld,
    leaseEndsBootMs: core.lease.endsBootMs,
    underWay: core.underWay,
    tasks: [...core.held.tasks.values()].map((work) => ({
      taskId: work.taskId,
      service: work.serviceName,
      slot: work.slot,
      desired: work.desired,
      image: work.container.image,
      address: work.address,
    })),
    runs: [...core.runs.all.values()],
    containers: core.view.containers.map((container) => ({
      id: container.id,
      name: container.name,
      state: container.state,
    })),
  };
}
