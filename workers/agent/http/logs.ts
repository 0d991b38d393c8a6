// A task's logs as JSON lines {stream, at, text, attempt}: of one attempt, or of the newest and, when following, of each one after it.

import type { ServerResponse } from "node:http";
import { DavitError, reasonOf } from "../../../src/core/model/errors.ts";
import { EngineError } from "../../../src/ports/container-engine.ts";
import { attemptOf } from "../plan/types.ts";
import type { SeenContainer } from "../plan/types.ts";
import { LogLines, type LogLine } from "./log-lines.ts";
import type { BulkContext } from "./server.ts";

/** How often a follower of a task between two attempts looks for the next one. */
const NEXT_ATTEMPT_LOOK_MS = 200;

/** Streams until the logs end, or, when following, until the task is gone or the reader is. Throws `not_found` when there is no container. */
export async function sendLogs(
  context: BulkContext,
  taskId: string,
  query: URLSearchParams,
  response: ServerResponse,
): Promise<void> {
  const follow = query.get("follow") === "1";
  const wanted = query.get("attempt") === null ? undefined : Number(query.get("attempt"));
  const tail = query.get("tail") === null ? undefined : Number(query.get("tail"));
  const since = query.get("since") === null ? undefined : Date.parse(query.get("since") ?? "");
  if ((tail !== undefined && !Number.isInteger(tail)) || Number.isNaN(since) || Number.isNaN(wanted))
    throw new DavitError("invalid_input", "read logs: tail, since or attempt is not valid");
  let container = containerOf(context, taskId, wanted);
  if (container === undefined && !(follow && isWork(context, taskId))) {
    throw new DavitError("not_found", `read logs: task ${taskId} has no container on this node`, {
      wayOut: "see `davit service ps` for why it has not started",
    });
  }
  const reading = beginLines(response);
  let options = {
    follow,
    timestamps: true,
    ...(tail === undefined ? {} : { tail }),
    ...(since === undefined ? {} : { sinceMs: since }),
  };
  let seen = 0;
  while (!reading.aborted) {
    if (container !== undefined) {
      seen = attemptOf(container);
      await streamOne(context, container, options, response, reading);
      options = { follow, timestamps: true };
    }
    if (!follow || wanted !== undefined || !isWork(context, taskId)) break;
    await context.core.clock.sleep(NEXT_ATTEMPT_LOOK_MS);
    const newest = containerOf(context, taskId, undefined);
    container = newest !== undefined && attemptOf(newest) > seen ? newest : undefined;
  }
  response.end();
}

async function streamOne(
  context: BulkContext,
  container: SeenContainer,
  options: {
    readonly follow: boolean;
    readonly timestamps: boolean;
    readonly tail?: number;
    readonly sinceMs?: number;
  },
  response: ServerResponse,
  signal: AbortSignal,
): Promise<void> {
  const lines = new LogLines();
  const attempt = attemptOf(container);
  const tty = (container.tty ?? (await context.engine.inspectContainer(container.id))?.tty) === true;
  try {
    for await (const chunk of context.engine.logs(container.id, { ...options, tty }, signal))
      await write(response, lines.push(chunk), attempt);
  } catch (error) {
    if (signal.aborted) return;
    if (!(error instanceof EngineError)) throw error;
    await write(
      response,
      [{ stream: "stderr", at: new Date(context.core.clock.nowMs()).toISOString(), text: `davit: ${reasonOf(error)}` }],
      attempt,
    );
  }
  await write(response, lines.end(), attempt);
}

async function write(response: ServerResponse, lines: readonly LogLine[], attempt: number): Promise<void> {
  if (lines.length === 0) return;
  await writeAll(response, lines.map((line) => `${JSON.stringify({ ...line, attempt })}\n`).join(""));
}

/** Answers with JSON lines that are still to come; the signal aborts when the reader is gone. */
export function beginLines(response: ServerResponse): AbortSignal {
  const reading = new AbortController();
  response.on("close", () => reading.abort());
  response.writeHead(200, { "content-type": "application/x-ndjson" });
  response.flushHeaders();
  return reading.signal;
}

/** Waits for a reader that is slower than what comes, so that memory stays bounded; does nothing once it is gone. */
export async function writeAll(response: ServerResponse, text: string): Promise<void> {
  if (response.destroyed || response.write(text)) return;
  await new Promise<void>((resolve) => {
    response.once("drain", resolve);
    response.once("close", resolve);
  });
}

function containerOf(context: BulkContext, taskId: string, attempt: number | undefined): SeenContainer | undefined {
  const ours = context.core.view.containers.filter(
    (container) => container.labels["davit.task"] === taskId && container.state !== "created",
  );
  if (attempt !== undefined) return ours.find((container) => attemptOf(container) === attempt);
  return ours.toSorted((a, b) => attemptOf(b) - attemptOf(a))[0];
}

function isWork(context: BulkContext, taskId: string): boolean {
  for (const work of context.core.held.tasks.values()) if (work.taskId === taskId) return work.desired === "running";
  return false;
}
