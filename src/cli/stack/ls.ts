// davit stack ls

import { buildCommand } from "@stricli/core";
import { type CliContext, JSON_FLAG, say, sayJson } from "../context.ts";
import { renderTable } from "../render/table.ts";

export const stackLs = buildCommand<{ readonly json: boolean }, [], CliContext>({
  docs: { brief: "list the stacks" },
  parameters: { flags: { json: JSON_FLAG } },
  async func({ json }) {
    const stacks = await (await this.client()).stacks();
    if (json) return sayJson(this, stacks);
    if (stacks.length === 0) return say(this, "there are no stacks yet: davit deploy -f compose.yaml");
    say(
      this,
      renderTable(
        ["NAME", "SERVICES", "HEALTHY", "STATE"],
        stacks.map((stack) => [stack.name, String(stack.services), `${stack.healthy}/${stack.desired}`, stack.state]),
      ),
    );
  },
});
