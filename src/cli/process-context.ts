// The context of commands on this process: its streams, its terminal, its clock.

import { createInterface } from "node:readline";
import { Writable } from "node:stream";
import type { DavitClient } from "../client/types.ts";
import { connectTo, parseHost } from "./connect.ts";
import type { CliContext, StreamName, Terminal } from "./context.ts";

/** Of a terminal that does not tell its size. */
const USUAL_SIZE = { columns: 120, rows: 40 };

/** `host` is the value of --host. Throws `invalid_input` when it, or DAVIT_HOST, is no address. */
export function createProcessContext(host: string | undefined, calendar: CliContext["calendar"]): CliContext {
  const where = parseHost(host ?? process.env["DAVIT_HOST"], process.env);
  let client: Promise<DavitClient> | undefined;
  const isTerminal = process.stderr.isTTY && process.env["TERM"] !== "dumb";
  return {
    // not the process itself: it keeps exit codes in one byte, and stricli's are negative
    process: { stdout: process.stdout, stderr: process.stderr, exitCode: null },
    env: process.env,
    cwd: process.cwd(),
    isTerminal,
    hasColor: { stdout: hasColor("stdout"), stderr: hasColor("stderr") },
    canAsk: process.stdin.isTTY && process.stderr.isTTY,
    terminal: processTerminal(),
    nowMs: () => Date.now(),
    calendar,
    after: (delayMs, run) => {
      const timer = setTimeout(run, delayMs);
      return () => clearTimeout(timer);
    },
    client: () => (client ??= connectTo(where, process.env)),
    isLocal: where.kind === "socket",
    ask,
    readStdin: async () => await Bun.stdin.text(),
    onInterrupt: (interrupted) => {
      process.once("SIGINT", interrupted);
      return () => void process.off("SIGINT", interrupted);
    },
  };
}

/** https://no-color.org: set and not empty. */
function hasColor(stream: StreamName): boolean {
  return process[stream].isTTY && process.env["TERM"] !== "dumb" && !process.env["NO_COLOR"];
}

function processTerminal(): Terminal {
  return {
    isInteractive: process.stdin.isTTY && process.stdout.isTTY,
    size: () => {
      const stream = process.stdout.isTTY ? process.stdout : process.stderr;
      return { columns: stream.columns || USUAL_SIZE.columns, rows: stream.rows || USUAL_SIZE.rows };
    },
    onResize: (resized) => {
      process.stdout.on("resize", resized);
      return () => void process.stdout.off("resize", resized);
    },
    setRaw: () => {
      process.stdin.setRawMode(true);
      return () => void process.stdin.setRawMode(false);
    },
    onInput: (receive, ended) => {
      process.stdin.on("data", receive);
      process.stdin.once("end", ended);
      process.stdin.resume();
      return () => {
        process.stdin.off("data", receive);
        process.stdin.off("end", ended);
        process.stdin.pause();
      };
    },
    write: (stream, bytes) => void process[stream].write(bytes),
  };
}

async function ask(question: string, options: { readonly hidden?: boolean } = {}): Promise<string | undefined> {
  if (!process.stdin.isTTY) return undefined;
  process.stderr.write(question);
  const sink = new Writable({ write: (_chunk, _encoding, done) => done() });
  const output = options.hidden === true ? sink : process.stderr;
  const reader = createInterface({ input: process.stdin, output, terminal: true });
  try {
    return await new Promise<string | undefined>((resolve) => {
      reader.once("line", resolve);
      reader.once("close", () => resolve(undefined));
    });
  } finally {
    reader.close();
    if (options.hidden === true) process.stderr.write("\n");
  }
}
