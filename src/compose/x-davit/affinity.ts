// x-davit.affinity and x-davit.anti_affinity: nodes that have tasks of other services, or of this one, or have none of them.

import type { Affinity } from "../../core/model/service-spec.ts";
import { type ComposeNode, get } from "../tree/node.ts";
import type { Reader } from "../spec/reader.ts";

const PATTERN = "services.*.x-davit";

/** `[{service: cache, required: true}]`, or just `[cache]`. `fullName`: of a service of this file; another name stands for itself. */
export function readAffinities(
  reader: Reader,
  node: ComposeNode | undefined,
  path: string,
  key: "affinity" | "anti_affinity",
  fullName: (name: string) => string,
): readonly Affinity[] | undefined {
  const seen = new Map<string, Affinity>();
  for (const [at, item] of reader.list(node, path).entries()) {
    const where = `${path}[${at}]`;
    const map = item.kind === "map" ? reader.section(item, where, `${PATTERN}.${key}`) : undefined;
    const name = map === undefined ? reader.text(item, where) : reader.text(get(map, "service"), `${where}.service`);
    if (name === undefined || name === "") {
      if (item.kind !== "list") reader.problem(item.at, where, "wants {service: NAME, required: true or false}");
      continue;
    }
    const service = fullName(name);
    if (seen.has(service)) reader.problem(item.at, where, `names ${name} twice`);
    seen.set(service, { service, required: reader.bool(get(map, "required"), `${where}.required`) ?? false });
  }
  if (seen.size === 0) return undefined;
  return [...seen.values()].toSorted((a, b) => (a.service < b.service ? -1 : 1));
}
