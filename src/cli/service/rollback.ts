// davit service rollback [--to N]

import { buildCommand } from "@stricli/core";
import { DavitError } from "../../core/model/errors.ts";
import { type CliContext, say } from "../context.ts";
import { oneRef, serviceNames } from "../refs.ts";
import { WAIT_FLAGS, type WaitFlags, waitUnlessDetached } from "../wait.ts";

type Flags = WaitFlags & { readonly to?: number };

export const serviceRollback = buildCommand<Flags, [string], CliContext>({
  docs: { brief: "go back to the version before, or to any kept one" },
  parameters: {
    positional: oneRef("SERVICE", "name, id or unique prefix", serviceNames),
    flags: {
      ...WAIT_FLAGS,
      to: {
        kind: "parsed",
        parse: parseVersion,
        optional: true,
        brief: "the version to go to (davit service inspect lists them)",
        placeholder: "N",
      },
    },
  },
  async func(flags, ref) {
    const service = await (await this.client()).rollback(ref, flags.to === undefined ? {} : { to: flags.to });
    say(this, `${service.name} goes back to version ${service.version}`);
    await waitUnlessDetached(this, [service], flags);
  },
});

function parseVersion(text: string): number {
  if (!/^[1-9]\d{0,8}$/.test(text)) throw new DavitError("invalid_input", `'${text}' is not the number of a version`);
  return Number(text);
}
