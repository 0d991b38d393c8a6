// One service of the merged file to its spec: what has no order in its meaning is sorted, so that a spec's identity does not depend on
// how it was written. Pure but for the files that it names.

import type { NextTick } from "../../core/model/job.ts";
import {
  type ContainerSpec,
  type Mount,
  type PullPolicy,
  type ReachSpec,
  type ServiceSpec,
  type TaskTemplate,
  isJobMode,
} from "../../core/model/service-spec.ts";
import type { UpdatePolicy } from "../../core/model/update-policy.ts";
import type { IngressSpec } from "../../core/model/ingress.ts";
import { readIngress } from "../x-davit/ingress.ts";
import { readScale } from "../x-davit/scale.ts";
import { JOB_RESTART, jobKeys, readJob } from "../x-davit/job.ts";
import { readOnLeaseLost, readReplaceAfter } from "../x-davit/on-lease-lost.ts";
import { readWishes } from "../x-davit/placement.ts";
import { readBalance } from "../x-davit/balance.ts";
import { readDrain } from "../x-davit/drain.ts";
import { readPolicy } from "../x-davit/policy.ts";
import { readSettle } from "../x-davit/settle.ts";
import { readUpdateExtension } from "../x-davit/update.ts";
import type { ReadFile } from "../tree/disk.ts";
import type { Environment } from "../tree/interpolate.ts";
import { type ComposeNode, get, type MapNode, written } from "../tree/node.ts";
import type { Configs } from "./configs.ts";
import { readMode, readPlacement, readResources, readRestart, readUpdate } from "./deploy.ts";
import { readEnvFiles, readLabelFiles } from "./env-files.ts";
import { readHealth } from "./health.ts";
import { readHooks } from "./hooks.ts";
import { readMounts, readTmpfs } from "./mounts.ts";
import { readAttachments, readNetworkMode } from "./networks.ts";
import { readPorts } from "./ports.ts";
import type { Reader } from "./reader.ts";
import { readRuntime } from "./runtime.ts";
import { isImageName, parsePortRange } from "./values.ts";
import { readWords } from "./words.ts";

const DEFAULT_STOP_GRACE_MS = 10_000;
const PATTERN = "services.*";

export type ServiceContext = {
  readonly reader: Reader;
  readonly stack: string;
  /** For environment entries without a value. */
  readonly environment: Environment;
  readonly read: ReadFile;
  /** The project's directory, absolute. */
  readonly directory: string;
  readonly configs: Configs;
  readonly envChars: { left: number };
  readonly nextTick: NextTick;
  /** Full name of a declared volume or network; undefined if it is not declared. */
  readonly volumeName: (key: string) => string | undefined;
  readonly networkName: (key: string) => string | undefined;
  /** All that are declared, for names that are near. */
  readonly volumeKeys: () => Iterable<string>;
  readonly networkKeys: () => Iterable<string>;
  /** Full name of a service of the file; another name stands for itself. */
  readonly serviceName: (key: string) => string;
};

export function readService(context: ServiceContext, name: string, map: MapNode): ServiceSpec {
  const { reader, stack } = context;
  const path = `services.${name}`;
  reader.keys(map, path, PATTERN);
  const deploy = reader.section(get(map, "deploy"), `${path}.deploy`, `${PATTERN}.deploy`);
  const extension = reader.section(get(map, "x-davit"), `${path}.x-davit`, `${PATTERN}.x-davit`);
  const jobs = jobKeys(reader, extension, path);
  const mode = readMode(reader, map, deploy, jobs, path);
  const fullName = `${stack}_${name}`;
  const template = readTemplate(context, { map, deploy, extension, path, fullName, isJob: isJobMode(mode) });
  const known = exposedPorts(reader, map, path, template);
  const ingress = readIngress(reader, get(extension, "ingress"), `${path}.x-davit.ingress`, known);
  const ports = calledPorts(known, template, ingress ?? []);
  const scale = readScale(reader, get(extension, "scale"), `${path}.x-davit.scale`, { mode, ports });
  return {
    name: fullName,
    stack,
    labels: reader.textMap(get(deploy, "labels"), `${path}.deploy.labels`),
    mode,
    ...(isJobMode(mode) ? { job: readJob(context, jobs, path) } : {}),
    template,
    ...readReach(context, deploy, extension, path),
    update: readUpdatePolicy(reader, deploy, extension, "update", path),
    rollback: readUpdatePolicy(reader, deploy, extension, "rollback", path),
    ...(ingress === undefined ? {} : { ingress }),
    ...readReplaceAfter(reader, get(extension, "replace_after"), `${path}.x-davit.replace_after`),
    ...(scale === undefined ? {} : { scale }),
  };
}

/** TCP ports that callers are known to use, ascending. */
function calledPorts(
  known: readonly number[],
  { ports }: TaskTemplate,
  ingress: readonly IngressSpec[],
): readonly number[] {
  const published = ports.filter(({ protocol }) => protocol === "tcp").map(({ target }) => target);
  return [...new Set([...known, ...published, ...ingress.map(({ port }) => port)])].toSorted((a, b) => a - b);
}

/** How it is reached; nothing if that is as usual. */
function readReach(
  { reader, serviceName }: ServiceContext,
  deploy: MapNode | undefined,
  extension: MapNode | undefined,
  path: string,
): { readonly reach?: ReachSpec } {
  const mode = reader.word(get(deploy, "endpoint_mode"), `${path}.deploy.endpoint_mode`, ["vip", "dnsrr"]);
  const reach: ReachSpec = {
    ...(mode === "dnsrr" ? { endpointMode: mode } : {}),
    ...readBalance(reader, get(extension, "balance"), `${path}.x-davit.balance`),
    ...readDrain(reader, get(extension, "drain"), `${path}.x-davit.drain`),
    ...readPolicy(reader, get(extension, "policy"), `${path}.x-davit.policy`, serviceName),
  };
  return Object.keys(reach).length === 0 ? {} : { reach };
}

function readUpdatePolicy(
  reader: Reader,
  deploy: MapNode | undefined,
  extension: MapNode | undefined,
  key: "update" | "rollback",
  path: string,
): UpdatePolicy {
  return readUpdateExtension(reader, readUpdate(reader, deploy, `${key}_config`, path), extension, deploy, key, path);
}

type ServiceParts = {
  readonly map: MapNode;
  readonly deploy: MapNode | undefined;
  readonly extension: MapNode | undefined;
  readonly path: string;
  readonly fullName: string;
  readonly isJob: boolean;
};

function readTemplate(context: ServiceContext, parts: ServiceParts): TaskTemplate {
  const { reader } = context;
  const { map, deploy, extension, path, fullName, isJob } = parts;
  const container = readContainer(context, map, path);
  const health = readHealth(reader, get(map, "healthcheck"), get(extension, "health"), path);
  if (container.networkMode === "none" && (health.probe.kind === "http" || health.probe.kind === "tcp"))
    reader.problem(
      map.at,
      `${path}.x-davit.health`,
      "does not go with network_mode: none: nothing reaches the container",
    );
  return {
    container,
    resources: readResources(reader, map, deploy, path),
    placement: {
      ...readPlacement(reader, map, deploy, path),
      ...readWishes(reader, extension, `${path}.x-davit`, fullName, context.serviceName),
    },
    restart: readRestart(reader, map, deploy, path, isJob ? JOB_RESTART : undefined),
    health,
    ports: readPorts(reader, get(map, "ports"), `${path}.ports`).toSorted(
      (a, b) =>
        a.target - b.target || a.published.from - b.published.from || (JSON.stringify(a) < JSON.stringify(b) ? -1 : 1),
    ),
    networks:
      container.networkMode === undefined
        ? readAttachments(reader, get(map, "networks"), `${path}.networks`, context.networkName, context.networkKeys)
        : [],
    settleMs: readSettle(reader, get(extension, "settle"), `${path}.x-davit.settle`),
    ...readOnLeaseLost(reader, extension, `${path}.x-davit`),
  };
}

type Read<Value> = (reader: Reader, node: ComposeNode, path: string) => Value | undefined;
type Field = {
  readonly [Name in keyof ContainerSpec]-?: readonly [Name, Read<ContainerSpec[Name]>];
}[keyof ContainerSpec];

/** An empty text is what a variable that is not set leaves: the image's own value stands. */
const readText: Read<string> = (reader, node, path) => reader.text(node, path) || undefined;
const readBool: Read<boolean> = (reader, node, path) => reader.bool(node, path);
/** What is off unless it is on: saying so means nothing else than saying nothing. */
const readSwitch: Read<boolean> = (reader, node, path) => reader.bool(node, path) === true || undefined;

/** Keys that are one field of the container each. */
const FIELDS: Readonly<Record<string, Field>> = {
  command: ["command", readWords],
  domainname: ["domainname", readText],
  entrypoint: ["entrypoint", readWords],
  group_add: ["groups", (reader, node, path) => reader.texts(node, path).toSorted()],
  hostname: ["hostname", readText],
  init: ["init", readBool],
  logging: ["logging", readLogging],
  read_only: ["readOnly", readSwitch],
  stdin_open: ["openStdin", readSwitch],
  stop_signal: ["stopSignal", readText],
  tty: ["tty", readSwitch],
  user: ["user", readText],
  working_dir: ["workingDir", readText],
};

function readContainer(context: ServiceContext, map: MapNode, path: string): ContainerSpec {
  const { reader, environment } = context;
  const at = (key: string): readonly [ComposeNode | undefined, string] => [get(map, key), `${path}.${key}`];
  checkExpose(reader, ...at("expose"));
  const networkMode = readNetworkMode(reader, map, path);
  const postStart = readHooks(reader, ...at("post_start"), "post_start", environment);
  const preStop = readHooks(reader, ...at("pre_stop"), "pre_stop", environment);
  return {
    image: readImage(reader, map, path),
    pullPolicy: readPullPolicy(reader, ...at("pull_policy")),
    env: readEnvironment(context, map, path),
    labels: { ...readLabelFiles(context, ...at("label_file")), ...reader.textMap(...at("labels")) },
    mounts: readAllMounts(context, map, path),
    stopGraceMs: reader.duration(...at("stop_grace_period")) ?? DEFAULT_STOP_GRACE_MS,
    runtime: readRuntime(reader, map, path),
    ...readFields(reader, map, path),
    ...(networkMode === undefined ? {} : { networkMode }),
    ...(postStart === undefined ? {} : { postStart }),
    ...(preStop === undefined ? {} : { preStop }),
  };
}

function readFields(reader: Reader, map: MapNode, path: string): Partial<ContainerSpec> {
  const fields: Record<string, unknown> = {};
  for (const [key, { node }] of map.entries) {
    const field = Object.hasOwn(FIELDS, key) ? FIELDS[key] : undefined;
    if (field === undefined || written(node) === undefined) continue;
    const value = field[1](reader, node, `${path}.${key}`);
    if (value !== undefined) fields[field[0]] = value;
  }
  return fields;
}

function readImage(reader: Reader, map: MapNode, path: string): string {
  const node = get(map, "image");
  const image = reader.text(node, `${path}.image`);
  if (image === undefined && written(get(map, "build")) === undefined) reader.problem(map.at, path, "lacks image");
  if (image !== undefined && !isImageName(image))
    reader.problem(
      node?.at ?? map.at,
      `${path}.image`,
      `'${image}' is not the name of an image, such as registry.example.org/team/app:1.2${image === image.toLowerCase() ? "" : ": only the tag may have capitals"}`,
    );
  return image ?? "";
}

/** By target: two mounts there cannot both be. */
function readAllMounts(context: ServiceContext, map: MapNode, path: string): readonly Mount[] {
  const { reader, configs } = context;
  const mounts = [
    ...laterOnes(reader, map, "volumes", path, readMounts(context, get(map, "volumes"), `${path}.volumes`)),
    ...laterOnes(reader, map, "tmpfs", path, readTmpfs(reader, get(map, "tmpfs"), `${path}.tmpfs`)),
    ...configs.readMounts(get(map, "configs"), `${path}.configs`),
  ];
  const targets = new Set<string>();
  for (const { target } of mounts) {
    if (targets.has(target)) reader.problem(map.at, path, `mounts two things at ${target}`);
    targets.add(target);
  }
  return mounts.sort((a, b) => (a.target < b.target ? -1 : 1));
}

/** Of two in one list the later one stands, as it does when files are merged. */
function laterOnes<Kind extends Mount>(
  reader: Reader,
  map: MapNode,
  key: string,
  path: string,
  mounts: readonly Kind[],
): readonly Kind[] {
  const byTarget = new Map(mounts.map((mount) => [mount.target, mount]));
  for (const mount of mounts)
    if (byTarget.get(mount.target) !== mount)
      reader.warning(
        map.entries.get(key)?.keyAt ?? map.at,
        `${path}.${key}`,
        `mounts two things at ${mount.target}: the later one stands`,
      );
  return [...byTarget.values()];
}

function readPullPolicy(reader: Reader, node: ComposeNode | undefined, path: string): PullPolicy {
  const text = reader.text(node, path);
  if (node !== undefined && text !== undefined && /^(daily|weekly|every_.+)$/.test(text)) {
    reader.problem(node.at, path, `'${text}' is not supported yet: use always or missing`);
    return "missing";
  }
  const word = reader.word(node, path, ["missing", "if_not_present", "always", "never", "build"]);
  if (word === "build" && node !== undefined)
    reader.problem(
      node.at,
      path,
      "build is not supported: nodes do not build; davit deploy --build builds here and pushes",
    );
  return word === "always" || word === "never" ? word : "missing";
}

/** Environment files first, then `environment`; a name without a value takes it from where the command runs, if it has one there. */
function readEnvironment(context: ServiceContext, map: MapNode, path: string): Readonly<Record<string, string>> {
  const env: Record<string, string> = { ...readEnvFiles(context, get(map, "env_file"), `${path}.env_file`) };
  for (const [name, value] of context.reader.pairs(get(map, "environment"), `${path}.environment`)) {
    const given = value ?? context.environment[name];
    if (given === undefined) delete env[name];
    else env[name] = given;
  }
  return env;
}

function readLogging(
  reader: Reader,
  node: ComposeNode | undefined,
  path: string,
): ContainerSpec["logging"] | undefined {
  const map = reader.section(node, path, `${PATTERN}.logging`);
  if (map === undefined) return undefined;
  const options = reader.textMap(get(map, "options"), `${path}.options`);
  return { driver: reader.text(get(map, "driver"), `${path}.driver`) ?? "json-file", options };
}

/** The TCP ports that its containers are said to have: with `expose`, those and the published ones are all of them. */
function exposedPorts(reader: Reader, map: MapNode, path: string, { ports }: TaskTemplate): readonly number[] {
  const ranges = reader
    .texts(get(map, "expose"), `${path}.expose`)
    .filter((text) => !text.endsWith("/udp"))
    .flatMap((text) => parsePortRange(text.replace(/\/tcp$/, "")) ?? []);
  if (ranges.length === 0) return [];
  const exposed = ranges.flatMap(({ from, to }) => Array.from({ length: to - from + 1 }, (_, at) => from + at));
  return [...exposed, ...ports.filter(({ protocol }) => protocol === "tcp").map(({ target }) => target)];
}

function checkExpose(reader: Reader, node: ComposeNode | undefined, path: string): void {
  for (const text of reader.texts(node, path))
    if (parsePortRange(text.replace(/\/(tcp|udp)$/, "")) === undefined && node !== undefined)
      reader.problem(node.at, path, `'${text}' is not a port or a range of them`);
}
