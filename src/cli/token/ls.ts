// davit token ls

import { buildCommand } from "@stricli/core";
import type { TokenView } from "../../core/model/views.ts";
import { type CliContext, JSON_FLAG, say, sayJson } from "../context.ts";
import { renderTable } from "../render/table.ts";
import { ago, shortId } from "../render/units.ts";

export const tokenLs = buildCommand<{ readonly json: boolean }, [], CliContext>({
  docs: { brief: "list the tokens and their last use" },
  parameters: { flags: { json: JSON_FLAG } },
  async func({ json }) {
    const tokens = await (await this.client()).tokens();
    if (json) return sayJson(this, tokens);
    if (tokens.length === 0) return say(this, "there are no tokens: davit token create NAME");
    say(this, renderTokens(tokens, this.nowMs()));
  },
});

export function renderTokens(tokens: readonly TokenView[], nowMs: number): string {
  const rows = tokens.map((token) => [
    shortId(token.id),
    token.name,
    token.role + (token.stack === undefined ? "" : ` of ${token.stack}`),
    token.revokedAt === undefined ? token.expiresAt : `revoked ${token.revokedAt}`,
    token.lastUsedAt === undefined ? "-" : `${ago(token.lastUsedAt, nowMs)} ago`,
  ]);
  return renderTable(["ID", "NAME", "ROLE", "UNTIL", "LAST USED"], rows);
}
