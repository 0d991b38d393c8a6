// Requests to the coordinator's API over a unix socket, TCP or a stream that somebody dialled, with node:http for all three: answers and
// streams behave alike. Errors become DavitErrors here: the server's own from problem+json, and those of not getting through.

import { type ClientRequest, type IncomingMessage, request as httpRequest, type RequestOptions } from "node:http";
import { request as httpsRequest } from "node:https";
import type { Duplex } from "node:stream";
import { DavitError, reasonOf } from "../core/model/errors.ts";
import type { Problem } from "../core/model/views.ts";
import { MAX_BODY_BYTES } from "../core/protocol/limits.ts";
import type { ClientOptions, ClientTarget } from "./types.ts";

const CONNECT_TIMEOUT_MS = 10_000;
/** The largest answer that is read whole: a list of thousands of tasks is a few MiB. */
const MAX_ANSWER_BYTES = 64 * 1024 * 1024;

export type Call = {
  readonly method: "GET" | "POST" | "PUT" | "PATCH" | "DELETE";
  readonly path: string;
  readonly body?: unknown;
  readonly headers?: Readonly<Record<string, string>>;
  readonly signal?: AbortSignal | undefined;
};

export type Transport = {
  /** The answer's JSON; undefined for 204. Rejects with DavitError. */
  json(call: Call): Promise<unknown>;
  /** The answer's body as it comes; rejects with DavitError unless the status is 2xx. */
  stream(call: Call): Promise<IncomingMessage>;
  /** The stream behind an accepted upgrade, and what came with its headers. */
  upgrade(call: Call): Promise<{ readonly socket: Duplex; readonly head: Uint8Array }>;
};

export function createTransport(target: ClientTarget, options: ClientOptions): Transport {
  const timeoutMs = options.connectTimeoutMs ?? CONNECT_TIMEOUT_MS;
  const send = async (call: Call): Promise<Answer> => {
    const payload = payloadOf(call);
    const dialled = target.kind === "dial" ? await dial(target, timeoutMs) : undefined;
    return await exchange({ target, options, call, payload, timeoutMs, dialled });
  };
  const response = async (call: Call): Promise<IncomingMessage> => {
    const answer = await send(call);
    if (answer.kind === "upgraded") {
      answer.socket.destroy();
      throw new DavitError("internal", "the coordinator answered with an upgrade that was not asked for");
    }
    const { statusCode = 0 } = answer.message;
    if (statusCode >= 200 && statusCode < 300) return answer.message;
    throw errorOf(statusCode, await readText(answer.message));
  };
  return {
    json: async (call) => {
      const message = await response(call);
      const text = await readText(message);
      return message.statusCode === 204 || text === "" ? undefined : (JSON.parse(text) as unknown);
    },
    stream: response,
    upgrade: async (call) => {
      const answer = await send(call);
      if (answer.kind === "upgraded") return answer;
      throw errorOf(answer.message.statusCode ?? 0, await readText(answer.message));
    },
  };
}

type Answer =
  | { readonly kind: "response"; readonly message: IncomingMessage }
  | { readonly kind: "upgraded"; readonly socket: Duplex; readonly head: Uint8Array };

type Exchange = {
  readonly target: ClientTarget;
  readonly options: ClientOptions;
  readonly call: Call;
  readonly payload: Buffer | undefined;
  readonly timeoutMs: number;
  readonly dialled: Duplex | undefined;
};

/** Refused here already: a server that stops reading in the middle can no longer say why. */
function payloadOf(call: Call): Buffer | undefined {
  if (call.body === undefined) return undefined;
  const payload = Buffer.from(JSON.stringify(call.body));
  if (payload.length <= MAX_BODY_BYTES) return payload;
  throw new DavitError("too_large", `send request: its body is larger than ${MAX_BODY_BYTES / 1_048_576} MiB`);
}

function exchange({ target, options, call, payload, timeoutMs, dialled }: Exchange): Promise<Answer> {
  return new Promise<Answer>((resolve, reject) => {
    const sent = open(
      target,
      { method: call.method, path: call.path, headers: headersOf(target, options, call, payload) },
      dialled,
    );
    let isDone = false;
    const fail = (error: DavitError): void => {
      if (isDone) return;
      isDone = true;
      clearTimeout(timer);
      sent.destroy();
      dialled?.destroy();
      reject(error);
    };
    const timer = setTimeout(
      () => fail(unreachable(target, `no answer within ${timeoutMs / 1_000} s`, "timeout")),
      timeoutMs,
    );
    const succeed = (answer: Answer): void => {
      isDone = true;
      clearTimeout(timer);
      resolve(answer);
    };
    call.signal?.addEventListener("abort", () => sent.destroy(), { once: true });
    sent.on("response", (message) => {
      // what breaks from here on breaks the reader of the body
      message.on("close", () => dialled?.destroy());
      succeed({ kind: "response", message });
    });
    sent.on("upgrade", (_message, socket, head) => succeed({ kind: "upgraded", socket, head }));
    sent.on("error", (error) =>
      fail(
        call.signal?.aborted === true
          ? new DavitError("unavailable", "stopped by the caller")
          : unreachable(target, reasonOf(error), "unavailable"),
      ),
    );
    sent.end(payload);
  });
}

/** No connection is used twice: one that the server has just closed would fail the next request. */
function open(target: ClientTarget, options: RequestOptions, dialled: Duplex | undefined): ClientRequest {
  switch (target.kind) {
    case "socket":
      return httpRequest({ ...options, agent: false, socketPath: target.socketPath });
    case "url": {
      const base = new URL(target.url);
      const path = `${base.pathname.replace(/\/$/, "")}${options.path ?? ""}`;
      const send = base.protocol === "https:" ? httpsRequest : httpRequest;
      return send({
        ...options,
        agent: false,
        path,
        hostname: base.hostname.replace(/^\[|\]$/g, ""),
        port: base.port === "" ? undefined : Number(base.port),
      });
    }
    case "dial":
      // each request has a stream of its own: nothing is kept alive on it
      return httpRequest({ ...options, createConnection: () => dialled });
  }
}

async function dial(target: ClientTarget & { readonly kind: "dial" }, timeoutMs: number): Promise<Duplex> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  let isLate = false;
  const late = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => {
      isLate = true;
      reject(unreachable(target, `no connection within ${timeoutMs / 1_000} s`, "timeout"));
    }, timeoutMs);
  });
  const dialled = target.dial();
  // a stream that comes too late must not stay open
  dialled.then((stream) => (isLate ? stream.destroy() : undefined)).catch(() => undefined);
  try {
    return await Promise.race([dialled, late]);
  } catch (error) {
    if (error instanceof DavitError) throw error;
    throw unreachable(target, reasonOf(error), "unavailable");
  } finally {
    clearTimeout(timer);
  }
}

function headersOf(
  target: ClientTarget,
  options: ClientOptions,
  call: Call,
  payload: Buffer | undefined,
): Record<string, string> {
  const headers: Record<string, string> = {
    accept: "application/json",
    "user-agent": options.userAgent ?? "davit",
    ...call.headers,
  };
  headers["host"] = target.kind === "url" ? new URL(target.url).host : "localhost";
  const token = target.kind === "socket" ? undefined : target.token;
  if (token !== undefined) headers["authorization"] = `Bearer ${token}`;
  if (payload !== undefined) {
    headers["content-type"] = "application/json";
    headers["content-length"] = String(payload.length);
  }
  if (headers["upgrade"] === undefined) headers["connection"] = "close";
  return headers;
}

/** Where the coordinator was looked for. */
function placeOf(target: ClientTarget): string {
  switch (target.kind) {
    case "socket":
      return target.socketPath;
    case "url":
      return target.url;
    case "dial":
      return target.target;
  }
}

function unreachable(target: ClientTarget, reason: string, code: "unavailable" | "timeout"): DavitError {
  return new DavitError(code, `the coordinator does not answer at ${placeOf(target)}: ${reason}`, {
    wayOut: "is `davit up` running there?",
  });
}

function errorOf(status: number, body: string): DavitError {
  try {
    const problem = JSON.parse(body) as Partial<Problem>;
    if (typeof problem.code === "string" && typeof problem.detail === "string") return problemError(problem as Problem);
  } catch {
    // not from davit: a proxy in between, or another server on that port
  }
  return new DavitError("unavailable", `the answer is not from davit (status ${status}): ${body.slice(0, 200)}`, {
    wayOut: "check the address: something else answers there",
  });
}

/** A problem as the error that the server had. */
export function problemError(problem: Problem): DavitError {
  return new DavitError(problem.code, problem.detail, {
    ...(problem.wayOut === undefined ? {} : { wayOut: problem.wayOut }),
    ...(problem.errors === undefined ? {} : { details: problem.errors }),
  });
}

async function readText(message: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  let size = 0;
  try {
    for await (const chunk of message) {
      chunks.push(chunk as Buffer);
      size += (chunk as Buffer).length;
      if (size > MAX_ANSWER_BYTES)
        throw new DavitError("too_large", `read answer: larger than ${MAX_ANSWER_BYTES / 1_048_576} MiB`);
    }
  } catch (error) {
    if (error instanceof DavitError) throw error;
    throw new DavitError("unavailable", `the connection to the coordinator broke: ${reasonOf(error)}`, {
      cause: error,
    });
  }
  return Buffer.concat(chunks).toString("utf8");
}
