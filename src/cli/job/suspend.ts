// davit job suspend JOB, davit job resume JOB

import { buildCommand } from "@stricli/core";
import { type CliContext, say } from "../context.ts";
import { jobNames, oneRef } from "../refs.ts";

const positional = oneRef("JOB", "name, id or unique prefix", jobNames);

export const jobSuspend = buildCommand<Readonly<Record<never, never>>, [string], CliContext>({
  docs: { brief: "start no runs by schedule or after others any more; davit job run still does" },
  parameters: { positional },
  async func(_flags, ref) {
    const job = await (await this.client()).suspendJob(ref);
    const active = job.active.length === 0 ? "" : `; run ${job.active.join(", ")} goes on`;
    say(this, `${job.name} is suspended${active}`);
  },
});

export const jobResume = buildCommand<Readonly<Record<never, never>>, [string], CliContext>({
  docs: { brief: "start runs again, from now on: what was missed is not run" },
  parameters: { positional },
  async func(_flags, ref) {
    const job = await (await this.client()).resumeJob(ref);
    say(this, `${job.name} goes on`);
  },
});
