// The walls between rooms: which room may import which. Imports go downwards only; a room may always import itself.

import { dirname, join, normalize } from "node:path";
import type { Source } from "./sources.ts";

const BELOW_PORTS = ["core", "core/model"];
const BELOW_ADAPTERS = [...BELOW_PORTS, "ports"];

/** Room → what it may import. Adapters (system, store) are constructed by composition roots only: see ROOTS. */
export const WALLS: Readonly<Record<string, readonly string[]>> = {
  "core/model": [],
  core: ["core/model"],
  ports: BELOW_PORTS,
  system: BELOW_ADAPTERS,
  store: [...BELOW_ADAPTERS, "migrations"],
  ssh: BELOW_ADAPTERS,
  auth: BELOW_ADAPTERS,
  certificates: BELOW_ADAPTERS,
  compose: BELOW_ADAPTERS,
  kubernetes: ["core/model"],
  api: [...BELOW_ADAPTERS, "auth"],
  client: BELOW_ADAPTERS,
  cli: [...BELOW_ADAPTERS, "client", "compose", "kubernetes", "ssh"],
  coordinator: [...BELOW_ADAPTERS, "store", "ssh", "auth", "certificates", "api"],
  "workers/agent": [...BELOW_ADAPTERS, "auth"],
  "workers/store": [...BELOW_ADAPTERS, "store", "migrations"],
  main: ["coordinator", "cli", "workers/agent"],
};

/** The only files that construct adapters, and the adapters. */
const ROOTS = new Set(["src/coordinator/main.ts", "src/cli/main.ts", "workers/agent/main.ts"]);
const ADAPTERS = /^src\/(system\/|store\/open\.ts$)/;
/** What of auth the agent may use: it verifies, and never signs as the issuer. */
const FOR_THE_AGENT = /^src\/auth\/(verifier|claims)\.ts$/;
/** Packages that core may use: none. */
const PURE_ROOMS = new Set(["core", "core/model"]);
/** Files of the project's top that anyone may read. */
const COMMON = new Set(["package.json"]);

const IMPORT = /(?:\bfrom|\bimport)\s*\(?\s*["']([^"']+)["']/g;

/** The room of a path from the project's root; undefined outside of src and workers. */
export function roomOf(path: string): string | undefined {
  const [top, second = "", third = ""] = path.split("/");
  if (top === "migrations") return "migrations";
  if (top === "workers") return `workers/${second}`;
  if (top !== "src") return undefined;
  if (third === "") return second === "main.ts" ? "main" : undefined;
  return second === "core" && third === "model" ? "core/model" : second;
}

/** Sentences on each import of a file that goes through a wall. */
export function breaches({ path, text }: Source): readonly string[] {
  const room = roomOf(path);
  if (room === undefined || room === "migrations") return [];
  const allowed = WALLS[room];
  if (allowed === undefined) return [`${path}: the room ${room} is not on the plan (test/tidy/walls.ts)`];
  return [...text.matchAll(IMPORT)].flatMap(([, specifier = ""]) => {
    const reason = breachOf(path, room, allowed, specifier);
    return reason === undefined ? [] : [`${path} imports ${specifier}: ${reason}`];
  });
}

function breachOf(path: string, room: string, allowed: readonly string[], specifier: string): string | undefined {
  if (!specifier.startsWith(".")) return PURE_ROOMS.has(room) ? `${room} is pure and uses no package` : undefined;
  const target = normalize(join(dirname(path), specifier));
  if (COMMON.has(target)) return undefined;
  if (ADAPTERS.test(target) && room !== roomOf(target))
    return ROOTS.has(path) ? undefined : "only composition roots construct adapters";
  const other = roomOf(target);
  if (other === undefined) return `${target} is in no room`;
  if (room === "workers/agent" && other === "auth" && !FOR_THE_AGENT.test(target))
    return "of auth the agent knows the verifier only";
  return other === room || allowed.includes(other) ? undefined : `${room} may not know ${other}`;
}
