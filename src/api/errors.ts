// Errors as RFC 9457 problems: one status for each code, the sentence, the way out. What is no DavitError is a fault of davit's own: it is
// logged with its stack and told without.

import { HTTPException } from "hono/http-exception";
import { DavitError, type ErrorCode } from "../core/model/errors.ts";
import type { Problem } from "../core/model/views.ts";
import type { Log } from "../ports/log.ts";

const STATUS: Readonly<Record<ErrorCode, number>> = {
  invalid_input: 400,
  not_found: 404,
  ambiguous: 409,
  already_exists: 409,
  out_of_sequence: 412,
  conflict: 409,
  in_use: 409,
  not_supported: 422,
  not_yet: 422,
  unauthenticated: 401,
  forbidden: 403,
  forked_history: 409,
  unavailable: 503,
  timeout: 504,
  too_large: 413,
  too_many: 429,
  unplaceable: 409,
  rollout_failed: 409,
  ssh_failed: 502,
  preflight_failed: 422,
  bootstrap_failed: 502,
  engine_failed: 502,
  storage_failed: 500,
  internal: 500,
};

/** The problem of an error; `status` replaces the code's own. */
export function problemOf(error: DavitError, status: number = STATUS[error.code]): Problem {
  return {
    type: `urn:davit:problem:${error.code}`,
    title: error.code.replaceAll("_", " "),
    status,
    code: error.code,
    detail: error.message,
    ...(error.wayOut === undefined ? {} : { wayOut: error.wayOut }),
    ...(error.details.length === 0 ? {} : { errors: error.details }),
  };
}

/** An answer that says what went wrong. */
export function problemResponse(error: DavitError, status?: number): Response {
  const problem = problemOf(error, status);
  const headers: Record<string, string> = { "content-type": "application/problem+json", "cache-control": "no-store" };
  if (problem.status === 401) headers["www-authenticate"] = "Bearer";
  if (problem.status === 429 || problem.status === 503) headers["retry-after"] = "1";
  return new Response(JSON.stringify(problem), { status: problem.status, headers });
}

/** Anything thrown as a DavitError; unexpected ones are logged and become `internal`. */
export function asDavitError(thrown: unknown, log: Log): DavitError {
  if (thrown instanceof DavitError) return thrown;
  if (thrown instanceof HTTPException && thrown.status < 500) {
    return new DavitError(
      thrown.status === 413 ? "too_large" : "invalid_input",
      `read request: ${thrown.message === "" ? "it is not well-formed" : thrown.message}`,
    );
  }
  log.error("request failed unexpectedly", {
    error: thrown instanceof Error ? (thrown.stack ?? thrown.message) : String(thrown),
  });
  return new DavitError("internal", "something went wrong inside the coordinator", {
    wayOut: "its log has the details; a restart of the coordinator does no harm to what runs",
  });
}
