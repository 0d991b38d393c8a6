// davit token revoke: ends a token now.

import { buildCommand } from "@stricli/core";
import { type CliContext, say } from "../context.ts";
import { oneRef, tokenNames } from "../refs.ts";

export const tokenRevoke = buildCommand<Record<never, never>, [string], CliContext>({
  docs: { brief: "end a token now" },
  parameters: { positional: oneRef("TOKEN", "name, id or unique prefix", tokenNames), flags: {} },
  async func(_flags, ref) {
    const token = await (await this.client()).revokeToken(ref);
    say(this, `${token.name} is revoked`);
  },
});
