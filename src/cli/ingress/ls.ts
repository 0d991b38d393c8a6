// davit ingress ls

import { buildCommand } from "@stricli/core";
import { type CliContext, JSON_FLAG, say, sayJson } from "../context.ts";
import { cut, renderTable } from "../render/table.ts";

export const ingressLs = buildCommand<{ readonly json: boolean }, [], CliContext>({
  docs: { brief: "list the hosts and paths that lead to services, with their certificates" },
  parameters: { flags: { json: JSON_FLAG } },
  async func({ json }) {
    const routes = await (await this.client()).ingress();
    if (json) return sayJson(this, routes);
    if (routes.length === 0) return say(this, "there are no routes: give a service one with x-davit.ingress");
    const rows = routes.map((route) => [
      `${route.host}${route.path}`,
      `${route.service}:${route.port}`,
      route.tls,
      route.certificate ?? "-",
      route.maintenance ? "maintenance" : route.options.join(", ") || "-",
      cut(route.trouble ?? "", 120),
    ]);
    say(this, renderTable(["ROUTE", "LEADS TO", "TLS", "CERTIFICATE", "OPTIONS", "TROUBLE"], rows));
  },
});
