// davit node pause | activate | drain: whether a node gets new tasks, and whether it keeps those it has. Draining waits until it is empty.

import { buildCommand } from "@stricli/core";
import { DavitError } from "../../core/model/errors.ts";
import type { Availability } from "../../core/model/records.ts";
import type { TaskView } from "../../core/model/views.ts";
import { type CliContext, note, say } from "../context.ts";
import { EXIT } from "../exit-codes.ts";
import { oneRef } from "../refs.ts";
import { parseTimeout } from "../wait.ts";

const LOOK_EVERY_MS = 300;

function setAvailability(availability: Availability, brief: string, done: string) {
  return buildCommand<Record<never, never>, [string], CliContext>({
    docs: { brief },
    parameters: { positional: oneRef("NODE", "name, id or unique prefix"), flags: {} },
    async func(_flags, ref) {
      const node = await (await this.client()).updateNode(ref, { availability });
      say(this, `${node.name} ${done}`);
    },
  });
}

export const nodePause = setAvailability(
  "pause",
  "keep a node's tasks, give it no new ones",
  "keeps its tasks and gets no new ones",
);
export const nodeActivate = setAvailability(
  "active",
  "let a node have tasks again",
  "gets tasks again; those that moved away stay where they are",
);

type DrainFlags = { readonly detach: boolean; readonly timeout: number };

export const nodeDrain = buildCommand<DrainFlags, [string], CliContext>({
  docs: { brief: "move a node's tasks elsewhere, and wait until it is empty" },
  parameters: {
    positional: oneRef("NODE", "name, id or unique prefix"),
    flags: {
      detach: { kind: "boolean", brief: "return at once", default: false },
      timeout: {
        kind: "parsed",
        parse: parseTimeout,
        brief: "how long to wait (5m)",
        default: "5m",
        placeholder: "TIME",
      },
    },
  },
  func: drain,
});

async function drain(this: CliContext, flags: DrainFlags, ref: string): Promise<void> {
  const client = await this.client();
  const node = await client.updateNode(ref, { availability: "drain" });
  if (flags.detach) return say(this, `${node.name} is draining`);
  const untilMs = this.nowMs() + flags.timeout;
  let isInterrupted = false;
  const release = this.onInterrupt(() => void (isInterrupted = true));
  try {
    let said = "";
    for (;;) {
      const left = (await client.nodeTasks(node.id)).filter(isStillThere);
      if (left.length === 0) return say(this, `${node.name} is empty`);
      const line = `${node.name}: ${left.length} ${left.length === 1 ? "task" : "tasks"} left: ${left
        .map((task) => task.name)
        .slice(0, 8)
        .join(", ")}`;
      if (line !== said) note(this, line);
      said = line;
      if (isInterrupted) {
        note(this, "detached: draining goes on");
        this.process.exitCode = EXIT.detached;
        return;
      }
      if (this.nowMs() > untilMs)
        throw new DavitError("timeout", line, {
          wayOut: "draining goes on; davit ps --node shows what is left and why",
        });
      await new Promise((resolve) => setTimeout(resolve, LOOK_EVERY_MS));
    }
  } finally {
    release();
  }
}

/** Ended tasks stay on the node's record as history; they are not in the way. */
function isStillThere(task: TaskView): boolean {
  return task.desired === "running" || ["accepted", "preparing", "ready", "starting", "running"].includes(task.state);
}
