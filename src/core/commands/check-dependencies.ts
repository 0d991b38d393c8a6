// Whether what services wait for can come about at all, and which of them are made anew with others. Pure.

import type { Dependency, ServiceSpec } from "../model/service-spec.ts";
import { nearest } from "../model/nearest.ts";
import { type Fault, invalid } from "./fault.ts";

/** What is wrong with the services that come first. `services`: all of the stack. */
export function dependencyFaults(services: readonly ServiceSpec[]): readonly Fault[] {
  const byName = new Map(services.map((spec) => [spec.name, spec]));
  const faults = services.flatMap((spec) =>
    (spec.dependsOn ?? []).flatMap((dependency) => {
      const problem = problemOf(spec, dependency, byName);
      return problem === undefined ? [] : [invalid(spec.name, `depends_on ${dependency.service}: ${problem}`)];
    }),
  );
  const circle = services.map((spec) => circleFrom(spec.name, byName)).find((way) => way !== undefined);
  return circle === undefined
    ? faults
    : [...faults, invalid(circle[0] ?? "services", `depends_on comes back to itself: ${circle.join(" → ")}`)];
}

function problemOf(
  { name }: ServiceSpec,
  { service, condition, required }: Dependency,
  byName: ReadonlyMap<string, ServiceSpec>,
): string | undefined {
  const before = byName.get(service);
  if (before === undefined) {
    if (!required) return undefined;
    const near = nearest(service, byName.keys());
    return `the stack has no such service${near === undefined || near === name ? "" : `; did you mean ${near}?`}`;
  }
  if (condition === "service_healthy" && before.job !== undefined)
    return "it is a job, and never healthy: write service_completed_successfully";
  const isEndless = before.job === undefined && before.template.restart.condition === "any";
  return condition === "service_completed_successfully" && isEndless
    ? "it is restarted always, and never complete: give it restart: on-failure or no, or make it a job"
    : undefined;
}

/** The way from a service back to it, if there is one. */
function circleFrom(start: string, byName: ReadonlyMap<string, ServiceSpec>): readonly string[] | undefined {
  const open: (readonly string[])[] = [[start]];
  const seen = new Set<string>();
  for (let way = open.pop(); way !== undefined; way = open.pop()) {
    for (const { service } of byName.get(way.at(-1) ?? "")?.dependsOn ?? []) {
      if (service === start) return [...way, start];
      if (seen.has(service)) continue;
      seen.add(service);
      open.push([...way, service]);
    }
  }
  return undefined;
}

/** Names of the services that are made anew because others are: `restart: true`, over any number of them. */
export function restartedWith(services: readonly ServiceSpec[], changed: ReadonlySet<string>): ReadonlySet<string> {
  const found = new Set<string>();
  const isHit = (name: string): boolean => changed.has(name) || found.has(name);
  for (let before = -1; before < found.size;) {
    before = found.size;
    for (const { name, dependsOn = [] } of services)
      if (!isHit(name) && dependsOn.some(({ service, restart }) => restart && isHit(service))) found.add(name);
  }
  return found;
}
