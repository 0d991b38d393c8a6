// davit lookup SERVICE: the address behind a name, and which tasks get new connections.

import { buildCommand } from "@stricli/core";
import type { EndpointsView } from "../../core/model/endpoint-views.ts";
import { type CliContext, JSON_FLAG, say, sayJson } from "../context.ts";
import { oneRef, serviceNames } from "../refs.ts";
import { type Paint, paintFor, plain } from "../render/color.ts";
import { renderTable } from "../render/table.ts";

export const lookup = buildCommand<{ readonly json: boolean }, [string], CliContext>({
  docs: {
    brief: "show a service's address, and which tasks get new connections",
    fullDescription:
      "Shows what nodes are told to route to: in gets new connections; waiting is not ready, or its node is lost; out is stopping and gets none any more.",
  },
  parameters: {
    positional: oneRef("SERVICE", "name, id or unique prefix", serviceNames),
    flags: { json: JSON_FLAG },
  },
  async func({ json }, ref) {
    const found = await (await this.client()).endpoints(ref);
    if (json) sayJson(this, found);
    else say(this, renderEndpoints(found, paintFor(this.hasColor.stdout)));
  },
});

export function renderEndpoints({ service, address, ports, endpoints }: EndpointsView, paint: Paint = plain): string {
  const where = address === undefined ? "has no address of its own: its names lead to its tasks" : `is at ${address}`;
  const published = ports.map((port) => `${port.published}:${port.target}/${port.protocol}`).join(", ");
  const head = `${service} ${where}${published === "" ? "" : `, published on ${published}`}`;
  if (endpoints.length === 0) return `${head}; it has no tasks on nodes`;
  const rows = endpoints.map(({ task, node, address: own, weight, standing }) => [
    task,
    node,
    own,
    String(weight),
    paint(standing === "in" ? "good" : "bad", standing),
  ]);
  return `${head}\n\n${renderTable(["TASK", "NODE", "ADDRESS", "WEIGHT", "STANDING"], rows)}`;
}
