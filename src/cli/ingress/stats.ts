// davit ingress stats: what the ingress has counted of services, in all or by node.

import { buildCommand } from "@stricli/core";
import type { IngressFigures } from "../../core/model/ingress-figures.ts";
import { type CliContext, JSON_FLAG, note, say, sayJson } from "../context.ts";
import { serviceNames } from "../refs.ts";
import { renderTable } from "../render/table.ts";
import { bytes } from "../render/units.ts";

const HEAD = ["REQUESTS", "2XX", "3XX", "4XX", "5XX", "REJECTED", "RETRIES", "FAILED", "OPEN", "IN", "OUT", "TIME"];

export const ingressStats = buildCommand<
  { readonly nodes: boolean; readonly json: boolean },
  [string | undefined],
  CliContext
>({
  docs: {
    brief: "show what the ingress has counted of services",
    fullDescription: `Counts are since the service has routes on a node. REJECTED were refused by an option of the route; RETRIES are second tries to
connect; FAILED found no container or got a broken answer; TIME is the mean of the last 1024 requests until the first byte, and in all.`,
  },
  parameters: {
    positional: {
      kind: "tuple",
      parameters: [
        {
          parse: String,
          placeholder: "SERVICE",
          brief: "only this one: name or id",
          optional: true,
          proposeCompletions: serviceNames,
        },
      ],
    },
    flags: { nodes: { kind: "boolean", brief: "a line for each node", default: false }, json: JSON_FLAG },
  },
  async func({ nodes, json }, service) {
    const stats = await (await this.client()).ingressStats(service === undefined ? {} : { service });
    if (json) return sayJson(this, stats);
    for (const { node, reason } of stats.missing) note(this, `davit: without ${node}: ${reason}`);
    if (stats.services.length === 0) return say(this, "nothing is counted: no service has a route yet");
    const rows = stats.services.flatMap((each) =>
      nodes
        ? each.nodes.map(({ node, figures }) => [each.service, node, ...cells(figures)])
        : [[each.service, ...cells(each.total)]],
    );
    say(this, renderTable(nodes ? ["SERVICE", "NODE", ...HEAD] : ["SERVICE", ...HEAD], rows));
  },
});

function cells(figures: IngressFigures): readonly string[] {
  const { answers, requests, rejected, retries, unreached, broken, open, bytesIn, bytesOut, firstByteMs, tookMs } =
    figures;
  const counts = [requests, answers["2"], answers["3"], answers["4"], answers["5"], rejected, retries];
  return [
    ...[...counts, unreached + broken, open].map(String),
    bytes(bytesIn),
    bytes(bytesOut),
    `${firstByteMs}/${tookMs} ms`,
  ];
}
