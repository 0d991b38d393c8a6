// Waiting for services to converge: shows progress, ends at convergence, failure, the time limit or Ctrl-C, and says what comes next.

import { DavitError, reasonOf } from "../core/model/errors.ts";
import type { ProgressView, TaskView } from "../core/model/views.ts";
import { type CliContext, note, pause } from "./context.ts";
import { parseDuration } from "./durations.ts";
import { EXIT } from "./exit-codes.ts";
import { ProgressPrinter } from "./render/progress.ts";
import { duration } from "./render/units.ts";

/** A service to wait for; its name is for showing, also when it is gone. */
export type Awaited = { readonly id: string; readonly name: string };
export type WaitOptions = { readonly timeoutMs: number; readonly waitMonitor: boolean };

/** How long a command goes on trying when the coordinator does not answer while it waits: a restart of it takes seconds. */
const RECONNECT_FOR_MS = 60_000;
const RECONNECT_EVERY_MS = 1_000;
/** Failed tasks that an error describes: they mostly fail alike. */
const MAX_DESCRIBED = 5;

/** The flags of every command that waits. */
export const WAIT_FLAGS = {
  detach: { kind: "boolean", brief: "return at once", default: false },
  timeout: { kind: "parsed", parse: parseDuration, brief: "how long to wait", default: "5m", placeholder: "TIME" },
  waitMonitor: { kind: "boolean", brief: "wait until the watching after convergence is over too", default: false },
} as const;
export type WaitFlags = { readonly detach: boolean; readonly timeout: number; readonly waitMonitor: boolean };

/** Waits unless `--detach`. Throws as `waitFor` does. */
export async function waitUnlessDetached(
  context: CliContext,
  services: readonly Awaited[],
  flags: WaitFlags,
): Promise<void> {
  if (flags.detach) return;
  await waitFor(context, services, { timeoutMs: flags.timeout, waitMonitor: flags.waitMonitor });
}

/** Waits for services. Sets the exit code on Ctrl-C; throws `rollout_failed`, `unplaceable`, `timeout` or `unavailable`. */
export async function waitFor(context: CliContext, services: readonly Awaited[], options: WaitOptions): Promise<void> {
  if (services.length === 0) return;
  const abort = new AbortController();
  const outcome: { ended?: "interrupted" | "timeout"; last: readonly ProgressView[] } = { last: [] };
  const end = (why: "interrupted" | "timeout"): void => {
    outcome.ended ??= why;
    abort.abort();
  };
  const release = context.onInterrupt(() => end("interrupted"));
  const cancel = context.after(options.timeoutMs, () => end("timeout"));
  try {
    await follow(context, services, options, abort.signal, (progress) => (outcome.last = progress));
  } catch (error) {
    if (outcome.ended === undefined) throw error;
  } finally {
    cancel();
    release();
  }
  if (outcome.ended === "interrupted") detached(context, outcome.last);
  else if (outcome.ended === "timeout") throw timedOut(options, outcome.last);
  else judge(context, outcome.last, options);
}

/** Reads progress until all is done; a broken connection is tried again for a while. */
async function follow(
  context: CliContext,
  services: readonly Awaited[],
  options: WaitOptions,
  signal: AbortSignal,
  seen: (progress: readonly ProgressView[]) => void,
): Promise<void> {
  const printer = new ProgressPrinter(context);
  const ids = services.map(({ id }) => id);
  let brokenSinceMs: number | undefined;
  while (!signal.aborted) {
    try {
      const client = await context.client();
      for await (const heard of client.progress(ids, { waitMonitor: options.waitMonitor }, signal)) {
        const progress = heard.map((view) => named(view, services));
        if (brokenSinceMs !== undefined) printer.note("the coordinator answers again");
        brokenSinceMs = undefined;
        seen(progress);
        printer.show(progress);
      }
      return;
    } catch (error) {
      const isPassing = error instanceof DavitError && (error.code === "unavailable" || error.code === "timeout");
      if (signal.aborted || !isPassing) throw error;
      if (brokenSinceMs === undefined)
        printer.note(`${reasonOf(error)}; trying again for ${duration(RECONNECT_FOR_MS)}`);
      brokenSinceMs ??= context.nowMs();
      if (context.nowMs() - brokenSinceMs >= RECONNECT_FOR_MS) throw error;
    }
    await pause(context, RECONNECT_EVERY_MS, signal);
  }
}

/** The coordinator forgets the name of a service that is gone. */
function named(view: ProgressView, services: readonly Awaited[]): ProgressView {
  return { ...view, service: services.find(({ id }) => id === view.serviceId)?.name ?? view.service };
}

function detached(context: CliContext, last: readonly ProgressView[]): void {
  const names = last.filter((service) => !service.done).map((service) => service.service);
  note(context, "detached: the change goes on without this command");
  note(context, `  to see how far it is: davit service ps ${names.join(" ")}`.trimEnd());
  context.process.exitCode = EXIT.detached;
}

function timedOut({ timeoutMs }: WaitOptions, last: readonly ProgressView[]): DavitError {
  const waiting = last.filter((service) => !service.done);
  const what = waiting.map((service) => `${service.service}: ${service.message}`).join("; ");
  return new DavitError(
    "timeout",
    `wait: not done after ${duration(timeoutMs)}: ${what || "no progress was heard of"}`,
    {
      details: waiting.flatMap(failureDetails),
      wayOut: "it goes on by itself: davit service ps shows how far it is; --timeout waits longer",
    },
  );
}

function judge(context: CliContext, progress: readonly ProgressView[], options: WaitOptions): void {
  const failed = progress.filter((service) => !service.ok);
  const [first] = failed;
  if (first !== undefined) throw notConverged(first, failed);
  for (const { service, state, message } of progress) {
    if (state === "trial") note(context, `${service}: ${message}: ${promoteOrAbort(service)}`);
    if (state === "switched") note(context, `${service}: ${message}: ${backOrDone(service)}`);
  }
  const watching = progress.filter((service) => service.state === "watching");
  if (watching.length === 0 || options.waitMonitor) return;
  const names = watching.map((service) => `${service.service} (${service.message})`).join(", ");
  note(context, `done; watching goes on in the background: ${names}`);
}

function promoteOrAbort(service: string): string {
  return `davit rollout promote ${service} goes on, davit rollout abort ${service} goes back`;
}

function backOrDone(service: string): string {
  return `davit rollout abort ${service} goes back at once, davit rollout promote ${service} lets the old tasks go`;
}

function notConverged(first: ProgressView, failed: readonly ProgressView[]): DavitError {
  const isUnplaceable = failed.some((service) => service.state === "unplaceable");
  const others = failed.length > 1 ? `, and ${failed.length - 1} more` : "";
  const name = first.service;
  return new DavitError(
    isUnplaceable ? "unplaceable" : "rollout_failed",
    `${name}: ${first.message === "" ? `it is ${first.state}` : first.message}${others}`,
    {
      details: [
        ...failed.slice(1).map((service) => ({ where: service.service, message: service.message })),
        ...failed.flatMap(failureDetails),
      ],
      wayOut: isUnplaceable
        ? "change what it asks for, or give it a node that has it: davit node ls shows the nodes"
        : `see davit service logs ${name} and davit service ps --all ${name}; mend it and deploy again, or davit service rollback ${name}`,
    },
  );
}

function failureDetails(service: ProgressView): { readonly where: string; readonly message: string }[] {
  return service.tasks
    .filter(isInTrouble)
    .slice(0, MAX_DESCRIBED)
    .map((task) => ({ where: `${task.name} on ${task.node ?? "no node"}`, message: whatHappened(task) }));
}

function isInTrouble(task: TaskView): boolean {
  const hasFailed = task.state === "failed" || task.state === "rejected" || task.healthy === false;
  return hasFailed || (task.node === undefined && task.reason !== "");
}

function whatHappened(task: TaskView): string {
  const lines = [task.reason];
  if (task.probeAnswer !== undefined) lines.push(`last probe: ${task.probeAnswer.trim()}`);
  if (task.lastOutput !== undefined && task.lastOutput.trim() !== "")
    lines.push(`last output:\n  ${task.lastOutput.trim().replaceAll("\n", "\n  ")}`);
  return lines.filter((line) => line !== "").join("\n");
}
