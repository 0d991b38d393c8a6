// davit version: this program's, and the coordinator's if it answers.

import { buildCommand } from "@stricli/core";
import packageJson from "../../../package.json" with { type: "json" };
import { reasonOf } from "../../core/model/errors.ts";
import { type CliContext, JSON_FLAG, note, say, sayJson } from "../context.ts";

export const version = buildCommand<{ readonly json: boolean }, [], CliContext>({
  docs: { brief: "show versions" },
  parameters: { flags: { json: JSON_FLAG } },
  async func({ json }) {
    const own = packageJson.version;
    const server = await this.client()
      .then((client) => client.version())
      .catch((error: unknown) => reasonOf(error));
    if (json) return sayJson(this, { client: own, coordinator: typeof server === "string" ? undefined : server });
    say(this, `davit ${own}`);
    if (typeof server === "string") note(this, `coordinator: ${server}`);
    else
      say(
        this,
        `coordinator ${server.version}, cluster ${server.clusterId}, epoch ${server.epoch}, revision ${server.revision}, addresses ${server.addressPool}`,
      );
  },
});
