// davit job logs JOB [--run N]

import { buildCommand } from "@stricli/core";
import { DavitError } from "../../core/model/errors.ts";
import type { CliContext } from "../context.ts";
import { jobNames, oneRef } from "../refs.ts";
import { LOG_ALIASES, LOG_FLAGS, type LogFlags, printLogs } from "../service/logs.ts";

type Flags = LogFlags & { readonly run?: number };

export const jobLogs = buildCommand<Flags, [string], CliContext>({
  docs: { brief: "show the output of a job's newest run, or of another that is kept" },
  parameters: {
    aliases: LOG_ALIASES,
    positional: oneRef("JOB", "name, id or unique prefix", jobNames),
    flags: {
      ...LOG_FLAGS,
      run: {
        kind: "parsed",
        parse: parseRun,
        optional: true,
        brief: "the run's number (davit job history)",
        placeholder: "N",
      },
    },
  },
  async func(flags, ref) {
    const run = flags.run === undefined ? {} : { run: flags.run };
    await printLogs(this, flags, async (client, query, signal) => client.jobLogs(ref, { ...query, ...run }, signal));
  },
});

function parseRun(text: string): number {
  if (!/^[1-9]\d{0,8}$/.test(text)) throw new DavitError("invalid_input", `'${text}' is not the number of a run`);
  return Number(text);
}
