// HTTP to the engine's unix socket: version negotiation, JSON in and out, errors as EngineError. No retries, no decisions.

import { EngineError, type EngineFault } from "../../../src/ports/container-engine.ts";
import { reasonOf } from "../../../src/core/model/errors.ts";

/** The newest API whose fields this client was written for, and the oldest it can do with (Docker 20.10). */
const NEWEST_API = [1, 53] as const;
const OLDEST_API = [1, 41] as const;
/** Calls that only look or flip something: the engine answers in milliseconds, or it is stuck. */
export const CALL_TIMEOUT_MS = 30_000;

export type EngineCall = {
  readonly method?: "GET" | "POST" | "DELETE";
  readonly query?: Readonly<Record<string, string>>;
  readonly body?: unknown;
  readonly headers?: Readonly<Record<string, string>>;
  /** 0: none. */
  readonly timeoutMs?: number;
  readonly signal?: AbortSignal;
  /** "create container web.1": for the message. */
  readonly what: string;
};

export class EngineHttp {
  readonly socketPath: string;
  #version: string | undefined;

  constructor(socketPath: string) {
    this.socketPath = socketPath;
  }

  /** Asks for the engine's newest API version and settles on the newest that both know. */
  async negotiate(): Promise<void> {
    const call = { what: "reach the container engine", timeoutMs: 5_000 };
    const response = await this.#fetch("/_ping", call);
    await answerTo(call, response.arrayBuffer());
    if (!response.ok) throw new EngineError("unreachable", `reach the container engine: it answers ${response.status}`);
    this.#version = negotiatedVersion(response.headers.get("api-version") ?? "1.41");
  }

  /** The API version that is spoken: "1.41". */
  async version(): Promise<string> {
    if (this.#version === undefined) await this.negotiate();
    return this.#version ?? "";
  }

  /** "/v1.41/containers/json?all=1" */
  async path(path: string, query: Readonly<Record<string, string>> = {}): Promise<string> {
    const search = new URLSearchParams(query).toString();
    return `/v${await this.version()}${path}${search === "" ? "" : `?${search}`}`;
  }

  /** The response, once it is known to be no error. The caller reads its body: `bodyOf`. */
  async open(path: string, call: EngineCall): Promise<Response> {
    const response = await this.#fetch(await this.path(path, call.query), call);
    if (response.status < 400) return response;
    const text = await answerTo(call, response.text());
    throw engineError(response.status, messageOf(text.slice(0, 4096)), call.what);
  }

  /** The parsed JSON answer; undefined when it is empty. */
  async json(path: string, call: EngineCall): Promise<unknown> {
    const response = await this.open(path, call);
    const text = await answerTo(call, response.text());
    return text === "" ? undefined : (JSON.parse(text) as unknown);
  }

  async #fetch(path: string, call: EngineCall): Promise<Response> {
    const signal = signalOf(call.signal, timeoutOf(call));
    const init = {
      unix: this.socketPath,
      method: call.method ?? "GET",
      headers: { ...(call.body === undefined ? {} : { "content-type": "application/json" }), ...call.headers },
      ...(call.body === undefined ? {} : { body: JSON.stringify(call.body) }),
      ...(signal === undefined ? {} : { signal }),
      // Bun's own limit of five minutes would end a long stop or an event stream
      timeout: false,
    } as RequestInit;
    return await answerTo(call, fetch(`http://engine${path}`, init));
  }
}

/** A response's body as it comes. Where it breaks off the error says of what; one that the caller gave up ends with the caller's reason. */
export async function* bodyOf(response: Response, call: EngineCall): AsyncGenerator<Uint8Array> {
  try {
    yield* response.body ?? [];
  } catch (cause) {
    if (call.signal?.aborted === true) throw cause;
    throw new EngineError("unreachable", `${call.what}: the answer broke off (${reasonOf(cause)})`, { cause });
  }
}

function timeoutOf({ timeoutMs = CALL_TIMEOUT_MS }: EngineCall): number {
  return timeoutMs;
}

/** What the engine answers, its head or its body; if that does not come, the error says to what. */
async function answerTo<Answer>(call: EngineCall, answer: Promise<Answer>): Promise<Answer> {
  try {
    return await answer;
  } catch (cause) {
    if (cause instanceof Error && cause.name === "TimeoutError") {
      throw new EngineError(
        "timeout",
        `${call.what}: the container engine did not answer within ${timeoutOf(call) / 1_000} s`,
        { cause },
      );
    }
    throw new EngineError("unreachable", `${call.what}: the container engine does not answer (${reasonOf(cause)})`, {
      cause,
    });
  }
}

function signalOf(given: AbortSignal | undefined, timeoutMs: number): AbortSignal | undefined {
  if (timeoutMs === 0) return given;
  const late = AbortSignal.timeout(timeoutMs);
  return given === undefined ? late : AbortSignal.any([given, late]);
}

/** The newest version that engine and client share. Throws when the engine is too old. */
export function negotiatedVersion(engine: string): string {
  const [major = 0, minor = 0] = engine.split(".").map(Number);
  if (major < OLDEST_API[0] || (major === OLDEST_API[0] && minor < OLDEST_API[1])) {
    throw new EngineError(
      "invalid",
      `use the container engine: its API ${engine} is older than ${OLDEST_API.join(".")} (Docker 20.10)`,
    );
  }
  return major > NEWEST_API[0] || minor > NEWEST_API[1] ? NEWEST_API.join(".") : `${major}.${minor}`;
}

function messageOf(text: string): string {
  try {
    const message = (JSON.parse(text) as { message?: unknown }).message;
    return typeof message === "string" ? message : text;
  } catch {
    return text;
  }
}

/** What the engine said, sorted. */
export function engineError(status: number, message: string, what: string): EngineError {
  return new EngineError(faultOf(status, message), `${what}: ${message.trim()}`);
}

/** First match wins. Texts are those of Docker 20.10 to 29. */
const FAULTS: readonly { readonly fault: EngineFault; readonly status?: number; readonly text: RegExp }[] = [
  {
    fault: "image_not_found",
    text: /no such image|manifest( for .*)? (unknown|not found)|not found: manifest|repository does not exist|repository name not known/i,
  },
  {
    fault: "port_taken",
    text: /port is already allocated|bind: address already in use|failed to bind host port|listen (tcp|udp)/i,
  },
  { fault: "name_taken", text: /container name .* is already in use/i },
  { fault: "registry_denied", text: /unauthorized|authentication required|access denied|denied:|no basic auth/i },
  {
    fault: "registry_unreachable",
    text: /dial tcp|lookup .* (no such host|on )|connection refused|i\/o timeout|tls: |x509: |Client\.Timeout|context deadline exceeded|no route to host|network is unreachable|request canceled/i,
  },
  { fault: "not_found", status: 404, text: /(?:)/ },
  { fault: "conflict", status: 409, text: /(?:)/ },
  { fault: "invalid", status: 400, text: /(?:)/ },
];

/** What kind of failure an engine's answer is. */
export function faultOf(status: number, message: string): EngineFault {
  for (const rule of FAULTS) {
    if ((rule.status === undefined || rule.status === status) && rule.text.test(message)) return rule.fault;
  }
  return "failed";
}
