// davit stack config: the merged file with every variable filled in; needs no coordinator.

import { buildCommand } from "@stricli/core";
import { COMPOSE_FLAGS, type ComposeFlags, loadCompose, readCompose } from "../compose-files.ts";
import { type CliContext, JSON_FLAG, sayJson } from "../context.ts";
import { EXIT } from "../exit-codes.ts";

type Flags = ComposeFlags & { readonly json: boolean; readonly explain: boolean };

export const stackConfig = buildCommand<Flags, [], CliContext>({
  docs: { brief: "print what Compose files come to, or everything that is wrong with them" },
  parameters: {
    aliases: { f: "file" },
    flags: {
      ...COMPOSE_FLAGS,
      explain: { kind: "boolean", brief: "say where each value came from", default: false },
      json: { ...JSON_FLAG, brief: "print the specs that would be deployed, problems and warnings, as JSON" },
    },
  },
  async func(flags) {
    if (flags.json) return sayLoaded(this, flags);
    const { stack, merged } = await readCompose(this, flags);
    const { renderCompose, renderExplained } = await import("../../compose/render.ts");
    const render = flags.explain ? renderExplained : renderCompose;
    this.process.stdout.write(render(merged, stack.name));
  },
});

/** Problems are part of the answer here, so that an editor or a pipeline can show them where they are. */
async function sayLoaded(context: CliContext, flags: Flags): Promise<void> {
  const { stack, problems, warnings } = await loadCompose(context, flags);
  const flat = (list: typeof problems) => list.map(({ at, path, message }) => ({ ...at, path, message }));
  sayJson(context, { ...(stack === undefined ? {} : { stack }), problems: flat(problems), warnings: flat(warnings) });
  if (stack === undefined) context.process.exitCode = EXIT.usage;
}
