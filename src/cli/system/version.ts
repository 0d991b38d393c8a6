// davit version: this program's, and the coordinator's if it answers.

import { buildCommand } from "@stricli/core";
import packageJson from "../../../package.json" with { type: "json" };
import { reasonOf } from "../../core/model/errors.ts";
import type { VersionView } from "../../core/model/views.ts";
import { type CliContext, JSON_FLAG, note, say, sayJson } from "../context.ts";

export const version = buildCommand<{ readonly json: boolean }, [], CliContext>({
  docs: { brief: "show the versions of this program and of the coordinator" },
  parameters: { flags: { json: JSON_FLAG } },
  async func({ json }) {
    const coordinator = await this.client()
      .then((client) => client.version())
      .catch(reasonOf);
    if (json) {
      return sayJson(this, {
        client: packageJson.version,
        ...(typeof coordinator === "string" ? { problem: coordinator } : { coordinator }),
      });
    }
    say(this, `davit ${packageJson.version}`);
    if (typeof coordinator === "string") note(this, `coordinator: ${coordinator}`);
    else say(this, renderCoordinator(coordinator));
  },
});

function renderCoordinator({ version: own, clusterId, epoch, revision, addressPool }: VersionView): string {
  return `coordinator ${own}, cluster ${clusterId}, epoch ${epoch}, revision ${revision}, addresses ${addressPool}`;
}
