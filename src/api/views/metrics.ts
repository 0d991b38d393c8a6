// Figures in the text format of Prometheus: one family after the other, a line for each service and node. A counter that is lower than before began
// anew with the service's routes, as the format has it. Pure.

import type { IngressFigures } from "../../core/model/ingress-figures.ts";
import type { World } from "../../core/model/world.ts";
import type { CollectedFigures } from "../collect-figures.ts";
import { ingressStatsView } from "./ingress-stats.ts";

type Family = {
  readonly name: string;
  readonly type: "counter" | "gauge";
  readonly help: string;
  readonly of: (figures: IngressFigures) => number;
};

const FAMILIES: readonly Family[] = [
  counter(
    "requests",
    "Requests that were led to the service, connections where they are led by SNI",
    (f) => f.requests,
  ),
  counter("received_bytes", "Bytes from clients", (f) => f.bytesIn),
  counter("sent_bytes", "Bytes to clients", (f) => f.bytesOut),
  counter("rejected", "Requests that an option of the route refused", (f) => f.rejected),
  counter("retries", "Tries to connect to a container beyond the first of a request", (f) => f.retries),
  counter("unreached", "Requests for which no container could be reached", (f) => f.unreached),
  counter("broken", "Answers of containers that broke off or were no HTTP", (f) => f.broken),
  gauge("open", "Requests or connections that are open", (f) => f.open),
  gauge("first_byte_seconds", "Mean of the last 1024 requests until the answer began", (f) => f.firstByteMs / 1_000),
  gauge("duration_seconds", "Mean of the last 1024 requests until the answer ended", (f) => f.tookMs / 1_000),
];

/** The whole text. */
export function renderMetrics(world: World, collected: readonly CollectedFigures[]): string {
  const { services } = ingressStatsView(world.state, collected);
  const rows = services.flatMap(({ service, nodes }) =>
    nodes.map(({ node, figures }) => ({ figures, labels: { service, node } })),
  );
  const lines = [
    ...head("davit_node_ready", "gauge", "1 when the coordinator is in contact with the node"),
    ...collected.map(({ node }) =>
      line("davit_node_ready", { node: node.name }, world.presence.get(node.id) === "ready" ? 1 : 0),
    ),
    ...head("davit_ingress_scraped", "gauge", "1 when the figures of this node's ingress are among these"),
    ...collected.map(({ node, figures }) =>
      line("davit_ingress_scraped", { node: node.name }, typeof figures === "string" ? 0 : 1),
    ),
    ...head("davit_ingress_responses_total", "counter", "Answers by the class of their status"),
    ...rows.flatMap(({ figures, labels }) =>
      Object.entries(figures.answers).map(([digit, value]) =>
        line("davit_ingress_responses_total", { ...labels, code: `${digit}xx` }, value),
      ),
    ),
    ...FAMILIES.flatMap(({ name, type, help, of }) => [
      ...head(name, type, help),
      ...rows.map(({ figures, labels }) => line(name, labels, of(figures))),
    ]),
  ];
  return `${lines.join("\n")}\n`;
}

function counter(name: string, help: string, of: Family["of"]): Family {
  return { name: `davit_ingress_${name}_total`, type: "counter", help, of };
}

function gauge(name: string, help: string, of: Family["of"]): Family {
  return { name: `davit_ingress_${name}`, type: "gauge", help, of };
}

function head(name: string, type: Family["type"], help: string): readonly string[] {
  return [`# HELP ${name} ${help}`, `# TYPE ${name} ${type}`];
}

function line(name: string, labels: Readonly<Record<string, string>>, value: number): string {
  const pairs = Object.entries(labels).map(([key, text]) => `${key}="${text.replace(/[\\"]/g, "\\$&")}"`);
  return `${name}{${pairs.join(",")}} ${value}`;
}
