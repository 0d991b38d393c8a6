// One service of a merged file to its spec. Pure but for the environment files that were read before.

import type {
  ContainerSpec,
  NetworkAttachment,
  PullPolicy,
  ServiceSpec,
  TaskTemplate,
} from "../core/model/service-spec.ts";
import { readMode, readPlacement, readResources, readRestart, readUpdate } from "./deploy.ts";
import { readHealth } from "./health.ts";
import type { Environment } from "./interpolate.ts";
import { readMounts, readTmpfs } from "./mounts.ts";
import type { ComposeNode, MapNode } from "./node.ts";
import { readPorts } from "./ports.ts";
import { get, type Reader } from "./reader.ts";
import { readRuntime } from "./runtime.ts";
import { splitWords } from "./values.ts";
import { DEPLOY_KEYS, SERVICE_KEYS } from "./verdicts.ts";
import { X_DAVIT_KEYS } from "./x-davit/keys.ts";
import { readOnLeaseLost } from "./x-davit/on-lease-lost.ts";
import { readSettle } from "./x-davit/settle.ts";

const DEFAULT_STOP_GRACE_MS = 10_000;

export type ServiceContext = {
  readonly reader: Reader;
  readonly stack: string;
  /** For environment entries without a value. */
  readonly environment: Environment;
  /** Values of the service's env_file entries, the later ones winning. */
  readonly envFiles: Environment;
  /** Full name of a declared volume or network; undefined if it is not declared. */
  readonly volumeName: (key: string) => string | undefined;
  readonly networkName: (key: string) => string | undefined;
};

export function readService(context: ServiceContext, name: string, map: MapNode): ServiceSpec {
  const { reader, stack } = context;
  const path = `services.${name}`;
  reader.keys(map, path, SERVICE_KEYS);
  const deploy = reader.map(get(map, "deploy"), `${path}.deploy`);
  if (deploy !== undefined) reader.keys(deploy, `${path}.deploy`, DEPLOY_KEYS);
  const labels = Object.fromEntries(
    [...reader.pairs(get(deploy, "labels"), `${path}.deploy.labels`)].map(([key, value]) => [key, value ?? ""]),
  );
  return {
    name: `${stack}_${name}`,
    stack,
    labels,
    mode: readMode(reader, map, deploy, path),
    template: readTemplate(context, map, deploy, path),
    update: readUpdate(reader, deploy, "update_config", path),
    rollback: readUpdate(reader, deploy, "rollback_config", path),
  };
}

function readTemplate(context: ServiceContext, map: MapNode, deploy: MapNode | undefined, path: string): TaskTemplate {
  const { reader } = context;
  const extension = reader.map(get(map, "x-davit"), `${path}.x-davit`);
  if (extension !== undefined) reader.keys(extension, `${path}.x-davit`, X_DAVIT_KEYS);
  return {
    container: readContainer(context, map, path),
    resources: readResources(reader, map, deploy, path),
    placement: readPlacement(reader, map, deploy, path),
    restart: readRestart(reader, map, deploy, path),
    health: readHealth(reader, get(map, "healthcheck"), get(extension, "health"), path),
    ports: readPorts(reader, get(map, "ports"), `${path}.ports`),
    networks: readNetworks(context, get(map, "networks"), `${path}.networks`),
    settleMs: readSettle(reader, get(extension, "settle"), `${path}.x-davit.settle`),
    onLeaseLost: readOnLeaseLost(reader, get(extension, "on_lease_lost"), `${path}.x-davit.on_lease_lost`),
  };
}

function readContainer(context: ServiceContext, map: MapNode, path: string): ContainerSpec {
  const { reader } = context;
  const text = (key: string): string | undefined => reader.text(get(map, key), `${path}.${key}`);
  const bool = (key: string): boolean | undefined => reader.bool(get(map, key), `${path}.${key}`);
  const image = text("image");
  if (image === undefined && get(map, "build") === undefined) reader.problem(map.at, path, "lacks image");
  if (image !== undefined && (/\s/.test(image) || image === ""))
    reader.problem(get(map, "image")?.at ?? map.at, `${path}.image`, `'${image}' is not the name of an image`);
  const optional = {
    entrypoint: readWords(reader, get(map, "entrypoint"), `${path}.entrypoint`),
    command: readWords(reader, get(map, "command"), `${path}.command`),
    stopSignal: text("stop_signal"),
    workingDir: text("working_dir"),
    user: text("user"),
    groups: get(map, "group_add") === undefined ? undefined : reader.texts(get(map, "group_add"), `${path}.group_add`),
    hostname: text("hostname"),
    domainname: text("domainname"),
    init: bool("init"),
    tty: bool("tty"),
    openStdin: bool("stdin_open"),
    readOnly: bool("read_only"),
    logging: readLogging(reader, get(map, "logging"), `${path}.logging`),
  };
  return {
    image: image ?? "",
    pullPolicy: readPullPolicy(reader, get(map, "pull_policy"), `${path}.pull_policy`),
    env: readEnvironment(context, get(map, "environment"), `${path}.environment`),
    labels: Object.fromEntries(
      [...reader.pairs(get(map, "labels"), `${path}.labels`)].map(([key, value]) => [key, value ?? ""]),
    ),
    mounts: [
      ...readMounts(reader, get(map, "volumes"), `${path}.volumes`, context.volumeName),
      ...readTmpfs(reader, get(map, "tmpfs"), `${path}.tmpfs`),
    ],
    stopGraceMs: reader.duration(get(map, "stop_grace_period"), `${path}.stop_grace_period`) ?? DEFAULT_STOP_GRACE_MS,
    runtime: readRuntime(reader, map, path),
    ...(Object.fromEntries(
      Object.entries(optional).filter(([, value]) => value !== undefined),
    ) as Partial<ContainerSpec>),
  };
}

function readWords(reader: Reader, node: ComposeNode | undefined, path: string): readonly string[] | undefined {
  if (node === undefined || (node.kind === "scalar" && node.value === null)) return undefined;
  if (node.kind !== "scalar") return reader.texts(node, path);
  return splitWords(node.text) ?? reader.problem(node.at, path, "a quote does not end");
}

function readPullPolicy(reader: Reader, node: ComposeNode | undefined, path: string): PullPolicy {
  const word = reader.word(node, path, ["missing", "if_not_present", "always", "never", "build"]);
  if (word === "build" && node !== undefined)
    reader.problem(node.at, path, "build is not supported: build and push the image first");
  return word === "always" || word === "never" ? word : "missing";
}

/** Environment files first, then `environment`; a name without a value takes it from where the command runs, if it has one there. */
function readEnvironment(
  context: ServiceContext,
  node: ComposeNode | undefined,
  path: string,
): Readonly<Record<string, string>> {
  const env: Record<string, string> = { ...context.envFiles };
  for (const [name, value] of context.reader.pairs(node, path)) {
    const given = value ?? context.environment[name];
    if (given !== undefined) env[name] = given;
  }
  return env;
}

function readLogging(
  reader: Reader,
  node: ComposeNode | undefined,
  path: string,
): ContainerSpec["logging"] | undefined {
  const map = reader.map(node, path);
  if (map === undefined) return undefined;
  reader.only(map, path, ["driver", "options"]);
  const options = Object.fromEntries(
    [...reader.pairs(get(map, "options"), `${path}.options`)].map(([key, value]) => [key, value ?? ""]),
  );
  return { driver: reader.text(get(map, "driver"), `${path}.driver`) ?? "json-file", options };
}

function readNetworks(
  context: ServiceContext,
  node: ComposeNode | undefined,
  path: string,
): readonly NetworkAttachment[] {
  const { reader, networkName } = context;
  const names = node?.kind === "map" ? [...node.entries.keys()] : reader.texts(node, path);
  const wanted = node === undefined ? ["default"] : names;
  return wanted.flatMap((key) => {
    const network = networkName(key);
    if (network === undefined)
      return (
        reader.problem(
          node?.at ?? { file: "", line: 1, column: 1 },
          path,
          `network '${key}' is not declared under networks: at the top level`,
        ) ?? []
      );
    const map = node?.kind === "map" ? reader.map(node.entries.get(key)?.node, `${path}.${key}`) : undefined;
    if (map !== undefined) reader.only(map, `${path}.${key}`, ["aliases", "priority"]);
    return [{ network, aliases: reader.texts(get(map, "aliases"), `${path}.${key}.aliases`) }];
  });
}
