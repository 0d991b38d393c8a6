// What a network or volume is called, and whether somebody else makes it: the two forms of `external`. Pure.

import { get, type MapNode } from "../tree/node.ts";
import type { Reader } from "./reader.ts";

/** `external: true` with `name:` beside it, or the older `external: {name: …}`. */
export function isExternal(
  reader: Reader,
  map: MapNode | undefined,
  path: string,
): { readonly external: boolean; readonly name: string | undefined } {
  const node = get(map, "external");
  const own = reader.text(get(map, "name"), `${path}.name`);
  if (node?.kind !== "map") return { external: reader.bool(node, `${path}.external`) ?? false, name: own };
  for (const [key, { keyAt }] of node.entries)
    if (key !== "name") reader.unknown(keyAt, `${path}.external.${key}`, key, ["name"]);
  return { external: true, name: reader.text(get(node, "name"), `${path}.external.name`) ?? own };
}
