// All tables as one, and the keys that may stand at one place of a file. Pure.

import { X_DAVIT_KEYS } from "../x-davit/keys.ts";
import { DEPLOY_KEYS } from "./deploy.ts";
import { SERVICE_KEYS } from "./services.ts";
import { TOP_LEVEL_KEYS } from "./top-level.ts";
import type { KeyTable, KeyVerdict } from "./verdict.ts";

/** Every key that davit knows, by its path. */
export const KEYS: KeyTable = { ...TOP_LEVEL_KEYS, ...SERVICE_KEYS, ...DEPLOY_KEYS, ...X_DAVIT_KEYS };

const CHILDREN = childrenOf(KEYS);
const NONE: ReadonlyMap<string, KeyVerdict> = new Map();

/** The keys of a mapping, such as those of `services.*.healthcheck`; "" is the top of the file. */
export function keysAt(parent: string): ReadonlyMap<string, KeyVerdict> {
  return CHILDREN.get(parent) ?? NONE;
}

/** Where a key that may not stand in a mapping has a meaning below it, as `schedule.timezone` in `services.*.x-davit`. */
export function keysBelow(parent: string, key: string): readonly string[] {
  const start = parent === "" ? "" : `${parent}.`;
  return Object.entries(KEYS).flatMap(([path, { verdict }]) => {
    const isMeant = path.startsWith(start) && path.endsWith(`.${key}`) && (verdict === "davit" || verdict === "engine");
    return isMeant ? [path.slice(start.length).replaceAll("*", "NAME")] : [];
  });
}

/** The verdict on a key, or on the nearest key above it that has one. */
export function verdictOn(path: string): KeyVerdict | undefined {
  for (let at = path; at !== ""; at = at.slice(0, Math.max(0, at.lastIndexOf("."))))
    if (KEYS[at] !== undefined) return KEYS[at];
  return undefined;
}

function childrenOf(table: KeyTable): ReadonlyMap<string, ReadonlyMap<string, KeyVerdict>> {
  const children = new Map<string, Map<string, KeyVerdict>>();
  for (const [path, verdict] of Object.entries(table)) {
    const cut = path.lastIndexOf(".");
    const parent = path.slice(0, Math.max(0, cut));
    const known = children.get(parent) ?? new Map<string, KeyVerdict>();
    children.set(parent, known.set(path.slice(cut + 1), verdict));
  }
  return children;
}
