// What a role may do, as scopes, and whether scopes allow what is asked. Pure.

import type { Role } from "../core/model/records.ts";

/** Kinds of access that the API asks for. */
export type ApiScope = "api:read" | "api:deploy" | "api:admin";

/** The scopes of a role; a deployer may be bound to one stack. */
export function scopesOfRole(role: Role, stack?: string): readonly string[] {
  switch (role) {
    case "viewer":
      return ["api:read"];
    case "deployer":
      return ["api:read", stack === undefined ? "api:deploy" : `api:deploy:${stack}`];
    case "admin":
      return ["api:read", "api:deploy", "api:admin"];
  }
}

/** Whether `scopes` allow access of a kind. For `api:deploy` with a stack, a scope bound to that stack is enough. */
export function isAllowed(scopes: readonly string[], wanted: ApiScope, stack?: string): boolean {
  if (scopes.includes(wanted)) return true;
  return wanted === "api:deploy" && stack !== undefined && scopes.includes(`api:deploy:${stack}`);
}

/** Whether some stack could be deployed with these scopes: the check before it is known which one is meant. */
export function mayDeploySomething(scopes: readonly string[]): boolean {
  return scopes.some((scope) => scope === "api:deploy" || scope.startsWith("api:deploy:"));
}
