// davit token create | ls | revoke: access for users over HTTP.

import { buildCommand } from "@stricli/core";
import { DavitError } from "../../core/model/errors.ts";
import type { Role } from "../../core/model/records.ts";
import { type CliContext, JSON_FLAG, note, say, sayJson } from "../context.ts";
import { oneRef } from "../refs.ts";
import { renderTable } from "../render/table.ts";
import { ago, shortId } from "../render/units.ts";

type CreateFlags = { readonly role: Role; readonly stack?: string; readonly expires?: number; readonly json: boolean };

export const tokenCreate = buildCommand<CreateFlags, [string], CliContext>({
  docs: { brief: "make a token; it is shown once" },
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
      expires: { kind: "parsed", parse: parseLife, optional: true, brief: "for how long (90d)", placeholder: "TIME" },
      json: JSON_FLAG,
    },
  },
  async func(flags, name) {
    const created = await (
      await this.client()
    ).createToken({
      name,
      role: flags.role,
      ...(flags.stack === undefined ? {} : { stack: flags.stack }),
      ...(flags.expires === undefined ? {} : { expiresInSeconds: flags.expires }),
    });
    if (flags.json) return sayJson(this, created);
    note(
      this,
      `${created.name}: ${created.role}, until ${created.expiresAt}; keep it now, it is not shown again (DAVIT_TOKEN=…)`,
    );
    say(this, created.token);
  },
});

export const tokenLs = buildCommand<{ readonly json: boolean }, [], CliContext>({
  docs: { brief: "list the tokens and their last use" },
  parameters: { flags: { json: JSON_FLAG } },
  async func({ json }) {
    const tokens = await (await this.client()).tokens();
    if (json) return sayJson(this, tokens);
    const rows = tokens.map((token) => [
      shortId(token.id),
      token.name,
      token.role + (token.stack === undefined ? "" : ` of ${token.stack}`),
      token.revokedAt === undefined ? token.expiresAt : `revoked ${token.revokedAt}`,
      token.lastUsedAt === undefined ? "-" : `${ago(token.lastUsedAt, this.nowMs())} ago`,
    ]);
    say(this, renderTable(["ID", "NAME", "ROLE", "UNTIL", "LAST USED"], rows));
  },
});

export const tokenRevoke = buildCommand<Record<never, never>, [string], CliContext>({
  docs: { brief: "end a token now" },
  parameters: { positional: oneRef("TOKEN", "name, id or unique prefix"), flags: {} },
  async func(_flags, ref) {
    const token = await (await this.client()).revokeToken(ref);
    say(this, `${token.name} is revoked`);
  },
});

/** "12h", "90d" to seconds. */
function parseLife(text: string): number {
  const match = /^(\d{1,6})(m|h|d)$/.exec(text);
  if (match === null) throw new DavitError("invalid_input", `'${text}' is not a time: write 12h or 90d`);
  return Number(match[1]) * ({ m: 60, h: 3_600, d: 86_400 }[match[2] ?? "d"] ?? 0);
}
