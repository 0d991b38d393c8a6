// Whether a node has what a placement constraint asks for. Pure.

import { assertNever } from "../model/invariant.ts";
import type { Node, NodeStatus } from "../model/records.ts";
import type { Constraint } from "../model/service-spec.ts";

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

/** An absent value equals nothing: `!=` holds for it. */
export function meets(constraint: Constraint, node: Node, status: NodeStatus | undefined): boolean {
  const value = attributeOf(node, status, constraint.attribute);
  switch (constraint.operator) {
    case "==":
      return value === constraint.value;
    case "!=":
      return value !== constraint.value;
    default:
      return assertNever(constraint.operator);
  }
}

/** "label disk=ssd", "no label disk=ssd", "node.hostname=n1": as a thing that a node lacks. */
export function describeConstraint(constraint: Constraint): string {
  const name = constraint.attribute.replace(/^node\.labels\./, "label ").replace(/^engine\.labels\./, "engine label ");
  return constraint.operator === "==" ? `${name}=${constraint.value}` : `${name} other than ${constraint.value}`;
}

/** Architectures have two names each: the kernel's and the image format's. */
const ARCHITECTURE_NAMES: Readonly<Record<string, string>> = { x86_64: "amd64", aarch64: "arm64", armv7l: "arm" };

/** Whether a node can run one of the platforms ("linux/amd64"); empty means any. */
export function runsPlatform(platforms: readonly string[], status: NodeStatus | undefined): boolean {
  if (platforms.length === 0) return true;
  const normal = (name: string): string => ARCHITECTURE_NAMES[name] ?? name;
  return platforms.some((platform) => {
    const [os = "", architecture = ""] = platform.split("/");
    return os === status?.platform.os && (architecture === "" || normal(architecture) === normal(status.platform.arch));
  });
}
