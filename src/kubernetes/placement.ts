// Constraints, platforms, spreading a maximum per node and shared volumes, to node selectors, affinities and spread constraints. Pure.

import type { Affinity } from "../core/model/service-spec.ts";
import type { ServiceContext } from "./context.ts";
import { type Fields, some, someOf, type Value } from "./manifest.ts";
import { expressionOf, HOSTNAME, labelOf, platformOf, type Requirement, requirementOf } from "./node-requirements.ts";

const NAME = "app.kubernetes.io/name";

/** `together`: names of services whose pods must be on one node. */
export function placementOf(context: ServiceContext, together: readonly (readonly string[])[]): Fields {
  const { placement } = context.spec.template;
  if (placement.strategy === "binpack")
    context.note(
      "x-davit.strategy",
      "binpack: the cluster's scheduler decides",
      "give it a profile with MostAllocated",
    );
  const wanted = placement.constraints.flatMap((constraint) => requirementOf(constraint, context.note) ?? []);
  const platforms = placement.platforms.map(platformOf);
  const [platform] = platforms;
  const all = platforms.length === 1 && platform !== undefined ? [...wanted, ...platform] : wanted;
  // a selector holds one value for each label; what is more than that, or excludes, is an affinity
  const isSelected = ({ key, operator, values = [] }: Requirement): boolean =>
    operator === "In" &&
    values.length === 1 &&
    all.filter((other) => other.key === key && other.operator === "In").length === 1;
  const selected = all.filter(isSelected);
  const matched = all.filter((requirement) => !isSelected(requirement));
  const terms =
    platforms.length > 1 ? platforms.map((one) => [...matched, ...one]) : matched.length > 0 ? [matched] : [];
  return {
    nodeSelector: someOf(Object.fromEntries(selected.map(({ key, values }) => [key, values?.[0]]))),
    affinity: someOf({
      nodeAffinity:
        terms.length === 0
          ? undefined
          : {
              requiredDuringSchedulingIgnoredDuringExecution: {
                nodeSelectorTerms: terms.map((matchExpressions) => ({
                  matchExpressions: matchExpressions.map(expressionOf),
                })),
              },
            },
      podAffinity: podsAt(context, "affinity", togetherOf(context, together), besides(context)),
      podAntiAffinity: podsAt(context, "anti_affinity", apartOf(context), placement.antiAffinity ?? []),
    }),
    topologySpreadConstraints: some(spreadsOf(context)),
  };
}

/** The services whose tasks it wants to be beside; slot by slot is more than Kubernetes can. */
function besides({ spec, note }: ServiceContext): readonly Affinity[] {
  const { affinity = [], with: mate } = spec.template.placement;
  if (mate === undefined) return affinity;
  note(
    "x-davit.with",
    `Kubernetes does not pair pods: each is on a node that has one of ${mate}`,
    "put both into one pod if they belong together",
  );
  return [...affinity, { service: mate, required: true }];
}

/** Terms that must hold, those given and those of services, and terms that should. */
function podsAt(
  { note, selectorOf }: ServiceContext,
  key: string,
  given: readonly Value[],
  affinities: readonly Affinity[],
): Value {
  const known = affinities.flatMap(({ service, required }) => {
    const matchLabels = selectorOf(service);
    if (matchLabels === undefined)
      note(
        `x-davit.${key}`,
        `${service} (${required ? "required" : "preferred"}) is not in this stack`,
        "add a term with the labels of its pods",
      );
    return matchLabels === undefined
      ? []
      : [{ required, term: { labelSelector: { matchLabels }, topologyKey: HOSTNAME } }];
  });
  const hard = [...given, ...known.flatMap(({ required, term }) => (required ? [term] : []))];
  const soft = known.flatMap(({ required, term }) => (required ? [] : [{ weight: 100, podAffinityTerm: term }]));
  return someOf({
    requiredDuringSchedulingIgnoredDuringExecution: some(hard),
    preferredDuringSchedulingIgnoredDuringExecution: some(soft),
  });
}

/** The first of them goes anywhere, since each is among those that it wants to be with. */
function togetherOf({ selector }: ServiceContext, together: readonly (readonly string[])[]): readonly Value[] {
  const { [NAME]: _, ...others } = selector;
  return together.map((values) => ({
    labelSelector: { matchLabels: others, matchExpressions: [{ key: NAME, operator: "In", values }] },
    topologyKey: HOSTNAME,
  }));
}

function apartOf({ spec, selector }: ServiceContext): readonly Value[] {
  if (spec.template.placement.maxPerNode !== 1 || spec.mode.kind === "global") return [];
  return [{ labelSelector: { matchLabels: selector }, topologyKey: HOSTNAME }];
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
