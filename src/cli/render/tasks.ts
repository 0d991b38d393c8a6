// Tasks as a table, for `ps` of everything.

import type { TaskView } from "../../core/model/views.ts";
import { type CliContext, say } from "../context.ts";
import { clean } from "./clean.ts";
import { type Paint, paintFor, plain, type Tone } from "./color.ts";
import { cut, renderTable } from "./table.ts";
import { ago, shortId, shortImage } from "./units.ts";

/** Reasons are cut here; `--json` has them in full. */
const MAX_REASON_COLUMNS = 100;

export function sayTasks(context: CliContext, tasks: readonly TaskView[]): void {
  if (tasks.length === 0) say(context, "there are no tasks");
  else say(context, renderTasks(tasks, context.nowMs(), paintFor(context.hasColor.stdout)));
}

export function renderTasks(tasks: readonly TaskView[], nowMs: number, paint: Paint = plain): string {
  const rows = tasks.map((task) => [
    shortId(task.id),
    task.name,
    shortImage(task.image),
    task.node ?? "-",
    paint(toneOf(task), stateOf(task)),
    ago(task.stateAt, nowMs),
    task.hostPorts.map(portOf).join(" "),
    cut(clean(task.reason), MAX_REASON_COLUMNS),
  ]);
  return renderTable(["ID", "NAME", "IMAGE", "NODE", "STATE", "SINCE", "PORTS", "REASON"], rows);
}

function portOf({ hostIp, published, target, protocol }: TaskView["hostPorts"][number]): string {
  return `${hostIp === undefined ? "" : `${hostIp}:`}${published}→${target}${protocol === "udp" ? "/udp" : ""}`;
}

/** "running (healthy)", "failed, attempt 3", "running?" while its node is not seen. */
export function stateOf(task: TaskView): string {
  const health =
    task.state !== "running" || task.healthy === undefined ? "" : task.healthy ? " (healthy)" : " (unhealthy)";
  const attempt = task.attempt > 1 ? `, attempt ${task.attempt}` : "";
  return `${task.state}${task.unseenSince === undefined ? "" : "?"}${health}${attempt}`;
}

/** Whether a task is well, on its way, over, or in trouble. */
export function toneOf(task: TaskView): Tone {
  if (task.state === "failed" || task.state === "rejected" || task.healthy === false) return "bad";
  if (task.unseenSince !== undefined) return "busy";
  if (task.desired !== "running" || task.state === "shutdown" || task.state === "complete") return "quiet";
  return task.state === "running" ? "good" : "busy";
}
