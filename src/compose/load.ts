// Compose files to a stack, or to everything that is wrong with them. The files are read through a function, so that all else is pure.

import type { NetworkSpec, StackSpec, VolumeSpec } from "../core/model/service-spec.ts";
import { parseEnvFile } from "./env-file.ts";
import { type Environment, interpolate } from "./interpolate.ts";
import { cleaned, mergeNodes } from "./merge.ts";
import { type ComposeNode, type MapNode, type Problem, sortProblems } from "./node.ts";
import { parseFile } from "./parse.ts";
import { get, Reader } from "./reader.ts";
import { readService } from "./service.ts";
import { TOP_LEVEL_KEYS } from "./verdicts.ts";

/** More services in one file are a slip, or an attack. */
export const MAX_SERVICES = 1_000;

export type LoadInput = {
  /** In the order of -f: later ones win. `path` is used in problems. */
  readonly files: readonly { readonly path: string; readonly text: string }[];
  /** The environment of the command, over the values of .env. */
  readonly environment: Environment;
  /** The stack's name, over the file's own; without either, `fallbackName`. */
  readonly name?: string;
  /** As Compose does: the name of the project's directory. */
  readonly fallbackName: string;
  readonly profiles: readonly string[];
  /** Reads a file that the Compose file names (relative to the project directory); undefined if there is none. */
  readonly readFile: (path: string) => string | undefined;
};

export type Loaded = {
  /** Absent when there are problems. */
  readonly stack?: StackSpec;
  /** The merged file, all variables filled in; absent when it could not be read at all. */
  readonly merged?: MapNode;
  readonly problems: readonly Problem[];
  readonly warnings: readonly Problem[];
};

export function loadStack(input: LoadInput): Loaded {
  const reader = new Reader();
  const merged = mergeFiles(input, reader);
  if (merged === undefined || reader.problems.length > 0) return finish(reader, merged, undefined);
  reader.keys(merged, "", TOP_LEVEL_KEYS);
  const name = readName(reader, input, merged);
  const volumes = readVolumes(reader, merged, name);
  const networks = readNetworks(reader, merged, name);
  const services = chosenServices(reader, input, merged).map(([key, map]) =>
    readService(
      {
        reader,
        stack: name,
        environment: input.environment,
        envFiles: readEnvFiles(reader, input, map, `services.${key}`),
        volumeName: (volume) => volumes.get(volume)?.name,
        networkName: (network) => networks.get(network)?.name,
      },
      key,
      map,
    ),
  );
  checkDependencies(reader, merged);
  const used = new Set(services.flatMap((service) => service.template.networks.map((network) => network.network)));
  const stack = {
    name,
    services,
    volumes: [...volumes.values()],
    networks: [...networks.values()].filter((network) => used.has(network.name) || network.name !== `${name}_default`),
  };
  return finish(reader, merged, stack);
}

function finish(reader: Reader, merged: MapNode | undefined, stack: StackSpec | undefined): Loaded {
  return {
    problems: sortProblems(reader.problems),
    warnings: sortProblems(reader.warnings),
    ...(merged === undefined ? {} : { merged }),
    ...(stack === undefined || reader.problems.length > 0 ? {} : { stack }),
  };
}

function mergeFiles(input: LoadInput, reader: Reader): MapNode | undefined {
  let merged: ComposeNode | undefined;
  for (const { path, text } of input.files) {
    const parsed = parseFile(path, text);
    reader.problems.push(...parsed.problems);
    if (parsed.root === undefined) continue;
    const filled = interpolate(parsed.root, input.environment, reader.problems, reader.warnings);
    merged = merged === undefined ? filled : mergeNodes(merged, filled);
  }
  const root = merged === undefined ? undefined : reader.map(cleaned(merged), "");
  if (root === undefined && reader.problems.length === 0) {
    reader.problem(
      { file: input.files[0]?.path ?? "compose.yaml", line: 1, column: 1 },
      "",
      "the file is empty: it needs services:",
    );
  }
  return root;
}

const STACK_NAME = /^[a-z0-9][a-z0-9_-]{0,62}$/;

function readName(reader: Reader, input: LoadInput, merged: MapNode): string {
  const node = get(merged, "name");
  const written = reader.text(node, "name");
  // a directory's name is made to fit, as Compose does; a name that somebody wrote is not
  const fallback = input.fallbackName
    .toLowerCase()
    .replaceAll(/[^a-z0-9_-]/g, "")
    .replace(/^[_-]+/, "");
  const name = input.name ?? written ?? fallback;
  if (!STACK_NAME.test(name)) {
    reader.problem(
      node?.at ?? merged.at,
      "name",
      `'${name}' is not a stack's name: 1–63 characters of [a-z0-9_-], the first a letter or digit; give one with --name`,
    );
  }
  return name;
}

function chosenServices(reader: Reader, input: LoadInput, merged: MapNode): readonly (readonly [string, MapNode])[] {
  const services = reader.map(get(merged, "services"), "services");
  if (services === undefined || services.entries.size === 0) {
    reader.problem(merged.at, "services", "there are no services");
    return [];
  }
  if (services.entries.size > MAX_SERVICES) {
    reader.problem(services.at, "services", `${services.entries.size} services are more than ${MAX_SERVICES}`);
    return [];
  }
  return [...services.entries].flatMap(([key, { keyAt, node }]) => {
    if (key.startsWith("x-")) return [];
    if (!/^[a-zA-Z0-9][a-zA-Z0-9._-]*$/.test(key))
      return reader.problem(keyAt, `services.${key}`, "a service's name is made of letters, digits and . _ -") ?? [];
    const map = reader.map(node, `services.${key}`);
    if (map === undefined) return reader.problem(keyAt, `services.${key}`, "is empty: it needs an image") ?? [];
    const profiles = reader.texts(get(map, "profiles"), `services.${key}.profiles`);
    return profiles.length === 0 ||
      profiles.some((profile) => input.profiles.includes(profile) || input.profiles.includes("*"))
      ? [[key, map] as const]
      : [];
  });
}

function readEnvFiles(reader: Reader, input: LoadInput, service: MapNode, path: string): Environment {
  const node = get(service, "env_file");
  const items = node === undefined ? [] : node.kind === "list" ? node.items : [node];
  const values: Record<string, string> = {};
  for (const [at, item] of items.entries()) {
    const where = `${path}.env_file[${at}]`;
    const map = item.kind === "map" ? item : undefined;
    if (map !== undefined) reader.only(map, where, ["path", "required", "format"]);
    const file = reader.text(map === undefined ? item : get(map, "path"), where);
    const required = reader.bool(get(map, "required"), `${where}.required`) ?? true;
    const text = file === undefined ? undefined : input.readFile(file);
    if (text === undefined) {
      if (required) reader.problem(item.at, where, `'${file ?? ""}' cannot be read`);
      continue;
    }
    const parsed = parseEnvFile(text, { ...input.environment, ...values });
    for (const { line, message } of parsed.problems)
      reader.problem({ file: file ?? "", line, column: 1 }, where, message);
    Object.assign(values, parsed.values);
  }
  return values;
}

const VOLUME_KEYS = ["driver", "driver_opts", "labels", "external", "name"];

function readVolumes(reader: Reader, merged: MapNode, stack: string): ReadonlyMap<string, VolumeSpec> {
  const volumes = new Map<string, VolumeSpec>();
  for (const [key, { node }] of reader.map(get(merged, "volumes"), "volumes")?.entries ?? []) {
    if (key.startsWith("x-")) continue;
    const path = `volumes.${key}`;
    const map = reader.map(node, path);
    if (map !== undefined) reader.only(map, path, VOLUME_KEYS);
    const external = reader.bool(get(map, "external"), `${path}.external`) ?? false;
    const name = reader.text(get(map, "name"), `${path}.name`) ?? (external ? key : `${stack}_${key}`);
    const text = (of: string): Readonly<Record<string, string>> =>
      Object.fromEntries(
        [...reader.pairs(get(map, of), `${path}.${of}`)].map(([option, value]) => [option, value ?? ""]),
      );
    volumes.set(key, {
      name,
      stack,
      driver: reader.text(get(map, "driver"), `${path}.driver`) ?? "local",
      driverOpts: text("driver_opts"),
      labels: text("labels"),
      external,
    });
  }
  return volumes;
}

const NETWORK_KEYS = [
  "driver",
  "driver_opts",
  "internal",
  "labels",
  "external",
  "name",
  "attachable",
  "ipam",
  "enable_ipv6",
  "enable_ipv4",
];

function readNetworks(reader: Reader, merged: MapNode, stack: string): ReadonlyMap<string, NetworkSpec> {
  const networks = new Map<string, NetworkSpec>([
    ["default", { name: `${stack}_default`, stack, driver: "davit", internal: false, labels: {}, external: false }],
  ]);
  for (const [key, { keyAt, node }] of reader.map(get(merged, "networks"), "networks")?.entries ?? []) {
    if (key.startsWith("x-")) continue;
    const path = `networks.${key}`;
    const map = reader.map(node, path);
    if (map !== undefined) reader.only(map, path, NETWORK_KEYS);
    const external = reader.bool(get(map, "external"), `${path}.external`) ?? false;
    const internal = reader.bool(get(map, "internal"), `${path}.internal`) ?? false;
    if (internal)
      reader.problem(keyAt, `${path}.internal`, "is not supported yet: there is no isolation between networks");
    const labels = Object.fromEntries(
      [...reader.pairs(get(map, "labels"), `${path}.labels`)].map(([label, value]) => [label, value ?? ""]),
    );
    const name = reader.text(get(map, "name"), `${path}.name`) ?? (external ? key : `${stack}_${key}`);
    if (key !== "default")
      reader.warning(keyAt, path, "is kept, but does not isolate yet: every task can reach every other on its node");
    networks.set(key, {
      name,
      stack,
      driver: reader.text(get(map, "driver"), `${path}.driver`) ?? "davit",
      internal,
      labels,
      external,
    });
  }
  return networks;
}

const CONDITIONS = ["service_started", "service_healthy", "service_completed_successfully"] as const;

/** Checked now, so that a file that passes today still does when the order is honoured. */
function checkDependencies(reader: Reader, merged: MapNode): void {
  const services = reader.map(get(merged, "services"), "services")?.entries ?? new Map();
  const edges = new Map<string, readonly string[]>();
  for (const [key, { node }] of services) {
    const path = `services.${key}.depends_on`;
    const dependsOn = node.kind === "map" ? get(node, "depends_on") : undefined;
    if (dependsOn === undefined) continue;
    const names = dependsOn.kind === "map" ? [...dependsOn.entries.keys()] : reader.texts(dependsOn, path);
    reader.warning(dependsOn.at, path, "the order of starting is not honoured yet: all services start at once");
    for (const name of names) {
      if (!services.has(name)) reader.problem(dependsOn.at, path, `there is no service '${name}'`);
      const entry =
        dependsOn.kind === "map" ? reader.map(dependsOn.entries.get(name)?.node, `${path}.${name}`) : undefined;
      if (entry !== undefined) {
        reader.only(entry, `${path}.${name}`, ["condition", "restart", "required"]);
        reader.word(get(entry, "condition"), `${path}.${name}.condition`, CONDITIONS);
      }
    }
    edges.set(key, names);
  }
  for (const [key, { keyAt }] of services) {
    if (reaches(edges, key, key, new Set()))
      reader.problem(keyAt, `services.${key}.depends_on`, "depends on itself, through others or directly");
  }
}

function reaches(edges: ReadonlyMap<string, readonly string[]>, from: string, to: string, seen: Set<string>): boolean {
  for (const next of edges.get(from) ?? []) {
    if (next === to) return true;
    if (seen.has(next)) continue;
    seen.add(next);
    if (reaches(edges, next, to, seen)) return true;
  }
  return false;
}
