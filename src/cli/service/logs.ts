// davit service logs: lines of all its tasks, or of one task. A node that cannot be reached is named; the other lines still come.

import { buildCommand } from "@stricli/core";
import { DavitError } from "../../core/model/errors.ts";
import type { LogMessage } from "../../core/model/views.ts";
import type { DavitClient, LogQuery } from "../../client/types.ts";
import { type CliContext, note } from "../context.ts";
import { durationMs } from "../durations.ts";
import { oneRef, serviceNames } from "../refs.ts";
import { paintFor } from "../render/color.ts";

export type LogFlags = {
  readonly follow: boolean;
  readonly tail?: number;
  readonly since?: string;
  readonly timestamps: boolean;
  readonly json: boolean;
};

/** The flags of everything that shows lines of output. */
export const LOG_FLAGS = {
  follow: { kind: "boolean", brief: "go on with new lines until Ctrl-C", default: false },
  tail: {
    kind: "parsed",
    parse: parseCount,
    optional: true,
    brief: "only the last N lines of each task",
    placeholder: "N",
  },
  since: {
    kind: "parsed",
    parse: String,
    optional: true,
    brief: "only lines since an ISO time, or 10m ago",
    placeholder: "TIME",
  },
  timestamps: { kind: "boolean", brief: "show when each line was written", default: false },
  json: { kind: "boolean", brief: "a JSON text per line", default: false },
} as const;
export const LOG_ALIASES = { f: "follow", n: "tail", t: "timestamps" } as const;

export const serviceLogs = buildCommand<LogFlags, [string], CliContext>({
  docs: { brief: "show the output of a service's tasks, or of one task" },
  parameters: {
    aliases: LOG_ALIASES,
    positional: oneRef("SERVICE|TASK", "name, id or unique prefix", serviceNames),
    flags: LOG_FLAGS,
  },
  func: showLogs,
});

async function showLogs(this: CliContext, flags: LogFlags, ref: string): Promise<void> {
  await printLogs(this, flags, (client, query, signal) => open(client, ref, query, signal));
}

type Open = (client: DavitClient, query: LogQuery, signal: AbortSignal) => Promise<AsyncIterable<LogMessage>>;

/** Prints lines until they end, or until Ctrl-C. */
export async function printLogs(context: CliContext, flags: LogFlags, source: Open): Promise<void> {
  const client = await context.client();
  const abort = new AbortController();
  const release = context.onInterrupt(() => abort.abort());
  const query: LogQuery = {
    follow: flags.follow,
    ...(flags.tail === undefined ? {} : { tail: flags.tail }),
    ...(flags.since === undefined ? {} : { since: sinceOf(flags.since, context.nowMs()) }),
  };
  try {
    for await (const message of await source(client, query, abort.signal)) print(context, message, flags);
  } catch (error) {
    if (!abort.signal.aborted) throw error;
  } finally {
    release();
  }
}

/** A service by that name, else a task. */
async function open(
  client: DavitClient,
  ref: string,
  query: LogQuery,
  signal: AbortSignal,
): Promise<AsyncIterable<LogMessage>> {
  try {
    await client.service(ref);
    return client.serviceLogs(ref, query, signal);
  } catch (error) {
    if (!(error instanceof DavitError) || error.code !== "not_found") throw error;
    const task = await client.task(ref).catch(() => undefined);
    if (task === undefined) throw error;
    return client.taskLogs(task.id, query, signal);
  }
}

function print(context: CliContext, message: LogMessage, flags: LogFlags): void {
  if (flags.json) return sayLine(context, message);
  if (message.kind === "note") return note(context, `davit: ${message.message}`);
  const prefix = paintFor(context.hasColor[message.stream])("quiet", `${message.task}@${message.node} |`);
  const line = `${prefix} ${flags.timestamps ? `${message.at} ` : ""}${message.text}\n`;
  context.process[message.stream].write(line);
}

function sayLine(context: CliContext, message: LogMessage): void {
  context.process.stdout.write(`${JSON.stringify(message)}\n`);
}

function parseCount(text: string): number {
  if (!/^\d{1,7}$/.test(text)) throw new DavitError("invalid_input", `'${text}' is not a number of lines`);
  return Number(text);
}

/** An ISO time as it is; "10m" as that long ago. Throws `invalid_input`. */
function sinceOf(text: string, nowMs: number): string {
  const agoMs = durationMs(text);
  const atMs = agoMs === undefined ? Date.parse(text) : nowMs - agoMs;
  if (Number.isNaN(atMs))
    throw new DavitError("invalid_input", `'${text}' is not a time: write 2026-01-31T12:00:00Z, or 10m`);
  return new Date(atMs).toISOString();
}
