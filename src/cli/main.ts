// The command line's composition root: reads --host, makes the context on this process's streams, runs one command, gives its exit code.

import { createInterface } from "node:readline";
import { Writable } from "node:stream";
import { run } from "@stricli/core";
import type { DavitClient } from "../client/types.ts";
import { buildCli } from "./app.ts";
import { connectTo, parseHost } from "./connect.ts";
import type { CliContext } from "./context.ts";
import { EXIT } from "./exit-codes.ts";
import { renderError } from "./render/error.ts";

/** Runs one command; resolves with its exit code. */
export async function runCli(argv: readonly string[]): Promise<number> {
  quietBrokenPipes();
  const withStack = process.env["DAVIT_DEBUG"] === "1";
  try {
    const { host, rest } = takeHost(argv);
    const context = createContext(host);
    // stricli says nothing for a bare name; a new user wants the help
    await run(buildCli(withStack), rest.length === 0 ? ["--help"] : rest, context);
    return normal(context.process.exitCode);
  } catch (error) {
    process.stderr.write(`${renderError(error, withStack)}\n`);
    return EXIT.usage;
  }
}

/** stricli's own codes are negative: for wrong words, and for commands that it could not load. */
function normal(code: number | string | null | undefined): number {
  const value = Number(code ?? 0);
  if (value === -4 || value === -5) return EXIT.usage;
  return value < 0 ? EXIT.failed : value;
}

/** --host may stand anywhere before --. */
function takeHost(argv: readonly string[]): { readonly host: string | undefined; readonly rest: readonly string[] } {
  const end = argv.indexOf("--");
  const at = argv.findIndex(
    (word, index) => (end === -1 || index < end) && (word === "--host" || word.startsWith("--host=")),
  );
  if (at === -1) return { host: process.env["DAVIT_HOST"], rest: argv };
  const word = argv[at] ?? "";
  const inline = word.startsWith("--host=");
  return {
    host: inline ? word.slice("--host=".length) : argv[at + 1],
    rest: [...argv.slice(0, at), ...argv.slice(at + (inline ? 1 : 2))],
  };
}

function createContext(host: string | undefined): CliContext {
  const where = parseHost(host, process.env);
  let client: Promise<DavitClient> | undefined;
  const isTerminal = process.stderr.isTTY && process.env["TERM"] !== "dumb";
  return {
    // not the process itself: it keeps exit codes in one byte, and stricli's are negative
    process: { stdout: process.stdout, stderr: process.stderr, exitCode: null },
    env: process.env,
    cwd: process.cwd(),
    isTerminal,
    canAsk: process.stdin.isTTY && isTerminal,
    width: process.stderr.columns ?? 120,
    nowMs: () => Date.now(),
    client: () => (client ??= connectTo(where, process.env)),
    isLocal: where.kind === "socket",
    ask,
    readStdin: async () => await new Response(Bun.stdin.stream()).text(),
    onInterrupt: (interrupted) => {
      process.once("SIGINT", interrupted);
      return () => void process.off("SIGINT", interrupted);
    },
  };
}

/** `davit ps | head` ends quietly. */
function quietBrokenPipes(): void {
  for (const stream of [process.stdout, process.stderr]) {
    stream.on("error", (error: NodeJS.ErrnoException) => {
      if (error.code === "EPIPE") process.exit(0);
    });
  }
}

async function ask(question: string, options: { readonly hidden?: boolean } = {}): Promise<string | undefined> {
  if (!process.stdin.isTTY) return undefined;
  process.stderr.write(question);
  const sink = new Writable({ write: (_chunk, _encoding, done) => done() });
  const reader = createInterface({
    input: process.stdin,
    output: options.hidden === true ? sink : process.stderr,
    terminal: true,
  });
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
