// Whether what a service asks of its nodes can be asked at all: constraints, spread preferences, other services that it names. What it names
// is looked for in the stack, then among the services that there are. Pure.

import { MAX_PRIORITY, type PlacementSpec, type ServiceSpec } from "../model/service-spec.ts";
import { nearest } from "../model/nearest.ts";
import { attributeProblem } from "../schedule/attribute.ts";
import { constraintProblem } from "../schedule/constraint-text.ts";
import { type Fault, invalid } from "./fault.ts";

/** What is wrong with a service's placement by itself. */
export function placementFaults({ name, mode, template }: ServiceSpec): readonly Fault[] {
  const { placement } = template;
  const problems = [
    ...placement.constraints.flatMap((constraint) => constraintProblem(constraint) ?? []),
    ...placement.spreadOver.flatMap((attribute) => attributeProblem(attribute) ?? []),
    ...priorityProblems(placement),
    ...(placement.with === name ? ["wants to be with itself: name another service"] : []),
    ...(placement.with !== undefined && mode.kind !== "replicated"
      ? [`wants to be with ${placement.with}, slot by slot, but is ${mode.kind}: only replicated services have slots`]
      : []),
    ...contradictions(placement),
  ];
  return problems.map((problem) => invalid(name, problem));
}

function priorityProblems({ priority = 0, preempt = false }: PlacementSpec): readonly string[] {
  if (!Number.isSafeInteger(priority) || priority < 0 || priority > MAX_PRIORITY)
    return [`priority ${priority}: must be a whole number from 0 to ${MAX_PRIORITY}`];
  return preempt && priority === 0 ? ["preempt wants a priority above 0: only lower ones give way"] : [];
}

/** No node can have tasks of a service and none of them. */
function contradictions({ affinity = [], antiAffinity = [], with: partner }: PlacementSpec): readonly string[] {
  const away = new Set(antiAffinity.filter(({ required }) => required).map(({ service }) => service));
  const near = affinity.filter(({ required }) => required).map(({ service }) => service);
  if (partner !== undefined) near.push(partner);
  return near
    .filter((service) => away.has(service))
    .map((service) => `must be with ${service}, and must not be with it`);
}

/** What is wrong with the services that some name. `all`: every service that there will be, these included. */
export function namedServiceFaults(specs: readonly ServiceSpec[], all: readonly ServiceSpec[]): readonly Fault[] {
  const byName = new Map(all.map((spec) => [spec.name, spec]));
  return specs.flatMap((spec) => {
    const { affinity = [], antiAffinity = [], with: partner } = spec.template.placement;
    const named = [
      ...affinity.map(({ service }) => ["affinity", service] as const),
      ...antiAffinity.map(({ service }) => ["anti_affinity", service] as const),
      ...(partner === undefined ? [] : [["with", partner] as const]),
      ...(spec.reach?.policy ?? []).map(({ from }) => ["policy", from] as const),
    ];
    const unknown = named.filter(([, service]) => !byName.has(service));
    return [
      ...unknown.map(([key, service]) => invalid(spec.name, unknownService(key, service, byName.keys()))),
      ...partnerFaults(spec, byName),
    ];
  });
}

function unknownService(key: string, service: string, known: Iterable<string>): string {
  const near = nearest(service, known);
  const hint =
    near === undefined ? "name a service of the stack, or another by its full name" : `did you mean ${near}?`;
  return `${key}: there is no service '${service}'; ${hint}`;
}

/** A service to be with has slots, and is not in turn with this one. */
function partnerFaults(spec: ServiceSpec, byName: ReadonlyMap<string, ServiceSpec>): readonly Fault[] {
  const way = [spec.name];
  let next = byName.get(spec.template.placement.with ?? "");
  if (next !== undefined && next.mode.kind !== "replicated")
    return [
      invalid(spec.name, `with: ${next.name} is ${next.mode.kind}: only replicated services have slots to be with`),
    ];
  for (; next !== undefined; next = byName.get(next.template.placement.with ?? "")) {
    if (next.name === spec.name)
      return [invalid(spec.name, `with: comes back to the service itself: ${[...way, next.name].join(" → ")}`)];
    if (way.includes(next.name)) return [];
    way.push(next.name);
  }
  return [];
}
