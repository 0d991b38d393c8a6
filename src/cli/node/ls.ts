// davit node ls

import { buildCommand } from "@stricli/core";
import type { NodeView } from "../../core/model/views.ts";
import { type CliContext, JSON_FLAG, say, sayJson } from "../context.ts";
import { type Paint, paintFor, plain } from "../render/color.ts";
import { renderTable } from "../render/table.ts";
import { ago, bytes } from "../render/units.ts";

export const nodeLs = buildCommand<{ readonly json: boolean }, [], CliContext>({
  docs: { brief: "list the nodes" },
  parameters: { flags: { json: JSON_FLAG } },
  async func({ json }) {
    const nodes = await (await this.client()).nodes();
    if (json) return sayJson(this, nodes);
    if (nodes.length === 0) return say(this, "there are no nodes yet: davit node add user@host");
    say(this, renderNodes(nodes, this.nowMs(), paintFor(this.hasColor.stdout)));
  },
});

export function renderNodes(nodes: readonly NodeView[], nowMs: number, paint: Paint = plain): string {
  const rows = nodes.map((node) => [
    node.name,
    node.address,
    paint(node.presence === "ready" ? "good" : "bad", stateOf(node, nowMs)),
    node.availability,
    String(node.tasks),
    node.measured === undefined ? "-" : `${Math.round(node.measured.cpuFraction * 100)} %`,
    node.measured === undefined
      ? "-"
      : `${bytes(node.measured.memoryUsedBytes)} of ${bytes(node.resources.memoryBytes)}`,
    node.engineVersion,
    Object.entries(node.labels)
      .map(([key, value]) => `${key}=${value}`)
      .join(","),
    node.message,
  ]);
  return renderTable(
    ["NAME", "ADDRESS", "STATE", "AVAILABILITY", "TASKS", "CPU", "MEMORY", "DOCKER", "LABELS", "MESSAGE"],
    rows,
  );
}

function stateOf(node: NodeView, nowMs: number): string {
  return node.presence + (node.unseenSince === undefined ? "" : ` (${ago(node.unseenSince, nowMs)})`);
}
