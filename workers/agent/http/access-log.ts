// Requests to a service's routes on this node, as JSON lines of the same shape as a task's log.

import type { ServerResponse } from "node:http";
import { DavitError } from "../../../src/core/model/errors.ts";
import { readAccessLog } from "../network/ingress/access-log.ts";
import { beginLines, writeAll } from "./logs.ts";

const USUAL_TAIL = 1_000;
/** They are held until the oldest is found. */
const MAX_TAIL = 100_000;

/** Streams until the log ends, or, when following, until the reader is gone. Throws `invalid_input`. */
export async function sendAccessLog(query: URLSearchParams, response: ServerResponse): Promise<void> {
  const service = query.get("service") ?? "";
  const since = query.get("since");
  const sinceMs = since === null ? undefined : Date.parse(since);
  const tail = Number(query.get("tail") ?? (since === null ? USUAL_TAIL : MAX_TAIL));
  if (service === "" || !Number.isInteger(tail) || tail < 0 || Number.isNaN(sinceMs))
    throw new DavitError("invalid_input", "read the log of requests: service, tail or since is not valid");
  const reading = beginLines(response);
  const wanted = {
    service,
    tail: Math.min(tail, MAX_TAIL),
    follow: query.get("follow") === "1",
    ...(sinceMs === undefined ? {} : { sinceMs }),
  };
  await readAccessLog(
    wanted,
    (line) => writeAll(response, `${JSON.stringify({ ...line, stream: "stdout", attempt: 0 })}\n`),
    reading,
  );
  response.end();
}
