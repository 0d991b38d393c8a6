// davit rollout pause, resume, abort and promote SERVICE

import { buildCommand } from "@stricli/core";
import { type CliContext, say } from "../context.ts";
import { oneRef, serviceNames } from "../refs.ts";
import { WAIT_FLAGS, type WaitFlags, waitUnlessDetached } from "../wait.ts";

const positional = oneRef("SERVICE", "name, id or unique prefix", serviceNames);

export const rolloutPause = buildCommand<Readonly<Record<never, never>>, [string], CliContext>({
  docs: { brief: "begin nothing more of a rollout; what has begun is finished, and no time counts" },
  parameters: { positional },
  async func(_flags, ref) {
    const { name } = await (await this.client()).changeRollout(ref, "pause");
    say(this, `the rollout of ${name} pauses; davit rollout resume ${name} lets it go on`);
  },
});

export const rolloutResume = buildCommand<WaitFlags, [string], CliContext>({
  docs: { brief: "let a paused rollout go on; failures so far are forgiven" },
  parameters: { positional, flags: WAIT_FLAGS },
  async func(flags, ref) {
    const service = await (await this.client()).changeRollout(ref, "resume");
    say(this, `the rollout of ${service.name} goes on`);
    await waitUnlessDetached(this, [service], flags);
  },
});

export const rolloutAbort = buildCommand<WaitFlags, [string], CliContext>({
  docs: { brief: "give a rollout up: go back to where it came from" },
  parameters: { positional, flags: WAIT_FLAGS },
  async func(flags, ref) {
    const service = await (await this.client()).changeRollout(ref, "abort");
    say(this, `${service.name} goes back to version ${service.version}`);
    await waitUnlessDetached(this, [service], flags);
  },
});

export const rolloutPromote = buildCommand<WaitFlags, [string], CliContext>({
  docs: { brief: "end the trial of canaries or of a new set; after a switch, let the old tasks go" },
  parameters: { positional, flags: WAIT_FLAGS },
  async func(flags, ref) {
    const service = await (await this.client()).changeRollout(ref, "promote");
    say(this, `version ${service.version} of ${service.name} is promoted`);
    await waitUnlessDetached(this, [service], flags);
  },
});
