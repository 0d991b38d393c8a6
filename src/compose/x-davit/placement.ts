// What x-davit says about where tasks go, together: what is not said is left out, so that it does not count for a spec's identity.

import type { PlacementSpec } from "../../core/model/service-spec.ts";
import { get, type MapNode } from "../tree/node.ts";
import type { Reader } from "../spec/reader.ts";
import { readAffinities } from "./affinity.ts";
import { readPriority } from "./priority.ts";
import { readStrategy } from "./strategy.ts";
import { readWith } from "./with.ts";

export type Wishes = Pick<PlacementSpec, "affinity" | "antiAffinity" | "with" | "priority" | "preempt" | "strategy">;

/** `own`: the full name of the service; `fullName`: of a service of the file, other names stand for themselves. */
export function readWishes(
  reader: Reader,
  extension: MapNode | undefined,
  path: string,
  own: string,
  fullName: (name: string) => string,
): Wishes {
  const affinity = readAffinities(reader, get(extension, "affinity"), `${path}.affinity`, "affinity", fullName);
  const antiAffinity = readAffinities(
    reader,
    get(extension, "anti_affinity"),
    `${path}.anti_affinity`,
    "anti_affinity",
    fullName,
  );
  const partner = readWith(reader, get(extension, "with"), `${path}.with`, own, fullName);
  const strategy = readStrategy(reader, get(extension, "strategy"), `${path}.strategy`);
  return {
    ...(affinity === undefined ? {} : { affinity }),
    ...(antiAffinity === undefined ? {} : { antiAffinity }),
    ...(partner === undefined ? {} : { with: partner }),
    ...readPriority(reader, extension, path),
    ...(strategy === undefined ? {} : { strategy }),
  };
}
