// Calls to an agent over its bulk connection: logs, exec and its own view of things. HTTP over a stream that the SSH adapter dialled,
// each with a token of its own for just that scope. Errors say which node did not answer and why.

import { request, type IncomingMessage } from "node:http";
import type { Duplex } from "node:stream";
import { DavitError, reasonOf } from "../core/model/errors.ts";
import type { NodeIngressFigures } from "../core/model/ingress-figures.ts";
import type { PeerMeasurement } from "../core/mesh/judge-peer.ts";
import type { NodeId } from "../core/model/ids.ts";
import type { Node } from "../core/model/records.ts";

/** An agent that has not answered a call's headers within this time hangs, or its node is gone. */
const ANSWER_TIMEOUT_MS = 10_000;
/** Who collects figures every ten seconds or so gives up by then. */
const FIGURES_TIMEOUT_MS = 4_000;
/** A peer that does not answer is waited for in each step. */
const MEASURE_TIMEOUT_MS = 30_000;
/** A log line longer than this is cut by the agent; what comes in larger is an agent gone wrong. */
const MAX_LINE_BYTES = 1024 * 1024;

export type AgentCallsInput = {
  readonly dial: (node: Node) => Promise<Duplex>;
  /** A short-lived token for one node and one scope. */
  readonly token: (node: Node, scope: string) => Promise<string>;
};

export type AgentLogLine = {
  readonly stream: "stdout" | "stderr";
  readonly at: string;
  readonly text: string;
  readonly attempt: number;
};

export type AgentCalls = {
  /** Calls `onLine` for each line, in order; resolves at the end of the log or when `signal` aborts. */
  logs(
    node: Node,
    taskId: string,
    query: Readonly<Record<string, string>>,
    onLine: (line: AgentLogLine) => void,
    signal: AbortSignal,
  ): Promise<void>;
  /** A duplex of exec frames (1 byte type, 4 bytes length, payload). */
  exec(node: Node, taskId: string, query: Readonly<Record<string, string>>): Promise<Duplex>;
  /** What the agent holds and sees, as JSON. */
  state(node: Node): Promise<unknown>;
  /** What the node's ingress has counted of each service. */
  ingressFigures(node: Node): Promise<NodeIngressFigures>;
  /** Calls `onLine` for each request that the node's ingress has logged; as `logs`. */
  accessLog(
    node: Node,
    query: Readonly<Record<string, string>>,
    onLine: (line: AgentLogLine) => void,
    signal: AbortSignal,
  ): Promise<void>;
  /** What the agent measures towards a peer. */
  measurePeer(node: Node, peer: NodeId, withStream: boolean): Promise<PeerMeasurement>;
};

export function createAgentCalls(input: AgentCallsInput): AgentCalls {
  return {
    logs: async (node, taskId, query, onLine, signal) => {
      const response = await call(
        input,
        node,
        "agent:logs",
        `/v1/tasks/${taskId}/logs?${new URLSearchParams(query).toString()}`,
        signal,
      );
      await readLines(node, response, onLine, signal);
    },
    exec: (node, taskId, query) =>
      upgrade(input, node, `/v1/tasks/${taskId}/exec?${new URLSearchParams(query).toString()}`),
    state: async (node) => {
      const response = await call(input, node, "agent:observe", "/v1/state", AbortSignal.timeout(ANSWER_TIMEOUT_MS));
      return JSON.parse(await readText(node, response)) as unknown;
    },
    ingressFigures: async (node) => {
      const signal = AbortSignal.timeout(FIGURES_TIMEOUT_MS);
      const response = await call(input, node, "agent:observe", "/v1/ingress/figures", signal, FIGURES_TIMEOUT_MS);
      return JSON.parse(await readText(node, response)) as NodeIngressFigures;
    },
    accessLog: async (node, query, onLine, signal) => {
      const path = `/v1/ingress/log?${new URLSearchParams(query).toString()}`;
      await readLines(node, await call(input, node, "agent:logs", path, signal), onLine, signal);
    },
    measurePeer: async (node, peer, withStream) => {
      const path = `/v1/peers?peer=${peer}&stream=${withStream ? 1 : 0}`;
      const response = await call(
        input,
        node,
        "agent:observe",
        path,
        AbortSignal.timeout(MEASURE_TIMEOUT_MS),
        MEASURE_TIMEOUT_MS,
      );
      return JSON.parse(await readText(node, response)) as PeerMeasurement;
    },
  };
}

async function call(
  input: AgentCallsInput,
  node: Node,
  scope: string,
  path: string,
  signal: AbortSignal,
  timeoutMs = ANSWER_TIMEOUT_MS,
): Promise<IncomingMessage> {
  const [socket, token] = await Promise.all([input.dial(node), input.token(node, scope)]);
  const response = await new Promise<IncomingMessage>((resolve, reject) => {
    const sent = request({
      method: "GET",
      path,
      headers: headersOf(node, token),
      createConnection: () => socket,
      signal,
    });
    const timer = setTimeout(() => sent.destroy(new Error(`no answer within ${timeoutMs / 1_000} s`)), timeoutMs);
    sent.on("response", (message) => {
      clearTimeout(timer);
      resolve(message);
    });
    sent.on("error", (error) => {
      clearTimeout(timer);
      socket.destroy();
      reject(new DavitError("unavailable", `call the agent of ${node.name}: ${error.message}`, { cause: error }));
    });
    sent.end();
  });
  if (response.statusCode === 200) return response;
  throw refusal(node, response.statusCode ?? 0, await readText(node, response));
}

function headersOf(node: Node, token: string): Record<string, string> {
  return { host: node.id, authorization: `Bearer ${token}` };
}

function refusal(node: Node, status: number, body: string): DavitError {
  let message = body;
  try {
    const told = JSON.parse(body) as { message?: string; detail?: string };
    message = told.detail ?? told.message ?? body;
  } catch {
    // not JSON: the text itself is the best there is
  }
  return new DavitError(
    status === 404 ? "not_found" : "unavailable",
    `the agent of ${node.name} answered ${status}: ${message.slice(0, 500)}`,
  );
}

/** An answer's body as it comes. Where it breaks off the error says whose it was. */
async function* bodyOf(node: Node, response: IncomingMessage): AsyncGenerator<string> {
  response.setEncoding("utf8");
  try {
    yield* response as AsyncIterable<string>;
  } catch (cause) {
    throw new DavitError("unavailable", `call the agent of ${node.name}: its answer broke off (${reasonOf(cause)})`, {
      cause,
    });
  }
}

async function readText(node: Node, response: IncomingMessage): Promise<string> {
  let text = "";
  for await (const chunk of bodyOf(node, response)) {
    text += chunk;
    if (text.length > MAX_LINE_BYTES * 8)
      throw new DavitError("too_large", "read the agent's answer: larger than 8 MiB");
  }
  return text;
}

async function readLines(
  node: Node,
  response: IncomingMessage,
  onLine: (line: AgentLogLine) => void,
  signal: AbortSignal,
): Promise<void> {
  let rest = "";
  try {
    for await (const chunk of bodyOf(node, response)) {
      rest += chunk;
      const lines = rest.split("\n");
      rest = lines.pop() ?? "";
      for (const line of lines) if (line !== "") onLine(JSON.parse(line) as AgentLogLine);
      if (rest.length > MAX_LINE_BYTES) throw new DavitError("too_large", "read logs: a line is larger than 1 MiB");
    }
  } catch (error) {
    if (!signal.aborted) throw error;
  }
}

async function upgrade(input: AgentCallsInput, node: Node, path: string): Promise<Duplex> {
  const [socket, token] = await Promise.all([input.dial(node), input.token(node, "agent:exec")]);
  return await new Promise<Duplex>((resolve, reject) => {
    const headers = { ...headersOf(node, token), connection: "Upgrade", upgrade: "davit-exec" };
    const sent = request({ method: "POST", path, headers, createConnection: () => socket });
    const timer = setTimeout(
      () => sent.destroy(new Error(`no answer within ${ANSWER_TIMEOUT_MS / 1_000} s`)),
      ANSWER_TIMEOUT_MS,
    );
    sent.on("upgrade", (_response, stream, head) => {
      clearTimeout(timer);
      if (head.length > 0) stream.unshift(head);
      resolve(stream);
    });
    sent.on("response", (response) => {
      clearTimeout(timer);
      void readText(node, response).then((body) => reject(refusal(node, response.statusCode ?? 0, body)), reject);
    });
    sent.on("error", (error) => {
      clearTimeout(timer);
      reject(new DavitError("unavailable", `exec on ${node.name}: ${reasonOf(error)}`, { cause: error }));
    });
    sent.end();
  });
}
