// x-davit.update and x-davit.rollback: what deploy.update_config and rollback_config have no words for. A strategy, its trial, percentages, and
// how long a change may make no progress. What is not said is left out, so that it does not count for a spec's identity.

import type { UpdatePolicy, UpdateStrategy } from "../../core/model/update-policy.ts";
import { type ComposeNode, get, type MapNode } from "../tree/node.ts";
import type { Reader } from "../spec/reader.ts";
import { parseDuration } from "../spec/values.ts";
import { readShare } from "./share.ts";

const PATTERN = "services.*.x-davit";
const STRATEGIES = ["rolling", "canary", "blue-green"] as const;
/** What `hold` is when a person decides. */
const UNTIL_PROMOTED = "until-promoted";
/** Canaries that nothing else is said of: one. */
const DEFAULT_CANARIES = { tasks: 1 } as const;
const DEFAULT_WEIGHT = 100;
const DEFAULT_KEEP_MS = 600_000;
const WEIGHT = { min: 0, max: 100, whole: true } as const;

/** Which keys go with which strategies only. */
const ONLY_WITH: Readonly<Record<string, readonly string[]>> = {
  canaries: ["canary"],
  weight: ["canary"],
  hold: ["canary", "blue-green"],
  keep: ["blue-green"],
};

/** The policy that `base` becomes by the extension; `deploy`: whose update_config or rollback_config `base` was read from. */
export function readUpdateExtension(
  reader: Reader,
  base: UpdatePolicy,
  extension: MapNode | undefined,
  deploy: MapNode | undefined,
  key: "update" | "rollback",
  path: string,
): UpdatePolicy {
  const where = `${path}.x-davit.${key}`;
  const map = reader.section(get(extension, key), where, `${PATTERN}.${key}`);
  if (map === undefined) return base;
  const inDeploy = get(deploy, `${key}_config`);
  const said = inDeploy?.kind === "map" ? get(inDeploy, "parallelism") : undefined;
  const node = get(map, "parallelism");
  if (said !== undefined && node !== undefined)
    reader.problem(node.at, `${where}.parallelism`, `is said twice: in deploy.${key}_config too`);
  const share = readShare(reader, node, `${where}.parallelism`);
  const deadlineMs = reader.duration(get(map, "progress_deadline"), `${where}.progress_deadline`);
  const strategy = key === "rollback" ? undefined : readStrategy(reader, map, where);
  return {
    ...base,
    ...(share !== undefined && "tasks" in share ? { parallelism: share.tasks } : {}),
    ...(share !== undefined && "percent" in share ? { parallelismPercent: share.percent } : {}),
    ...(deadlineMs === undefined ? {} : { progressDeadlineMs: deadlineMs }),
    ...(strategy === undefined ? {} : { strategy }),
  };
}

function readStrategy(reader: Reader, map: MapNode, where: string): UpdateStrategy | undefined {
  const word = reader.word(get(map, "strategy"), `${where}.strategy`, STRATEGIES) ?? "rolling";
  for (const [key, strategies] of Object.entries(ONLY_WITH)) {
    const node = get(map, key);
    if (node !== undefined && !strategies.includes(word))
      reader.problem(node.at, `${where}.${key}`, `goes with strategy: ${strategies.join(" or ")}, not with ${word}`);
  }
  switch (word) {
    case "rolling":
      return undefined;
    case "canary":
      return {
        kind: "canary",
        canaries: readShare(reader, get(map, "canaries"), `${where}.canaries`) ?? DEFAULT_CANARIES,
        weight: reader.number(get(map, "weight"), `${where}.weight`, WEIGHT) ?? DEFAULT_WEIGHT,
        ...readHold(reader, get(map, "hold"), `${where}.hold`, {}),
      };
    case "blue-green":
      return {
        kind: "blue-green",
        keepMs: reader.duration(get(map, "keep"), `${where}.keep`) ?? DEFAULT_KEEP_MS,
        ...readHold(reader, get(map, "hold"), `${where}.hold`, { holdMs: 0 }),
      };
  }
}

type Hold = { readonly holdMs?: number };

function readHold(reader: Reader, node: ComposeNode | undefined, path: string, fallback: Hold): Hold {
  if (node === undefined) return fallback;
  const text = reader.text(node, path);
  if (text === undefined) return fallback;
  if (text === UNTIL_PROMOTED) return {};
  const holdMs = parseDuration(text);
  if (holdMs !== undefined) return { holdMs };
  reader.problem(node.at, path, `'${text}' is not a duration such as 5m, nor ${UNTIL_PROMOTED}`);
  return fallback;
}
