// depends_on, links and what else names other services: checked now, so that a file that passes today still does when the order of
// starting is honoured. Pure.

import { type ComposeNode, get, type MapNode, type Place, written } from "../tree/node.ts";
import type { Reader } from "./reader.ts";

const CONDITIONS = ["service_started", "service_healthy", "service_completed_successfully"] as const;

/** `active`: the services that the chosen profiles leave; `all`: every one in the file. */
export function checkDependencies(
  reader: Reader,
  active: readonly (readonly [string, MapNode])[],
  all: ReadonlySet<string>,
): void {
  const names = new Set(active.map(([key]) => key));
  const edges = new Map<string, readonly string[]>();
  for (const [key, service] of active) {
    edges.set(key, readDependsOn(reader, service, `services.${key}.depends_on`, names, all));
    checkLinks(reader, service, `services.${key}.links`, all);
  }
  for (const [key, service] of active)
    if (reaches(edges, key)) {
      const at = service.entries.get("depends_on")?.keyAt ?? service.at;
      reader.problem(at, `services.${key}.depends_on`, "comes back to the service itself, over others or directly");
    }
}

function readDependsOn(
  reader: Reader,
  service: MapNode,
  path: string,
  active: ReadonlySet<string>,
  all: ReadonlySet<string>,
): readonly string[] {
  const node = written(get(service, "depends_on"));
  if (node === undefined) return [];
  reader.warning(node.at, path, "the order of starting is not honoured yet: all services start at once");
  const wanted =
    node.kind === "map"
      ? [...node.entries].map(([name, entry]) => readEntry(reader, name, entry.keyAt, entry.node, `${path}.${name}`))
      : reader.list(node, path).flatMap((item) => {
          const name = reader.text(item, path);
          return name === undefined ? [] : [{ name, at: item.at, isRequired: true }];
        });
  for (const { name, at, isRequired } of wanted) {
    if (active.has(name)) continue;
    const why = all.has(name) ? `'${name}' belongs to no chosen profile` : `there is no service '${name}'`;
    if (isRequired) reader.problem(at, path, all.has(name) ? `${why}: choose one with --profile` : why);
    else reader.warning(at, path, `${why}: it is not waited for`);
  }
  return wanted.map(({ name }) => name);
}

type Wanted = { readonly name: string; readonly at: Place; readonly isRequired: boolean };

function readEntry(reader: Reader, name: string, at: Place, node: ComposeNode, path: string): Wanted {
  const map = reader.section(node, path, "services.*.depends_on.*");
  reader.word(get(map, "condition"), `${path}.condition`, CONDITIONS);
  reader.bool(get(map, "restart"), `${path}.restart`);
  return { name, at, isRequired: reader.bool(get(map, "required"), `${path}.required`) ?? true };
}

function checkLinks(reader: Reader, service: MapNode, path: string, all: ReadonlySet<string>): void {
  const node = get(service, "links");
  for (const link of reader.texts(node, path)) {
    const [name = "", alias] = link.split(":");
    if (node === undefined) return;
    if (!all.has(name)) reader.problem(node.at, path, `there is no service '${name}'`);
    if (alias !== undefined && alias !== name)
      reader.problem(
        node.at,
        path,
        `'${link}' gives another name: add ${alias} to the aliases of ${name} under networks:`,
      );
  }
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
