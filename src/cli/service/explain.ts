// davit service explain SERVICE: for every node why a task of it would go there, or why not.

import { buildCommand } from "@stricli/core";
import type { NodeExplainView, ServiceExplainView } from "../../core/model/views.ts";
import { type CliContext, JSON_FLAG, say, sayJson } from "../context.ts";
import { oneRef, serviceNames } from "../refs.ts";
import { cut, renderTable } from "../render/table.ts";

const MAX_NAMES = 5;

export const serviceExplain = buildCommand<{ readonly json: boolean }, [string], CliContext>({
  docs: {
    brief: "say for every node why a task would go there, or why not",
    fullDescription:
      "Asks the scheduler about the service's task that waits, or about one more task if none does. Nodes that would take it come first, by rank; for them the scores that ranked them are shown, the weightiest first, less is better.",
  },
  parameters: {
    positional: oneRef("SERVICE", "name, id or unique prefix", serviceNames),
    flags: { json: JSON_FLAG },
  },
  async func({ json }, ref) {
    const explained = await (await this.client()).explain(ref);
    if (json) sayJson(this, explained);
    else say(this, renderExplained(explained));
  },
});

function renderExplained({ summary, waiting, nodes }: ServiceExplainView): string {
  const lines = [summary];
  for (const { reason, tasks } of waiting.length > 1 || (waiting[0]?.tasks.length ?? 0) > 1 ? waiting : []) {
    const rest = tasks.length > MAX_NAMES ? ", …" : "";
    lines.push(
      `  ${tasks.length} ${tasks.length === 1 ? "waits" : "wait"}: ${reason} (${tasks.slice(0, MAX_NAMES).join(", ")}${rest})`,
    );
  }
  if (nodes.length === 0) return lines.join("\n");
  const rows = nodes.map((node) => [node.node, String(node.tasks), verdictOf(node), cut(scoresOf(node), 100)]);
  return [...lines, "", renderTable(["NODE", "TASKS", "VERDICT", "SCORES"], rows)].join("\n");
}

function verdictOf({ takes, rank, reason }: NodeExplainView): string {
  if (!takes) return reason;
  return rank === undefined ? "takes it" : `takes it, rank ${rank}`;
}

function scoresOf({ scores }: NodeExplainView): string {
  return scores.map(({ name, value }) => `${name} ${value}`).join(", ");
}
