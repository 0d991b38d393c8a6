// davit stack config: the merged file with every variable filled in; needs no coordinator.

import { buildCommand } from "@stricli/core";
import { COMPOSE_FLAGS, type ComposeFlags, readCompose } from "../compose-files.ts";
import { type CliContext, JSON_FLAG, sayJson } from "../context.ts";

export const stackConfig = buildCommand<ComposeFlags & { readonly json: boolean }, [], CliContext>({
  docs: { brief: "print what Compose files come to, or everything that is wrong with them" },
  parameters: {
    aliases: { f: "file" },
    flags: { ...COMPOSE_FLAGS, json: { ...JSON_FLAG, brief: "print the specs that would be deployed, as JSON" } },
  },
  async func(flags) {
    const { stack, printed } = await readCompose(this, flags);
    if (flags.json) sayJson(this, stack);
    else this.process.stdout.write(printed);
  },
});
