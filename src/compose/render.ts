// The merged file as YAML again, for `davit stack config`: every variable filled in, and loading it gives the same stack. Pure.

import { stringify } from "yaml";
import type { ComposeNode, MapNode } from "./node.ts";

/** YAML of a merged file. A dollar is doubled, since loading it again would read a variable. */
export function renderCompose(merged: MapNode): string {
  return stringify(plain(merged), { lineWidth: 0, aliasDuplicateObjects: false });
}

function plain(node: ComposeNode): unknown {
  switch (node.kind) {
    case "scalar":
      return typeof node.value === "string" ? node.value.replaceAll("$", "$$$$") : node.value;
    case "list":
      return node.items.map(plain);
    case "map":
      return Object.fromEntries([...node.entries].map(([key, { node: value }]) => [key, plain(value)]));
  }
}
