// x-davit.scale: how few tasks a service has while nobody calls it, and after how long.

import { MIN_IDLE_MS, type ScaleSpec } from "../../core/model/scale.ts";
import type { ServiceMode } from "../../core/model/service-spec.ts";
import { type ComposeNode, get } from "../tree/node.ts";
import type { Reader } from "../spec/reader.ts";

const PATTERN = "services.*.x-davit.scale";
const DEFAULT_IDLE_MS = 300_000;

/** `{min: 0, idle: 5m}`; undefined when there is none. `ports`: TCP ports that its containers are called at. */
export function readScale(
  reader: Reader,
  node: ComposeNode | undefined,
  path: string,
  { mode, ports }: { readonly mode: ServiceMode; readonly ports: readonly number[] },
): ScaleSpec | undefined {
  const map = reader.section(node, path, PATTERN);
  if (map === undefined) return undefined;
  const min = reader.number(get(map, "min"), `${path}.min`, { min: 0, max: 10_000, whole: true }) ?? 0;
  const idle = get(map, "idle");
  const idleMs = reader.duration(idle, `${path}.idle`) ?? DEFAULT_IDLE_MS;
  if (idleMs < MIN_IDLE_MS)
    return reader.problem(
      idle?.at ?? map.at,
      `${path}.idle`,
      "is shorter than 10s: it would fall asleep between two calls",
    );
  if (mode.kind !== "replicated")
    return reader.problem(map.at, path, "is for replicated services: others have a task wherever they belong");
  if (mode.replicas > 0 && min >= mode.replicas)
    return reader.problem(
      map.at,
      path,
      `leaves ${min} of ${mode.replicas} tasks: give min below the replicas, or leave scale out`,
    );
  if (ports.length === 0)
    return reader.problem(
      map.at,
      path,
      "wants to know at which ports the service is called: name them in ports, expose or x-davit.ingress",
    );
  return { min, idleMs, ports };
}
