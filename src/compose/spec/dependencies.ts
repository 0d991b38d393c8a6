// depends_on and links: which services of the file come first, and what is wrong with those that are named. Pure.

import { DEPENDENCY_CONDITIONS, type Dependency, type ServiceSpec } from "../../core/model/service-spec.ts";
import { type ComposeNode, get, type MapNode, type Place, written } from "../tree/node.ts";
import type { Reader } from "./reader.ts";

/**
 * By key of a service those that come first, by their keys. `active`: the services that the chosen profiles leave; `all`: every one in the
 * file.
 */
export function readDependencies(
  reader: Reader,
  active: readonly (readonly [string, MapNode])[],
  all: ReadonlySet<string>,
): ReadonlyMap<string, readonly Dependency[]> {
  const names = new Set(active.map(([key]) => key));
  const found = new Map<string, readonly Dependency[]>();
  for (const [key, service] of active) {
    found.set(key, readDependsOn(reader, service, `services.${key}.depends_on`, names, all));
    checkLinks(reader, service, `services.${key}.links`, all);
  }
  const edges = new Map([...found].map(([key, list]) => [key, list.map(({ service }) => service)]));
  for (const [key, service] of active)
    if (reaches(edges, key)) {
      const at = service.entries.get("depends_on")?.keyAt ?? service.at;
      reader.problem(at, `services.${key}.depends_on`, "comes back to the service itself, over others or directly");
    }
  checkJobs(reader, active);
  return found;
}

/** Jobs that wait for each other. */
function checkJobs(reader: Reader, active: readonly (readonly [string, MapNode])[]): void {
  const edges = new Map(active.map(([key, service]) => [key, jobsBefore(service)]));
  for (const [key, service] of active)
    if (reaches(edges, key))
      reader.problem(
        get(mapAt(service, "x-davit"), "after")?.at ?? service.at,
        `services.${key}.x-davit.after`,
        "comes back to the job itself, over others or directly: none of them would ever run",
      );
}

/** x-davit.after as it is written; what is wrong with it is said where jobs are read. */
function jobsBefore(service: MapNode): readonly string[] {
  const after = get(mapAt(service, "x-davit"), "after");
  const items = after?.kind === "list" ? after.items : [after];
  return items.flatMap((item) => (item?.kind === "scalar" ? item.text : []));
}

function mapAt(map: MapNode | undefined, key: string): MapNode | undefined {
  const node = get(map, key);
  return node?.kind === "map" ? node : undefined;
}

/**
 * The services with what comes first, by full names. One that others wait to see complete, and that says nothing of restarts, is restarted only
 * when it fails: restarted always it would never be complete.
 */
export function withDependencies(
  services: readonly ServiceSpec[],
  chosen: readonly (readonly [string, MapNode])[],
  found: ReadonlyMap<string, readonly Dependency[]>,
): readonly ServiceSpec[] {
  const nameOf = new Map(chosen.map(([key], at) => [key, services[at]?.name ?? key]));
  const completing = new Set(
    [...found.values()]
      .flat()
      .flatMap(({ service, condition }) => (condition === "service_completed_successfully" ? [service] : [])),
  );
  return services.map((spec, at): ServiceSpec => {
    const [key, map] = chosen[at] ?? ["", undefined];
    const list = (found.get(key) ?? []).filter(({ service }) => nameOf.has(service));
    const dependsOn = list.map((one): Dependency => ({ ...one, service: nameOf.get(one.service) ?? one.service }));
    const saysNothing = get(map, "restart") === undefined && restartPolicyOf(map) === undefined;
    const { template } = spec;
    const ends = completing.has(key) && saysNothing && spec.job === undefined;
    return {
      ...spec,
      ...(dependsOn.length === 0 ? {} : { dependsOn }),
      ...(ends ? { template: { ...template, restart: { ...template.restart, condition: "on-failure" } } } : {}),
    };
  });
}

function readDependsOn(
  reader: Reader,
  service: MapNode,
  path: string,
  active: ReadonlySet<string>,
  all: ReadonlySet<string>,
): readonly Dependency[] {
  const node = written(get(service, "depends_on"));
  if (node === undefined) return [];
  const wanted =
    node.kind === "map"
      ? [...node.entries].map(([name, entry]) => readEntry(reader, name, entry.keyAt, entry.node, `${path}.${name}`))
      : reader.list(node, path).flatMap((item) => {
          const name = reader.text(item, path);
          return name === undefined ? [] : [{ at: item.at, dependency: { ...STARTED, service: name } }];
        });
  for (const { at, dependency } of wanted) {
    const { service: name, required } = dependency;
    if (active.has(name)) continue;
    const why = all.has(name) ? `'${name}' belongs to no chosen profile` : `there is no service '${name}'`;
    const wayOut = all.has(name) ? ": choose one with --profile" : reader.near(name, all);
    if (required) reader.problem(at, path, `${why}${wayOut}`);
    else reader.warning(at, path, `${why}: it is not waited for`);
  }
  return wanted.map(({ dependency }) => dependency);
}

type Wanted = { readonly at: Place; readonly dependency: Dependency };
const STARTED = { condition: "service_started", required: true, restart: false } as const;

function readEntry(reader: Reader, name: string, at: Place, node: ComposeNode, path: string): Wanted {
  const map = reader.section(node, path, "services.*.depends_on.*");
  const dependency: Dependency = {
    service: name,
    condition: reader.word(get(map, "condition"), `${path}.condition`, DEPENDENCY_CONDITIONS) ?? "service_started",
    required: reader.bool(get(map, "required"), `${path}.required`) ?? true,
    restart: reader.bool(get(map, "restart"), `${path}.restart`) ?? false,
  };
  return { at, dependency };
}

function checkLinks(reader: Reader, service: MapNode, path: string, all: ReadonlySet<string>): void {
  const node = get(service, "links");
  for (const link of reader.texts(node, path)) {
    const [name = "", alias] = link.split(":");
    if (node === undefined) return;
    if (!all.has(name)) reader.problem(node.at, path, `there is no service '${name}'${reader.near(name, all)}`);
    if (alias !== undefined && alias !== name)
      reader.problem(
        node.at,
        path,
        `'${link}' gives another name: add ${alias} to the aliases of ${name} under networks:`,
      );
  }
}

function restartPolicyOf(service: MapNode | undefined): ComposeNode | undefined {
  return get(mapAt(service, "deploy"), "restart_policy");
}

/** Whether a way from a service leads back to it. */
function reaches(edges: ReadonlyMap<string, readonly string[]>, start: string): boolean {
  const seen = new Set<string>();
  const open = [...(edges.get(start) ?? [])];
  for (let next = open.pop(); next !== undefined; next = open.pop()) {
    if (next === start) return true;
    if (seen.has(next)) continue;
    seen.add(next);
    open.push(...(edges.get(next) ?? []));
  }
  return false;
}
