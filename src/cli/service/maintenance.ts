// davit service maintenance on|off SERVICE

import { buildCommand } from "@stricli/core";
import { DavitError } from "../../core/model/errors.ts";
import { type CliContext, say } from "../context.ts";
import { serviceNames } from "../refs.ts";

export const serviceMaintenance = buildCommand<Record<never, never>, ["on" | "off", string], CliContext>({
  docs: { brief: "have a service's ingress routes answer with a page, or lead to it again" },
  parameters: {
    positional: {
      kind: "tuple",
      parameters: [
        { parse: parseSwitch, placeholder: "on|off", brief: "on or off", proposeCompletions: () => ["on", "off"] },
        {
          parse: String,
          placeholder: "SERVICE",
          brief: "name, id or unique prefix",
          proposeCompletions: serviceNames,
        },
      ],
    },
    flags: {},
  },
  async func(_flags, wish, ref) {
    const service = await (await this.client()).maintenance(ref, wish === "on");
    say(this, wish === "on" ? `${service.name} is under maintenance` : `${service.name} is open again`);
  },
});

function parseSwitch(text: string): "on" | "off" {
  if (text === "on" || text === "off") return text;
  throw new DavitError("invalid_input", `'${text}' is neither on nor off`);
}
