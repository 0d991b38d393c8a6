// Tasks as a table, for `ps` of everything. Pure.

import type { TaskView } from "../../core/model/views.ts";
import { cut, renderTable } from "./table.ts";
import { ago, shortId } from "./units.ts";

export function renderTasks(tasks: readonly TaskView[], nowMs: number): string {
  const rows = tasks.map((task) => [
    shortId(task.id),
    task.name,
    task.image,
    task.node ?? "-",
    stateOf(task),
    ago(task.stateAt, nowMs),
    task.hostPorts
      .map(
        (port) =>
          `${port.hostIp === undefined ? "" : `${port.hostIp}:`}${port.published}→${port.target}${port.protocol === "udp" ? "/udp" : ""}`,
      )
      .join(" "),
    cut(task.reason, 100),
  ]);
  return renderTable(["ID", "NAME", "IMAGE", "NODE", "STATE", "SINCE", "PORTS", "REASON"], rows);
}

/** "running (healthy)", "failed, attempt 3", "running?" while its node is not seen. */
export function stateOf(task: TaskView): string {
  const health =
    task.state !== "running" || task.healthy === undefined ? "" : task.healthy ? " (healthy)" : " (unhealthy)";
  const attempt = task.attempt > 1 ? `, attempt ${task.attempt}` : "";
  return `${task.state}${task.unseenSince === undefined ? "" : "?"}${health}${attempt}`;
}
