// davit registry ls

import { buildCommand } from "@stricli/core";
import { type CliContext, JSON_FLAG, say, sayJson } from "../context.ts";
import { renderTable } from "../render/table.ts";

export const registryLs = buildCommand<{ readonly json: boolean }, [], CliContext>({
  docs: { brief: "list the registries with credentials" },
  parameters: { flags: { json: JSON_FLAG } },
  async func({ json }) {
    const registries = await (await this.client()).registries();
    if (json) return sayJson(this, registries);
    if (registries.length === 0) return say(this, "there are no credentials: davit registry login HOST");
    const rows = registries.map((registry) => [registry.host, registry.username]);
    say(this, renderTable(["HOST", "USERNAME"], rows));
  },
});
