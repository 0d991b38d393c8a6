// davit service ls

import { buildCommand } from "@stricli/core";
import type { ServiceView } from "../../core/model/views.ts";
import { type CliContext, JSON_FLAG, say, sayJson } from "../context.ts";
import { cut, renderTable } from "../render/table.ts";
import { shortId, shortImage } from "../render/units.ts";

type Flags = { readonly stack?: string; readonly json: boolean };

export const serviceLs = buildCommand<Flags, [], CliContext>({
  docs: { brief: "list the services" },
  parameters: {
    flags: {
      stack: { kind: "parsed", parse: String, optional: true, brief: "only those of a stack", placeholder: "NAME" },
      json: JSON_FLAG,
    },
  },
  async func({ stack, json }) {
    const services = await (await this.client()).services(stack === undefined ? {} : { stack });
    if (json) return sayJson(this, services);
    if (services.length === 0) return say(this, "there are no services yet: davit deploy -f compose.yaml");
    say(this, renderServices(services));
  },
});

export function renderServices(services: readonly ServiceView[]): string {
  const rows = services.map((service) => [
    shortId(service.id),
    service.name,
    service.mode.kind,
    `${service.healthy}/${service.desired}`,
    shortImage(service.image),
    service.ports.map(portOf).join(" "),
    service.updateStatus?.state ?? "",
    cut([...(service.asleep === true ? ["asleep: nobody calls it"] : []), ...service.waiting].join("; "), 80),
  ]);
  return renderTable(["ID", "NAME", "MODE", "HEALTHY", "IMAGE", "PORTS", "UPDATE", "WAITS FOR"], rows);
}

function portOf({ published: { from, to }, target, protocol }: ServiceView["ports"][number]): string {
  return `${from === to ? from : `${from}–${to}`}→${target}${protocol === "udp" ? "/udp" : ""}`;
}
