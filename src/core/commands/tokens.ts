// Commands on user tokens: the record that a token's `jti` is looked up in at each use. The token itself is signed after the commit and
// is kept nowhere. Pure.

import { DavitError } from "../model/errors.ts";
import type { UserToken } from "../model/records.ts";
import type { TokenRequest } from "../model/views.ts";
import { type Command, unchanged } from "./command.ts";
import { Draft } from "./draft.ts";
import { resolveRef } from "./resolve.ts";

/** A token that nobody renews must not be valid for ever. */
export const DEFAULT_LIFE_S = 90 * 86_400;
export const MAX_LIFE_S = 10 * 366 * 86_400;
/** Ended tokens are listed for so long, then forgotten with the next new one. */
const KEPT_ENDED_MS = 30 * 86_400_000;
/** Tokens are for people and pipelines, not for each call. */
const MAX_TOKENS = 1_000;

const NAME = /^[a-zA-Z0-9][a-zA-Z0-9 ._@-]{0,62}$/;

/** Adds a token's record. Throws `invalid_input`, `already_exists`, `too_many`. */
export function createToken(request: TokenRequest): Command<UserToken> {
  return (state, { nowMs, newId }) => {
    const what = `create token '${request.name}'`;
    const lifeS = request.expiresInSeconds ?? DEFAULT_LIFE_S;
    if (!NAME.test(request.name))
      throw new DavitError("invalid_input", `${what}: names are 1–63 characters of [a-zA-Z0-9 ._@-]`);
    if (!Number.isSafeInteger(lifeS) || lifeS < 1 || lifeS > MAX_LIFE_S)
      throw new DavitError("invalid_input", `${what}: it must expire within ten years`);
    if (request.stack !== undefined && request.role !== "deployer") {
      throw new DavitError("invalid_input", `${what}: only a deployer can be bound to a stack`, {
        wayOut: "use the role deployer, or leave the stack out",
      });
    }
    const draft = new Draft();
    const active: UserToken[] = [];
    for (const token of state.userToken.values()) {
      const endedAtMs = token.revokedAtMs ?? token.expiresAtMs;
      if (endedAtMs > nowMs) active.push(token);
      else if (endedAtMs + KEPT_ENDED_MS < nowMs) draft.remove("userToken", token);
    }
    if (active.some((token) => token.name === request.name)) {
      throw new DavitError("already_exists", `${what}: there is one with this name`, {
        wayOut: `revoke it first (davit token revoke '${request.name}'), or choose another name`,
      });
    }
    if (active.length >= MAX_TOKENS)
      throw new DavitError("too_many", `${what}: there are ${active.length} tokens already`, {
        wayOut: "revoke those that nobody uses: davit token ls",
      });
    const { name, role, stack } = request;
    const record = {
      id: newId<"token">(),
      name,
      role,
      createdAtMs: nowMs,
      expiresAtMs: nowMs + lifeS * 1_000,
      ...(stack === undefined ? {} : { stack }),
    };
    draft.create("userToken", record);
    draft.event(tokenEvent("token.created", record, `for a ${role}${stack === undefined ? "" : ` of stack ${stack}`}`));
    return draft.finish({ ...record, index: 1 });
  };
}

/** Ends a token; it is refused at its next use. */
export function revokeToken(ref: string): Command<UserToken> {
  return (state, { nowMs }) => {
    const tokens = [...state.userToken.values()];
    const isActive = (token: UserToken): boolean => token.revokedAtMs === undefined && token.expiresAtMs > nowMs;
    // names may be given again once a token has ended: the one that still counts is meant
    const token =
      tokens.find((candidate) => candidate.name === ref && isActive(candidate)) ?? resolveRef("token", tokens, ref);
    if (token.revokedAtMs !== undefined) return unchanged(token);
    const draft = new Draft();
    const record = draft.replace("userToken", token, { ...token, revokedAtMs: nowMs });
    draft.event(tokenEvent("token.revoked", token, ""));
    return draft.finish(record);
  };
}

function tokenEvent(
  type: string,
  token: { readonly id: string; readonly name: string },
  what: string,
): {
  readonly type: string;
  readonly subject: { readonly kind: "token"; readonly id: string; readonly name: string };
  readonly message: string;
} {
  const verb = type.slice(type.indexOf(".") + 1);
  return {
    type,
    subject: { kind: "token", id: token.id, name: token.name },
    message: `token ${token.name} ${verb}${what === "" ? "" : ` ${what}`}`,
  };
}
