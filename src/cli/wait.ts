// Waiting for services to converge: shows progress, ends at convergence, failure, the time limit or Ctrl-C, and says what comes next.

import { DavitError, reasonOf } from "../core/model/errors.ts";
import type { ProgressView } from "../core/model/views.ts";
import { type CliContext, note } from "./context.ts";
import { EXIT } from "./exit-codes.ts";
import { ProgressPrinter } from "./render/progress.ts";

export type WaitOptions = { readonly timeoutMs: number; readonly waitMonitor: boolean };

/** How long a command goes on trying when the coordinator does not answer while it waits. */
const RECONNECT_FOR_MS = 60_000;
const RECONNECT_EVERY_MS = 1_000;

/** Waits for services by id. Sets the exit code on Ctrl-C; throws `rollout_failed`, `unplaceable`, `timeout` or `unavailable`. */
export async function waitFor(context: CliContext, serviceIds: readonly string[], options: WaitOptions): Promise<void> {
  if (serviceIds.length === 0) return;
  const abort = new AbortController();
  let ended: "interrupted" | "timeout" | undefined;
  const end = (why: "interrupted" | "timeout"): void => {
    ended = why;
    abort.abort();
  };
  const release = context.onInterrupt(() => end("interrupted"));
  const timer = setTimeout(() => end("timeout"), options.timeoutMs);
  const seen: { last: readonly ProgressView[] } = { last: [] };
  try {
    await follow(context, serviceIds, options, abort.signal, seen);
  } catch (error) {
    if (ended === undefined) throw error;
  } finally {
    clearTimeout(timer);
    release();
  }
  if (ended === "interrupted") {
    note(context, "\ndetached: the change goes on without this command; davit service ps shows how far it is");
    context.process.exitCode = EXIT.detached;
  } else if (ended === "timeout") {
    const waiting = seen.last
      .filter((service) => !service.done)
      .map((service) => `${service.service}: ${service.message}`);
    throw new DavitError(
      "timeout",
      `wait: not done after ${options.timeoutMs / 1_000} s: ${waiting.join("; ") || "nothing was heard"}`,
      {
        wayOut: "it goes on by itself: davit service ps shows how far it is; --timeout waits longer",
      },
    );
  } else {
    judge(context, seen.last, options);
  }
}

/** Reads progress until all is done; a broken connection is tried again for a while. */
async function follow(
  context: CliContext,
  ids: readonly string[],
  options: WaitOptions,
  signal: AbortSignal,
  seen: { last: readonly ProgressView[] },
): Promise<void> {
  const printer = new ProgressPrinter(context);
  let brokenSinceMs: number | undefined;
  while (!signal.aborted) {
    try {
      const client = await context.client();
      for await (const progress of client.progress(ids, { waitMonitor: options.waitMonitor }, signal)) {
        brokenSinceMs = undefined;
        seen.last = progress;
        printer.show(progress);
      }
      if (seen.last.length > 0 && seen.last.every((service) => service.done)) return;
    } catch (error) {
      if (signal.aborted || !(error instanceof DavitError) || error.code !== "unavailable") throw error;
      if (brokenSinceMs === undefined)
        note(context, `the coordinator does not answer (${reasonOf(error)}); trying again`);
      brokenSinceMs ??= context.nowMs();
      if (context.nowMs() - brokenSinceMs > RECONNECT_FOR_MS) throw error;
    }
    await new Promise((resolve) => setTimeout(resolve, RECONNECT_EVERY_MS));
  }
}

function judge(context: CliContext, progress: readonly ProgressView[], options: WaitOptions): void {
  const failed = progress.filter((service) => !service.ok);
  if (failed.length > 0) {
    const code = failed.some((service) => service.state === "unplaceable") ? "unplaceable" : "rollout_failed";
    const [first] = failed;
    throw new DavitError(code, `${first?.service}: ${first?.message ?? "failed"}`, {
      details: failed.flatMap(failureDetails),
      wayOut:
        code === "unplaceable"
          ? "change what it asks for, or give it a node that has it; davit node ls shows the nodes"
          : "davit service logs and davit service ps --all show what happened; davit service rollback goes back",
    });
  }
  const watching = progress.filter((service) => service.state === "watching");
  if (watching.length > 0 && !options.waitMonitor)
    note(
      context,
      `done; watching goes on in the background: ${watching.map((service) => `${service.service} (${service.message})`).join(", ")}`,
    );
}

function failureDetails(service: ProgressView): { readonly where: string; readonly message: string }[] {
  return service.tasks
    .filter(
      (task) =>
        task.state === "failed" ||
        task.state === "rejected" ||
        task.healthy === false ||
        (task.node === undefined && task.reason !== ""),
    )
    .slice(0, 5)
    .map((task) => ({
      where: `${task.name} on ${task.node ?? "no node"}`,
      message: [
        task.reason,
        task.probeAnswer === undefined ? "" : `probe: ${task.probeAnswer}`,
        task.lastOutput === undefined ? "" : `last output: ${task.lastOutput.trim()}`,
      ]
        .filter((part) => part !== "")
        .join("; "),
    }));
}

/** The flags of every command that waits. */
export const WAIT_FLAGS = {
  detach: { kind: "boolean", brief: "return at once", default: false },
  timeout: { kind: "parsed", parse: parseTimeout, brief: "how long to wait (5m)", default: "5m", placeholder: "TIME" },
  waitMonitor: { kind: "boolean", brief: "wait until the watching after convergence is over too", default: false },
} as const;
export type WaitFlags = { readonly detach: boolean; readonly timeout: number; readonly waitMonitor: boolean };

/** "90s", "5m", "1h" to milliseconds. */
export function parseTimeout(text: string): number {
  const match = /^(\d+(?:\.\d+)?)(s|m|h)$/.exec(text);
  if (match === null) throw new DavitError("invalid_input", `'${text}' is not a time: write 90s, 5m or 1h`);
  return Number(match[1]) * ({ s: 1_000, m: 60_000, h: 3_600_000 }[match[2] ?? "s"] ?? 1_000);
}

/** Waits unless `--detach`. */
export async function waitUnlessDetached(
  context: CliContext,
  serviceIds: readonly string[],
  flags: WaitFlags,
): Promise<void> {
  if (flags.detach) return;
  await waitFor(context, serviceIds, { timeoutMs: flags.timeout, waitMonitor: flags.waitMonitor });
}
