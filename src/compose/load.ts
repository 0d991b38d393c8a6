// Compose files to a stack, or to everything that is wrong with them. The files are read through a function, so that all else is pure.

import { posix } from "node:path";
import { MAX_SERVICES } from "../core/commands/check-spec.ts";
import type { NextTick } from "../core/model/job.ts";
import type { StackSpec } from "../core/model/service-spec.ts";
import { type BuildSpec, readBuild } from "./spec/build.ts";
import { Configs } from "./spec/configs.ts";
import { readDependencies, withDependencies } from "./spec/dependencies.ts";
import { MAX_ENV_CHARS } from "./spec/env-files.ts";
import { readNetworks } from "./spec/networks.ts";
import { named, Reader } from "./spec/reader.ts";
import { readService } from "./spec/service.ts";
import { readVolumes } from "./spec/volumes.ts";
import { Assembler, type Project, type SourceFile } from "./tree/assemble.ts";
import type { ReadFile } from "./tree/disk.ts";
import { toldProblems, toldWarnings } from "./told.ts";
import { Growth, interpolateText, type Variables, type VariableTrail } from "./tree/interpolate.ts";
import { type ComposeNode, get, type MapNode, type Place, type Problem, written } from "./tree/node.ts";

export type LoadInput = {
  /** In the order of -f: later ones win. */
  readonly files: readonly SourceFile[];
  /** The project's directory, absolute: where relative paths begin. */
  readonly directory: string;
  /** The environment of the command, over the values of .env. */
  readonly variables: Variables;
  /** The stack's name, over the file's own; without either, that of the directory. */
  readonly name?: string;
  readonly profiles: readonly string[];
  readonly read: ReadFile;
  /** Lower-case hex of SHA-256. */
  readonly hash: (bytes: Uint8Array) => string;
  readonly nextTick: NextTick;
};

export type Loaded = {
  /** Absent when there are problems. */
  readonly stack?: StackSpec;
  /** What the services build, if anything; absent when there are problems. */
  readonly builds?: readonly BuildSpec[];
  /** The merged file, all variables filled in; absent when it could not be read at all. */
  readonly merged?: MapNode;
  readonly problems: readonly Problem[];
  readonly warnings: readonly Problem[];
};

/** Never throws for what a file holds. */
export function loadStack(input: LoadInput): Loaded {
  const reader = new Reader();
  const trail: VariableTrail = { unset: new Map(), unfilled: new Set() };
  const assembler = assemblerOf(reader, input, trail);
  const name = readName(reader, input, assembler);
  const project = projectOf(input, name);
  const merged = assembler.assemble(input.files, project);
  if (merged === undefined && reader.problems.length === 0)
    reader.problem(startOf(input), "", "the file is empty: it needs services:");
  if (merged === undefined || reader.problems.some((problem) => !trail.unfilled.has(problem)))
    return finish(reader, trail, merged, undefined);
  if (isFirstVersion(merged)) {
    reader.problem(
      merged.at,
      "",
      "is a file of Compose's first version: write services: above all of it, and indent the rest",
    );
    return finish(reader, trail, merged, undefined);
  }
  const chosen = chosenServices(reader, input, merged);
  const stack = readStack(reader, input, project, merged, name, chosen);
  const context = { reader, directory: input.directory, environment: project.variables.values };
  const builds = chosen.flatMap(([key, map]) => readBuild(context, key, map) ?? []);
  return { ...finish(reader, trail, merged, stack), ...(reader.problems.length > 0 ? {} : { builds }) };
}

function readStack(
  reader: Reader,
  input: LoadInput,
  project: Project,
  merged: MapNode,
  name: string,
  chosen: readonly (readonly [string, MapNode])[],
): StackSpec {
  reader.keys(merged, "", "");
  reader.section(get(merged, "x-davit"), "x-davit", "x-davit");
  const environment = project.variables.values;
  const { read, hash, directory } = input;
  const volumes = readVolumes(reader, merged, name);
  const networks = readNetworks(reader, merged, name);
  const configs = new Configs({ reader, read, hash, directory, environment }, merged);
  for (const [key, { node }] of named(reader.map(get(merged, "secrets"), "secrets")))
    reader.section(node, `secrets.${key}`, "secrets.*");
  const all = new Set(reader.map(get(merged, "services"), "services")?.entries.keys());
  const envChars = { left: MAX_ENV_CHARS };
  const specs = chosen.map(([key, map]) =>
    readService(
      {
        reader,
        stack: name,
        environment,
        read,
        directory,
        configs,
        envChars,
        nextTick: input.nextTick,
        volumeName: (volume) => volumes.get(volume)?.name,
        networkName: (network) => networks.get(network)?.name,
        volumeKeys: () => volumes.keys(),
        networkKeys: () => networks.keys(),
        serviceName: (service) => (all.has(service) ? `${name}_${service}` : service),
      },
      key,
      map,
    ),
  );
  const services = withDependencies(specs, chosen, readDependencies(reader, chosen, all));
  const used = new Set(services.flatMap((service) => service.template.networks.map((network) => network.network)));
  return {
    name,
    services,
    volumes: [...volumes.values()],
    networks: [...networks.values()].filter((network) => used.has(network.name) || network.name !== `${name}_default`),
    ...(configs.used.length === 0 ? {} : { configs: configs.used }),
  };
}

/** The services at the top, as before there were versions. */
function isFirstVersion(merged: MapNode): boolean {
  const entries = named(merged).map(([, { node }]) => node);
  const isService = (node: ComposeNode): boolean =>
    node.kind === "map" && (node.entries.has("image") || node.entries.has("build"));
  return entries.length > 0 && !merged.entries.has("services") && entries.every(isService);
}

function finish(
  reader: Reader,
  trail: VariableTrail,
  merged: MapNode | undefined,
  stack: StackSpec | undefined,
): Loaded {
  return {
    problems: toldProblems(reader.problems, trail),
    warnings: toldWarnings(reader.warnings),
    ...(merged === undefined ? {} : { merged }),
    ...(stack === undefined || reader.problems.length > 0 ? {} : { stack }),
  };
}

/** The project's name is a variable too. */
function projectOf({ directory, variables }: LoadInput, name: string): Project {
  return {
    directory,
    variables: {
      values: { ...variables.values, COMPOSE_PROJECT_NAME: name },
      origins: { ...variables.origins, COMPOSE_PROJECT_NAME: "the stack's name" },
    },
  };
}

function assemblerOf(reader: Reader, { files, directory, read }: LoadInput, trail: VariableTrail): Assembler {
  const shown = posix.dirname(files[0]?.name ?? "");
  const nameOf = (path: string): string => posix.join(shown, posix.relative(directory, path));
  const to = { problems: reader.problems, warnings: reader.warnings, growth: new Growth(), trail };
  return new Assembler(read, nameOf, to);
}

function startOf({ files }: LoadInput): Place {
  return { file: files[0]?.name ?? "compose.yaml", line: 1, column: 1 };
}

const STACK_NAME = /^[a-z0-9][a-z0-9_-]{0,62}$/;

/** --name, COMPOSE_PROJECT_NAME, the last file's `name:`, the directory's name; needed before anything else can be filled in. */
function readName(reader: Reader, input: LoadInput, assembler: Assembler): string {
  const { name: given, files, directory, variables } = input;
  const chosen = given ?? variables.values["COMPOSE_PROJECT_NAME"] ?? "";
  const nodes = files.map((file) => written(get(assembler.parsed(file), "name")));
  const node = chosen === "" ? nodes.findLast((found) => found?.kind === "scalar") : undefined;
  // a directory's name is made to fit, as Compose does; a name that somebody wrote is not
  const fallback = posix
    .basename(directory)
    .toLowerCase()
    .replaceAll(/[^a-z0-9_-]/g, "")
    .replace(/^[_-]+/, "");
  const name = chosen === "" ? (filledName(node, variables) ?? fallback) : chosen;
  if (STACK_NAME.test(name)) return name;
  const from = given !== undefined ? " of --name" : chosen !== "" ? " of COMPOSE_PROJECT_NAME" : "";
  const where =
    node === undefined && chosen === "" ? `, as the directory ${posix.basename(directory)} gives it,` : from;
  reader.problem(
    node?.at ?? startOf(input),
    node === undefined ? "" : "name",
    `'${name}'${where} is not a stack's name: 1–63 characters of [a-z0-9_-], the first a letter or digit; give one with --name`,
  );
  return "stack";
}

/** Undefined when its variables cannot be filled in: that is said with all other problems of the file. */
function filledName(node: ComposeNode | undefined, { values }: Variables): string | undefined {
  if (node?.kind !== "scalar") return undefined;
  try {
    return interpolateText(node.text, values).text;
  } catch {
    return undefined;
  }
}

/** A profile that nothing has is a slip of the command, and what it should have chosen is missing. */
function checkProfiles(reader: Reader, input: LoadInput, services: MapNode): void {
  const known = new Set(
    [...services.entries.values()].flatMap(({ node }) => {
      const profiles = node.kind === "map" ? get(node, "profiles") : undefined;
      const items = profiles?.kind === "list" ? profiles.items : [profiles];
      return items.flatMap((item) => (item?.kind === "scalar" ? item.text : []));
    }),
  );
  for (const profile of input.profiles)
    if (profile !== "*" && !known.has(profile))
      reader.warning(startOf(input), "", `no service has the profile '${profile}'${reader.near(profile, known)}`);
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
  checkProfiles(reader, input, services);
  return named(services).flatMap(([key, { keyAt, node }]) => {
    const path = `services.${key}`;
    if (!/^[a-zA-Z0-9][a-zA-Z0-9._-]*$/.test(key))
      return reader.problem(keyAt, path, "a service's name is made of letters, digits and . _ -") ?? [];
    const map = reader.map(node, path);
    if (map === undefined)
      return written(node) === undefined ? (reader.problem(keyAt, path, "is empty: it needs an image") ?? []) : [];
    const profiles = reader.texts(get(map, "profiles"), `${path}.profiles`);
    const isChosen =
      profiles.length === 0 ||
      profiles.some((profile) => input.profiles.includes(profile)) ||
      input.profiles.includes("*");
    return isChosen ? [[key, map] as const] : [];
  });
}
