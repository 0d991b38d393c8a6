// davit service exec SERVICE|TASK COMMAND…: runs a command in a container, with a terminal if asked for. Its exit code is passed on.

import { buildCommand } from "@stricli/core";
import type { DavitClient, ExecStream } from "../../client/types.ts";
import { DavitError } from "../../core/model/errors.ts";
import type { TaskView } from "../../core/model/views.ts";
import type { CliContext } from "../context.ts";
import { manyRefs, serviceNames } from "../refs.ts";

type Flags = {
  readonly interactive: boolean;
  readonly tty: boolean;
  readonly user?: string;
  readonly workdir?: string;
};

export const serviceExec = buildCommand<Flags, string[], CliContext>({
  docs: {
    brief: "run a command in a running task: exec -it SERVICE sh",
    fullDescription:
      "Runs a command in the first running task of a service, or in the task that is named. What follows the service belongs to the command. Ends with the command's own exit code.",
  },
  parameters: {
    aliases: { i: "interactive", t: "tty", u: "user", w: "workdir" },
    positional: { ...manyRefs("SERVICE|TASK COMMAND", "where, then what", serviceNames), minimum: 2 },
    flags: {
      interactive: { kind: "boolean", brief: "hand standard input on", default: false },
      tty: { kind: "boolean", brief: "with a terminal", default: false },
      user: { kind: "parsed", parse: String, optional: true, brief: "as this user", placeholder: "USER" },
      workdir: { kind: "parsed", parse: String, optional: true, brief: "in this directory", placeholder: "DIR" },
    },
  },
  func: exec,
});

async function exec(this: CliContext, flags: Flags, ref = "", ...argv: string[]): Promise<void> {
  const { tty, interactive, user, workdir } = flags;
  if (tty && !this.terminal.isInteractive) {
    throw new DavitError("invalid_input", `exec in ${ref}: --tty needs a terminal on standard input and output`, {
      wayOut: "leave -t away",
    });
  }
  const client = await this.client();
  const task = await runningTask(client, ref);
  const { columns: cols, rows } = this.terminal.size();
  const stream = await client.exec(task.id, {
    argv,
    tty,
    ...(tty ? { cols, rows } : {}),
    ...(user === undefined ? {} : { user }),
    ...(workdir === undefined ? {} : { workingDir: workdir }),
  });
  const release = connect(this, stream, { tty, interactive });
  try {
    this.process.exitCode = await stream.exited;
  } finally {
    release();
  }
}

/** Joins the terminal to the command's streams; the result gives the terminal back. */
function connect(
  { terminal }: CliContext,
  stream: ExecStream,
  { tty, interactive }: { readonly tty: boolean; readonly interactive: boolean },
): () => void {
  const releases: (() => void)[] = [];
  stream.onOutput((name, bytes) => terminal.write(name, bytes));
  if (tty) {
    releases.push(terminal.setRaw());
    releases.push(terminal.onResize(() => stream.resize(terminal.size().columns, terminal.size().rows)));
  }
  if (interactive) {
    releases.push(
      terminal.onInput(
        (bytes) => stream.write(bytes),
        () => stream.end(),
      ),
    );
  } else {
    stream.end();
  }
  return () => {
    for (const release of releases.toReversed()) release();
  };
}

/** The first running task of a service, or the task of that name. Throws `not_found` or `unavailable`. */
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
