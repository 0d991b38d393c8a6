// davit token create: access for a user over HTTP. The token is printed once; nothing can show it again.

import { buildCommand } from "@stricli/core";
import { DavitError } from "../../core/model/errors.ts";
import type { Role } from "../../core/model/records.ts";
import { type CliContext, JSON_FLAG, note, say, sayJson } from "../context.ts";
import { durationMs } from "../durations.ts";
import { oneRef } from "../refs.ts";

type Flags = { readonly role: Role; readonly stack?: string; readonly expires: number; readonly json: boolean };

export const tokenCreate = buildCommand<Flags, [string], CliContext>({
  docs: {
    brief: "make a token; it is shown once",
    fullDescription:
      "Prints the token alone on standard output, so that TOKEN=$(davit token create ci) holds it. viewer: reads all. deployer: deploys too. admin: everything.",
  },
  parameters: {
    positional: oneRef("NAME", "who or what it is for"),
    flags: {
      role: { kind: "enum", values: ["admin", "deployer", "viewer"], brief: "what it may do", default: "viewer" },
      stack: {
        kind: "parsed",
        parse: String,
        optional: true,
        brief: "a deployer of this stack only",
        placeholder: "NAME",
      },
      expires: { kind: "parsed", parse: parseLifeSeconds, brief: "for how long", default: "90d", placeholder: "TIME" },
      json: JSON_FLAG,
    },
  },
  async func(flags, name) {
    const { role, stack, expires } = flags;
    const client = await this.client();
    const created = await client.createToken({
      name,
      role,
      expiresInSeconds: expires,
      ...(stack === undefined ? {} : { stack }),
    });
    if (flags.json) return sayJson(this, created);
    note(this, `${created.name}: ${created.role}, until ${created.expiresAt}; keep it now, it is not shown again`);
    say(this, created.token);
  },
});

/** "12h", "90d" to whole seconds. Throws `invalid_input`. */
function parseLifeSeconds(text: string): number {
  const ms = durationMs(text);
  if (ms === undefined || ms < 1_000)
    throw new DavitError("invalid_input", `'${text}' is not a time to live: write 12h or 90d`);
  return Math.floor(ms / 1_000);
}
