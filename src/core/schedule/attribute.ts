// The attributes of a node that placement may ask for: their names, and their values on a node. Pure.

import { nearest } from "../model/nearest.ts";
import type { Node, NodeStatus } from "../model/records.ts";

const FIXED = ["node.id", "node.hostname", "node.role", "node.ip", "node.platform.os", "node.platform.arch"] as const;
const LABELLED = ["node.labels", "engine.labels"] as const;
const LABEL = /^[A-Za-z0-9_./-]+$/;

/** The value of an attribute on a node; undefined when the node has none. */
export function attributeOf(node: Node, status: NodeStatus | undefined, attribute: string): string | undefined {
  if (attribute.startsWith("node.labels.")) return node.labels[attribute.slice("node.labels.".length)];
  if (attribute.startsWith("engine.labels.")) return status?.engineLabels[attribute.slice("engine.labels.".length)];
  switch (attribute) {
    case "node.id":
      return node.id;
    case "node.hostname":
      return node.name;
    case "node.ip":
      return node.address.host;
    case "node.role":
      return "worker";
    case "node.platform.os":
      return status?.platform.os;
    case "node.platform.arch":
      return status?.platform.arch;
    default:
      return undefined;
  }
}

/** What is wrong with the name of an attribute, with the nearest one that there is; undefined if nothing is. */
export function attributeProblem(attribute: string): string | undefined {
  const [first = "", second = "", ...rest] = attribute.split(".");
  const family = `${first}.${second}`;
  if (FIXED.some((name) => name === attribute)) return undefined;
  if (LABELLED.some((name) => name === family))
    return LABEL.test(rest.join(".")) ? undefined : `'${attribute}' names no label: write ${family}.NAME`;
  const label = nearest(family, LABELLED);
  const near = rest.length > 0 && label !== undefined ? `${label}.${rest.join(".")}` : nearest(attribute, FIXED);
  const known = `: ${FIXED.join(", ")}, ${LABELLED.map((name) => `${name}.NAME`).join(", ")}`;
  return `'${attribute}' is not an attribute of a node${near === undefined ? known : `; did you mean ${near}?`}`;
}
