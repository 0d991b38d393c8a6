// davit service exec SERVICE|TASK -- COMMAND…: runs a command in a container, with a terminal if there is one. Its exit code is passed on.

import { buildCommand } from "@stricli/core";
import type { DavitClient, ExecStream } from "../../client/types.ts";
import { DavitError } from "../../core/model/errors.ts";
import type { TaskView } from "../../core/model/views.ts";
import type { CliContext } from "../context.ts";

type Flags = {
  readonly interactive: boolean;
  readonly tty: boolean;
  readonly user?: string;
  readonly workdir?: string;
};

export const serviceExec = buildCommand<Flags, string[], CliContext>({
  docs: { brief: "run a command in a running task: exec -it SERVICE sh" },
  parameters: {
    aliases: { i: "interactive", t: "tty", u: "user", w: "workdir" },
    positional: {
      kind: "array",
      parameter: {
        parse: String,
        placeholder: "SERVICE|TASK COMMAND…",
        brief: "where, then what; -- before options of the command",
      },
      minimum: 2,
    },
    flags: {
      interactive: { kind: "boolean", brief: "hand standard input on", default: false },
      tty: { kind: "boolean", brief: "with a terminal", default: false },
      user: { kind: "parsed", parse: String, optional: true, brief: "as this user", placeholder: "USER" },
      workdir: { kind: "parsed", parse: String, optional: true, brief: "in this directory", placeholder: "DIR" },
    },
  },
  func: exec,
});

async function exec(this: CliContext, flags: Flags, ...words: string[]): Promise<void> {
  const [ref = "", ...argv] = words;
  const tty = flags.tty && process.stdin.isTTY && process.stdout.isTTY;
  if (flags.tty && !tty)
    throw new DavitError("invalid_input", "--tty needs a terminal on standard input and output", {
      wayOut: "leave -t away",
    });
  const client = await this.client();
  const task = await runningTask(client, ref);
  const stream = await client.exec(task.id, {
    argv,
    tty,
    ...(tty ? { cols: process.stdout.columns, rows: process.stdout.rows } : {}),
    ...(flags.user === undefined ? {} : { user: flags.user }),
    ...(flags.workdir === undefined ? {} : { workingDir: flags.workdir }),
  });
  const release = connect(stream, { tty, interactive: flags.interactive });
  try {
    this.process.exitCode = await stream.exited;
  } finally {
    release();
  }
}

/** Joins the process's own streams to the command's; the result gives the terminal back. */
function connect(
  stream: ExecStream,
  { tty, interactive }: { readonly tty: boolean; readonly interactive: boolean },
): () => void {
  stream.onOutput((name, bytes) => void (name === "stdout" ? process.stdout : process.stderr).write(bytes));
  const onData = (bytes: Uint8Array): void => stream.write(bytes);
  const onResize = (): void => stream.resize(process.stdout.columns, process.stdout.rows);
  if (tty) {
    process.stdin.setRawMode(true);
    process.stdout.on("resize", onResize);
  }
  if (interactive) {
    process.stdin.on("data", onData);
    process.stdin.on("end", () => stream.end());
    process.stdin.resume();
  } else {
    stream.end();
  }
  return () => {
    process.stdin.off("data", onData);
    process.stdin.pause();
    process.stdout.off("resize", onResize);
    if (tty) process.stdin.setRawMode(false);
  };
}

async function runningTask(client: DavitClient, ref: string): Promise<TaskView> {
  const tasks = await client.serviceTasks(ref).catch(async (error: unknown) => {
    if (!(error instanceof DavitError) || error.code !== "not_found") throw error;
    return [await client.task(ref).catch(() => Promise.reject(error))];
  });
  const running = tasks.find((task) => task.state === "running" && task.unseenSince === undefined);
  if (running !== undefined) return running;
  throw new DavitError("unavailable", `exec in ${ref}: none of its tasks runs now`, {
    wayOut: `davit service ps ${ref} shows why`,
  });
}
