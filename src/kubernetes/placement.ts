// Constraints, platforms, spreading a maximum per node and shared volumes, to node selectors, affinities and spread constraints. Pure.

import type { Constraint } from "../core/model/service-spec.ts";
import type { ServiceContext } from "./context.ts";
import { type Fields, some, someOf, type Value } from "./manifest.ts";
import { isLabelValue, isQualifiedName } from "./names.ts";

const NAME = "app.kubernetes.io/name";
const HOSTNAME = "kubernetes.io/hostname";
const OS = "kubernetes.io/os";
const ARCH = "kubernetes.io/arch";
const ARCHITECTURES: Readonly<Record<string, string>> = {
  x86_64: "amd64",
  aarch64: "arm64",
  armv7l: "arm",
  i386: "386",
};

type Requirement = { readonly key: string; readonly operator: "In" | "NotIn"; readonly values: readonly string[] };

/** `together`: names of services whose pods must be on one node. */
export function placementOf(context: ServiceContext, together: readonly (readonly string[])[]): Fields {
  const { placement } = context.spec.template;
  const wanted = placement.constraints.flatMap((constraint) => requirementOf(constraint, context.note) ?? []);
  const platforms = placement.platforms.map(platformOf);
  const [platform] = platforms;
  const all = platforms.length === 1 && platform !== undefined ? [...wanted, ...platform] : wanted;
  // a selector holds one value for each label; what is more than that, or excludes, is an affinity
  const isSelected = ({ key, operator }: Requirement): boolean =>
    operator === "In" && all.filter((other) => other.key === key && other.operator === "In").length === 1;
  const selected = all.filter(isSelected);
  const matched = all.filter((requirement) => !isSelected(requirement));
  const terms =
    platforms.length > 1 ? platforms.map((one) => [...matched, ...one]) : matched.length > 0 ? [matched] : [];
  return {
    nodeSelector: someOf(Object.fromEntries(selected.map(({ key, values }) => [key, values[0]]))),
    affinity: someOf({
      nodeAffinity:
        terms.length === 0
          ? undefined
          : {
              requiredDuringSchedulingIgnoredDuringExecution: {
                nodeSelectorTerms: terms.map((matchExpressions) => ({ matchExpressions })),
              },
            },
      podAffinity: togetherOf(context, together),
      podAntiAffinity: apartOf(context),
    }),
    topologySpreadConstraints: some(spreadsOf(context)),
  };
}

function requirementOf(
  { attribute, operator, value }: Constraint,
  note: ServiceContext["note"],
): Requirement | undefined {
  const text = `${attribute} ${operator} ${value}`;
  const key = labelOf(attribute);
  const known = attribute === "node.platform.arch" ? (ARCHITECTURES[value] ?? value) : value;
  if (key !== undefined && isLabelValue(known))
    return { key, operator: operator === "==" ? "In" : "NotIn", values: [known] };
  note(
    "deploy.placement.constraints",
    `'${text}' speaks of what Kubernetes does not know of a node`,
    "label the nodes with kubectl label node, and constrain node.labels.NAME",
  );
  return undefined;
}

/** The label of a node that holds an attribute; undefined when none does. */
function labelOf(attribute: string): string | undefined {
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
function platformOf(platform: string): readonly Requirement[] {
  const [os = "", arch] = platform.split("/");
  const one = (key: string, value: string): Requirement => ({ key, operator: "In", values: [value] });
  return [one(OS, os), ...(arch === undefined ? [] : [one(ARCH, ARCHITECTURES[arch] ?? arch)])];
}

/** The first of them goes anywhere, since each is among those that it wants to be with. */
function togetherOf({ selector }: ServiceContext, together: readonly (readonly string[])[]): Value {
  const { [NAME]: _, ...others } = selector;
  const terms = together.map((values) => ({
    labelSelector: { matchLabels: others, matchExpressions: [{ key: NAME, operator: "In", values }] },
    topologyKey: HOSTNAME,
  }));
  return terms.length === 0 ? undefined : { requiredDuringSchedulingIgnoredDuringExecution: terms };
}

function apartOf({ spec, selector }: ServiceContext): Value {
  if (spec.template.placement.maxPerNode !== 1 || spec.mode.kind === "global") return undefined;
  return {
    requiredDuringSchedulingIgnoredDuringExecution: [
      { labelSelector: { matchLabels: selector }, topologyKey: HOSTNAME },
    ],
  };
}

function spreadsOf({ spec, selector, note }: ServiceContext): readonly Value[] {
  const { spreadOver, maxPerNode } = spec.template.placement;
  const labelSelector = { matchLabels: selector };
  const spreads: Value[] = [];
  const keys = new Set<string>();
  for (const attribute of spreadOver) {
    const topologyKey = labelOf(attribute);
    if (topologyKey === undefined)
      note(
        "deploy.placement.preferences",
        `'${attribute}' is no label of a node in Kubernetes`,
        "spread over node.labels.NAME",
      );
    else if (!keys.has(topologyKey))
      spreads.push({ maxSkew: 1, topologyKey, whenUnsatisfiable: "ScheduleAnyway", labelSelector });
    if (topologyKey !== undefined) keys.add(topologyKey);
  }
  if (maxPerNode > 1 && spec.mode.kind !== "global") {
    note(
      "deploy.placement.max_replicas_per_node",
      `Kubernetes counts no pods of a service on a node: they differ by at most ${maxPerNode} between nodes instead`,
      "1 is carried over exactly",
    );
    spreads.push({ maxSkew: maxPerNode, topologyKey: HOSTNAME, whenUnsatisfiable: "DoNotSchedule", labelSelector });
  }
  return spreads;
}
