// davit job run JOB: asks for a run and waits for its end.

import { buildCommand } from "@stricli/core";
import { type CliContext, say } from "../context.ts";
import { parseDuration } from "../durations.ts";
import { jobNames, oneRef } from "../refs.ts";
import { WAIT_FLAGS, waitUnlessDetached } from "../wait.ts";

type Flags = { readonly detach: boolean; readonly timeout: number };

export const jobRun = buildCommand<Flags, [string], CliContext>({
  docs: { brief: "run a job now, and wait until it has ended" },
  parameters: {
    positional: oneRef("JOB", "name, id or unique prefix", jobNames),
    flags: {
      detach: WAIT_FLAGS.detach,
      timeout: { kind: "parsed", parse: parseDuration, brief: "how long to wait", default: "1h", placeholder: "TIME" },
    },
  },
  async func(flags, ref) {
    const job = await (await this.client()).runJob(ref);
    say(this, `${job.name}: a run was asked for`);
    await waitUnlessDetached(this, [job], { ...flags, waitMonitor: false });
  },
});
