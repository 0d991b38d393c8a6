// Services that extend others, of the same file or of another one: the base first, the service's own keys over it. Pure: files come
// through the scope.

import { nearest } from "../../core/model/nearest.ts";
import { mergeNodes } from "./merge.ts";
import { type ComposeNode, get, type MapNode, type Place, type Problem, withoutEntry, written } from "./node.ts";
import { absolutePath, isRemote, rebaseService } from "./paths.ts";

/** Longer chains are a slip. */
const MAX_CHAIN = 50;

/** One file in which services are looked up. */
export type ExtendScope = {
  /** Tells scopes apart in chains. */
  readonly id: string;
  readonly services: MapNode | undefined;
  /** Services of files that were merged before this one. */
  readonly earlier: MapNode | undefined;
  /** What its relative paths begin at. */
  readonly directory: string;
  readonly home: string | undefined;
  /** Another file as a scope; undefined if it cannot be read, which is then said with place and path. */
  readonly open: (path: string, at: Place, where: string) => ExtendScope | undefined;
  readonly complain: (problem: Problem) => void;
  /** Services whose bases were merged already. */
  readonly done: Map<string, MapNode>;
};

/** The services of a file with every `extends` carried out. */
export function extendServices(scope: ExtendScope): MapNode | undefined {
  const { services } = scope;
  if (services === undefined) return undefined;
  const extending = [...services.entries].filter(([, { node }]) => node.kind === "map" && node.entries.has("extends"));
  if (extending.length === 0) return services;
  const entries = new Map(services.entries);
  for (const [name, entry] of extending)
    if (entry.node.kind === "map") entries.set(name, { ...entry, node: extended(scope, name, entry.node, []) });
  return { ...services, entries };
}

function extended(scope: ExtendScope, name: string, service: MapNode, chain: readonly string[]): MapNode {
  const known = scope.done.get(name);
  if (known !== undefined) return known;
  const node = written(get(service, "extends"));
  const own = withoutEntry(service, "extends");
  const base = node === undefined ? undefined : baseOf(scope, name, node, [...chain, `${scope.id}#${name}`]);
  const merged = base === undefined ? own : mergeNodes(base, own, "services.*");
  const result = merged.kind === "map" ? merged : own;
  scope.done.set(name, result);
  return result;
}

function baseOf(
  scope: ExtendScope,
  name: string,
  node: ComposeNode,
  chain: readonly string[],
): ComposeNode | undefined {
  const complain = (message: string): undefined =>
    scope.complain({ at: node.at, path: `services.${name}.extends`, message }) as undefined;
  const target = targetOf(node);
  if (target === undefined) return complain("wants the name of a service, or service: with file: beside it");
  if (target.file !== undefined && isRemote(target.file))
    return complain(`'${target.file}' is remote: download it and name the file`);
  const from =
    target.file === undefined
      ? scope
      : scope.open(absolutePath(target.file, scope.directory, scope.home), node.at, `services.${name}.extends`);
  if (from === undefined) return undefined;
  const where = target.file === undefined ? "" : ` in ${target.file}`;
  const found = get(from.services, target.service) ?? get(from.earlier, target.service);
  if (found === undefined) {
    const near = nearest(target.service, [...(from.services?.entries.keys() ?? [])]);
    const hint = near === undefined ? "" : `; did you mean ${near}?`;
    return complain(`there is no service '${target.service}'${where}${hint}`);
  }
  if (found.kind !== "map") return complain(`service '${target.service}'${where} is empty`);
  if (chain.includes(`${from.id}#${target.service}`))
    return complain(`comes back to itself over '${target.service}'${where}: that never ends`);
  if (chain.length > MAX_CHAIN) return complain(`is a chain of more than ${MAX_CHAIN} services`);
  return rebaseService(extended(from, target.service, found, chain), from.directory, scope.directory);
}

function targetOf(node: ComposeNode): { readonly service: string; readonly file: string | undefined } | undefined {
  if (node.kind === "scalar") return { service: node.text, file: undefined };
  if (node.kind !== "map") return undefined;
  const [service, file] = [written(get(node, "service")), written(get(node, "file"))];
  if (service?.kind !== "scalar" || (file !== undefined && file.kind !== "scalar")) return undefined;
  return { service: service.text, file: file?.text };
}
