// davit service update: a change to one service without its file. The next deploy of the file undoes it, and the plan says so.

import { buildCommand } from "@stricli/core";
import { DavitError } from "../../core/model/errors.ts";
import type { ServicePatch } from "../../core/model/views.ts";
import { type CliContext, say } from "../context.ts";
import { parseVariables } from "../labels.ts";
import { oneRef, serviceNames } from "../refs.ts";
import { WAIT_FLAGS, type WaitFlags, waitUnlessDetached } from "../wait.ts";

type Flags = WaitFlags & {
  readonly force: boolean;
  readonly image?: string;
  readonly envAdd?: readonly string[];
  readonly envRm?: readonly string[];
};

export const serviceUpdate = buildCommand<Flags, [string], CliContext>({
  docs: { brief: "change a service's image or environment, or replace its tasks" },
  parameters: {
    positional: oneRef("SERVICE", "name, id or unique prefix", serviceNames),
    flags: {
      ...WAIT_FLAGS,
      force: { kind: "boolean", brief: "replace its tasks though nothing changed", default: false },
      image: { kind: "parsed", parse: String, optional: true, brief: "its new image", placeholder: "IMAGE" },
      envAdd: {
        kind: "parsed",
        parse: String,
        variadic: true,
        optional: true,
        brief: "set a variable, K=V",
        placeholder: "K=V",
      },
      envRm: {
        kind: "parsed",
        parse: String,
        variadic: true,
        optional: true,
        brief: "take a variable away",
        placeholder: "K",
      },
    },
  },
  async func(flags, ref) {
    const env = parseVariables(flags.envAdd ?? [], flags.envRm ?? []);
    const patch: ServicePatch = {
      ...(flags.force ? { force: true } : {}),
      ...(flags.image === undefined ? {} : { image: flags.image }),
      ...(Object.keys(env).length === 0 ? {} : { env }),
    };
    if (Object.keys(patch).length === 0)
      throw new DavitError("invalid_input", "nothing to change: give --image, --env-add, --env-rm or --force");
    const service = await (await this.client()).updateService(ref, patch);
    say(
      this,
      flags.force && Object.keys(patch).length === 1
        ? `${service.name} replaces its tasks`
        : `${service.name} is updating to version ${service.version}`,
    );
    await waitUnlessDetached(this, [service], flags);
  },
});
