// What a deploy asks of nodes that no node has now: it may be on its way, or mistyped, so it is said and not refused. Pure.

import type { Node } from "../model/records.ts";
import { nearest } from "../model/nearest.ts";
import type { Constraint, ServiceSpec } from "../model/service-spec.ts";
import type { State } from "../model/world.ts";
import { attributeOf } from "../schedule/attribute.ts";
import { meets, runsPlatform } from "../schedule/constraint.ts";
import { renderConstraint } from "../schedule/constraint-text.ts";
import { genericOf } from "../schedule/resources.ts";

/** Sentences for a plan, a few for each service. Without any node nothing is known, and nothing is said. */
export function placementWarnings(state: State, services: readonly ServiceSpec[]): readonly string[] {
  const nodes = [...state.node.values()];
  if (nodes.length === 0) return [];
  return services.flatMap((spec) => warningsOf(state, nodes, spec).map((text) => `${spec.name}: ${text}`));
}

function warningsOf(state: State, nodes: readonly Node[], { template }: ServiceSpec): readonly string[] {
  const { placement, resources } = template;
  const valueOn = (node: Node, attribute: string): string | undefined =>
    attributeOf(node, state.nodeStatus.get(node.id), attribute);
  const unmet = placement.constraints.filter(
    (constraint) => !nodes.some((node) => meets(constraint, node, state.nodeStatus.get(node.id))),
  );
  const unspread = placement.spreadOver.filter(
    (attribute) => !nodes.some((node) => valueOn(node, attribute) !== undefined),
  );
  const lacking = Object.entries(resources.reservations.generic).filter(
    ([kind, amount]) => !nodes.some((node) => genericOf(node, state.nodeStatus.get(node.id), kind) >= amount),
  );
  const isForeign =
    placement.platforms.length > 0 &&
    !nodes.some((node) => runsPlatform(placement.platforms, state.nodeStatus.get(node.id)));
  return [
    ...unmet.map((constraint) => `no node meets '${renderConstraint(constraint)}'${hintFor(state, nodes, constraint)}`),
    ...unspread.map(
      (attribute) => `no node has ${labelName(attribute)}, so nothing is spread over it${near(nodes, attribute)}`,
    ),
    ...lacking.map(
      ([kind, amount]) => `no node has ${amount} ${kind}: davit node update NODE --generic ${kind}=${amount}`,
    ),
    ...(isForeign ? [`no node can run ${placement.platforms.join(" or ")}`] : []),
  ];
}

function labelName(attribute: string): string {
  return attribute.replace(/^node\.labels\./, "label ").replace(/^engine\.labels\./, "engine label ");
}

/** The nearest label, or the nearest value of a label or name that nodes have. */
function hintFor(state: State, nodes: readonly Node[], { attribute, value }: Constraint): string {
  const values = nodes.flatMap((node) => attributeOf(node, state.nodeStatus.get(node.id), attribute) ?? []);
  if (values.length === 0) return near(nodes, attribute);
  const nearby = nearest(value, values);
  return nearby === undefined || nearby === value ? "" : `; did you mean ${nearby}?`;
}

function near(nodes: readonly Node[], attribute: string): string {
  const match = /^node\.labels\.(.+)$/.exec(attribute);
  const nearby =
    match?.[1] === undefined
      ? undefined
      : nearest(
          match[1],
          nodes.flatMap((node) => Object.keys(node.labels)),
        );
  return nearby === undefined || nearby === match?.[1] ? "" : `; did you mean label ${nearby}?`;
}
