// The command line's composition root: one command on this process, its exit code once all output is written.

import type { NextTick } from "../core/model/job.ts";
import { createProcessContext } from "./process-context.ts";
import { runOn } from "./run.ts";

/** Runs one command; resolves with its exit code. Never rejects. */
export async function runCli(argv: readonly string[]): Promise<number> {
  quietBrokenPipes();
  const code = await runOn(argv, {
    contextFor: (host) => createProcessContext(host, loadCalendar),
    writeError: (text) => void process.stderr.write(text),
    withStack: process.env["DAVIT_DEBUG"] === "1",
  });
  await Promise.all([flushed(process.stdout), flushed(process.stderr)]);
  return code;
}

async function loadCalendar(): Promise<NextTick> {
  const { createCalendar } = await import("../system/calendar.ts");
  return createCalendar();
}

/** The process ends right after the command: what a slow reader of a pipe has not taken yet must not be lost. */
function flushed(stream: NodeJS.WriteStream): Promise<void> {
  return new Promise((resolve) => void stream.end(() => resolve()));
}

/** `davit ps | head` ends quietly. */
function quietBrokenPipes(): void {
  for (const stream of [process.stdout, process.stderr]) {
    stream.on("error", (error: NodeJS.ErrnoException) => {
      if (error.code === "EPIPE") process.exit(0);
    });
  }
}
