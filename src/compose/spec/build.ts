// build: of a service to what the user's own engine is asked to build. davit's nodes never build: they pull what was pushed. Pure.

import { type ComposeNode, get, type MapNode, textNode, written } from "../tree/node.ts";
import { absolutePath, isRemote } from "../tree/paths.ts";
import type { Environment } from "../tree/interpolate.ts";
import type { Reader } from "./reader.ts";

/** One image to build and push. */
export type BuildSpec = {
  /** The service's name in the file. */
  readonly service: string;
  readonly image: string;
  /** Absolute path, or the address of a git repository. */
  readonly context: string;
  /** Below the context unless absolute. */
  readonly dockerfile?: string;
  readonly dockerfileInline?: string;
  readonly args: Readonly<Record<string, string>>;
  readonly labels: Readonly<Record<string, string>>;
  readonly extraHosts: readonly string[];
  readonly cacheFrom: readonly string[];
  /** More names for the image. */
  readonly tags: readonly string[];
  readonly target?: string;
  readonly network?: string;
  readonly platform?: string;
  readonly shmSizeBytes?: number;
  readonly noCache: boolean;
  readonly pull: boolean;
};

const PATTERN = "services.*.build";

export type BuildContext = {
  readonly reader: Reader;
  readonly directory: string;
  readonly environment: Environment;
};

/** What a service builds; undefined if nothing, or if something is wrong with it. */
export function readBuild(context: BuildContext, name: string, service: MapNode): BuildSpec | undefined {
  const { reader } = context;
  const path = `services.${name}.build`;
  const node = written(get(service, "build"));
  if (node === undefined) return undefined;
  const image = reader.text(get(service, "image"), `services.${name}.image`);
  if (image === undefined)
    return reader.problem(
      node.at,
      path,
      "needs image: beside it, a name in a registry that the nodes can pull from: davit deploy --build builds and pushes it",
    );
  const map = node.kind === "scalar" ? asMap(node) : reader.section(node, path, PATTERN);
  if (map === undefined) return undefined;
  return {
    service: name,
    image,
    context: readContext(context, map, path, node),
    args: readArgs(context, get(map, "args"), `${path}.args`),
    labels: reader.textMap(get(map, "labels"), `${path}.labels`),
    extraHosts: [...reader.pairs(get(map, "extra_hosts"), `${path}.extra_hosts`)].map(
      ([host, at]) => `${host}:${at ?? ""}`,
    ),
    cacheFrom: reader.texts(get(map, "cache_from"), `${path}.cache_from`),
    tags: reader.texts(get(map, "tags"), `${path}.tags`),
    noCache: reader.bool(get(map, "no_cache"), `${path}.no_cache`) ?? false,
    pull: reader.bool(get(map, "pull"), `${path}.pull`) ?? false,
    ...readOptional(reader, map, path),
  };
}

function asMap(node: ComposeNode): MapNode {
  return { kind: "map", at: node.at, entries: new Map([["context", { keyAt: node.at, node }]]) };
}

function readContext(
  { reader, directory, environment }: BuildContext,
  map: MapNode,
  path: string,
  at: ComposeNode,
): string {
  const context = reader.text(get(map, "context") ?? textNode(".", at.at), `${path}.context`) ?? ".";
  return isRemote(context) ? context : absolutePath(context, directory, environment["HOME"]);
}

/** A name without a value takes it from where the command runs. */
function readArgs(
  { reader, environment }: BuildContext,
  node: ComposeNode | undefined,
  path: string,
): Readonly<Record<string, string>> {
  const args: Record<string, string> = {};
  for (const [name, value] of reader.pairs(node, path)) {
    const given = value ?? environment[name];
    if (given !== undefined) args[name] = given;
  }
  return args;
}

type Optional = Pick<BuildSpec, "dockerfile" | "dockerfileInline" | "target" | "network" | "platform" | "shmSizeBytes">;

function readOptional(reader: Reader, map: MapNode, path: string): Optional {
  const text = (key: string): string | undefined => reader.text(get(map, key), `${path}.${key}`);
  const platforms = reader.texts(get(map, "platforms"), `${path}.platforms`);
  if (platforms.length > 1)
    reader.problem(
      map.at,
      `${path}.platforms`,
      "names several: build and push an image for all of them with docker buildx",
    );
  if (text("dockerfile") !== undefined && text("dockerfile_inline") !== undefined)
    reader.problem(map.at, path, "wants either dockerfile or dockerfile_inline");
  const found: { readonly [Key in keyof Optional]: Optional[Key] | undefined } = {
    dockerfile: text("dockerfile"),
    dockerfileInline: text("dockerfile_inline"),
    target: text("target"),
    network: text("network"),
    platform: platforms[0],
    shmSizeBytes: reader.bytes(get(map, "shm_size"), `${path}.shm_size`),
  };
  return Object.fromEntries(Object.entries(found).filter(([, value]) => value !== undefined));
}
