// Constraints and platforms to requirements on the labels of nodes. What Kubernetes has no label or operator for is noted. Pure.

import type { Constraint } from "../core/model/service-spec.ts";
import type { Fields, Noting } from "./manifest.ts";
import { isLabelValue, isQualifiedName } from "./names.ts";

export const HOSTNAME = "kubernetes.io/hostname";
const OS = "kubernetes.io/os";
const ARCH = "kubernetes.io/arch";
const ARCHITECTURES: Readonly<Record<string, string>> = {
  x86_64: "amd64",
  aarch64: "arm64",
  armv7l: "arm",
  i386: "386",
  i686: "386",
};

export type Requirement = {
  readonly key: string;
  readonly operator: "In" | "NotIn" | "Exists" | "DoesNotExist" | "Gt" | "Lt";
  readonly values?: readonly string[];
};

export function requirementOf(constraint: Constraint, note: Noting): Requirement | undefined {
  const { attribute, operator, value } = constraint;
  const key = labelOf(attribute);
  const rest = operationOf(constraint);
  if (key !== undefined && rest !== undefined) return { key, ...rest };
  note(
    "deploy.placement.constraints",
    `'${[attribute, operator, value].join(" ").trim()}' speaks of what Kubernetes does not know of a node`,
    "label the nodes with kubectl label node, and constrain node.labels.NAME by whole values",
  );
  return undefined;
}

/** Undefined for patterns and for what no label holds. */
function operationOf({ attribute, operator, value }: Constraint): Omit<Requirement, "key"> | undefined {
  const oneOf = (name: "In" | "NotIn", texts: readonly string[]): Omit<Requirement, "key"> | undefined => {
    const values = texts.map((text) => (attribute === "node.platform.arch" ? (ARCHITECTURES[text] ?? text) : text));
    return values.every(isLabelValue) ? { operator: name, values } : undefined;
  };
  // only whole numbers are compared, and only strictly
  const compared = (name: "Gt" | "Lt", step: number): Omit<Requirement, "key"> | undefined =>
    /^\d{1,15}$/.test(value) && Number(value) + step >= 0
      ? { operator: name, values: [String(Number(value) + step)] }
      : undefined;
  switch (operator) {
    case "==":
      return oneOf("In", [value]);
    case "!=":
      return oneOf("NotIn", [value]);
    case "in":
      return oneOf("In", value.split(/\s*,\s*/));
    case "notin":
      return oneOf("NotIn", value.split(/\s*,\s*/));
    case "exists":
      return { operator: "Exists" };
    case "!exists":
      return { operator: "DoesNotExist" };
    case "<":
      return compared("Lt", 0);
    case "<=":
      return compared("Lt", 1);
    case ">":
      return compared("Gt", 0);
    case ">=":
      return compared("Gt", -1);
  }
}

/** The label of a node that holds an attribute; undefined when none does. */
export function labelOf(attribute: string): string | undefined {
  switch (attribute) {
    case "node.hostname":
      return HOSTNAME;
    case "node.platform.os":
      return OS;
    case "node.platform.arch":
      return ARCH;
    default: {
      const label = attribute.startsWith("node.labels.") ? attribute.slice("node.labels.".length) : "";
      return isQualifiedName(label) ? label : undefined;
    }
  }
}

/** "linux/arm64/v8": the variant has no label. */
export function platformOf(platform: string): readonly Requirement[] {
  const [os = "", arch] = platform.split("/");
  const one = (key: string, value: string): Requirement => ({ key, operator: "In", values: [value] });
  return [one(OS, os), ...(arch === undefined ? [] : [one(ARCH, ARCHITECTURES[arch] ?? arch)])];
}

/** As a manifest has it. */
export function expressionOf({ key, operator, values }: Requirement): Fields {
  return { key, operator, values };
}
