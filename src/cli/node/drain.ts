// davit node drain: moves a node's tasks elsewhere and waits until it is empty.

import { buildCommand } from "@stricli/core";
import { DavitError } from "../../core/model/errors.ts";
import type { NodeView, TaskView } from "../../core/model/views.ts";
import { type CliContext, note, pause, say } from "../context.ts";
import { EXIT } from "../exit-codes.ts";
import { parseDuration } from "../durations.ts";
import { WAIT_FLAGS, type WaitFlags } from "../wait.ts";
import { NODE_REF, setAvailability } from "./availability.ts";

const LOOK_EVERY_MS = 300;
const MAX_NAMES = 8;

type Flags = Omit<WaitFlags, "waitMonitor"> & { readonly deadline?: number };

export const nodeDrain = buildCommand<Flags, [string], CliContext>({
  docs: {
    brief: "move a node's tasks elsewhere, and wait until it is empty",
    fullDescription:
      "Tasks move as their services' update_config.parallelism allows, the other one first. Without --deadline what fits nowhere else ends at once; with it such a task stays until then, and whatever is there then ends.",
  },
  parameters: {
    positional: NODE_REF,
    flags: {
      detach: WAIT_FLAGS.detach,
      timeout: WAIT_FLAGS.timeout,
      deadline: {
        kind: "parsed",
        parse: parseDuration,
        optional: true,
        brief: "end what is still there after this time, whether or not it runs elsewhere",
        placeholder: "TIME",
      },
    },
  },
  func: drain,
});

async function drain(this: CliContext, flags: Flags, ref: string): Promise<void> {
  const { deadline } = flags;
  const node =
    deadline === undefined
      ? await setAvailability(this, ref, "drain")
      : await (await this.client()).updateNode(ref, { availability: "drain", drainDeadlineMs: deadline });
  if (flags.detach) return say(this, `${node.name} is draining`);
  const interrupted = new AbortController();
  const release = this.onInterrupt(() => interrupted.abort());
  try {
    if (await isEmptied(this, node, flags.timeout, interrupted.signal)) return say(this, `${node.name} is empty`);
    note(this, `detached: draining goes on\n  to see how far it is: davit ps --node ${node.name}`);
    this.process.exitCode = EXIT.detached;
  } finally {
    release();
  }
}

/** False when interrupted; throws `timeout`. */
async function isEmptied(
  context: CliContext,
  node: NodeView,
  timeoutMs: number,
  signal: AbortSignal,
): Promise<boolean> {
  const client = await context.client();
  const untilMs = context.nowMs() + timeoutMs;
  let said = "";
  const seen = new Set<string>();
  while (!signal.aborted) {
    const left = (await client.nodeTasks(node.id)).filter(isStillThere);
    if (left.length === 0) {
      tellHomeless(
        context,
        (await client.tasks({})).filter(({ name }) => seen.has(name)),
      );
      return true;
    }
    for (const task of left) seen.add(task.name);
    const line = renderLeft(node.name, left);
    if (context.nowMs() >= untilMs) {
      throw new DavitError("timeout", `drain ${line}`, {
        details: left.filter((task) => task.reason !== "").map((task) => ({ where: task.name, message: task.reason })),
        wayOut: `draining goes on by itself: davit ps --node ${node.name} shows what is left; davit node activate ${node.name} ends it`,
      });
    }
    if (line !== said) note(context, line);
    said = line;
    await pause(context, LOOK_EVERY_MS, signal);
  }
  return false;
}

/** What ran there and fits nowhere else, by name. */
function tellHomeless(context: CliContext, tasks: readonly TaskView[]): void {
  for (const task of tasks)
    if (task.node === undefined && task.reason !== "") note(context, `${task.name} has no other node: ${task.reason}`);
}

function renderLeft(name: string, left: readonly TaskView[]): string {
  const names = left.slice(0, MAX_NAMES).map((task) => task.name);
  const rest = left.length > MAX_NAMES ? ", …" : "";
  return `${name}: ${left.length} ${left.length === 1 ? "task" : "tasks"} left: ${names.join(", ")}${rest}`;
}

/** Ended tasks stay on the node's record as history; they are not in the way. */
function isStillThere(task: TaskView): boolean {
  return task.desired === "running" || ["accepted", "preparing", "ready", "starting", "running"].includes(task.state);
}
