// Keys that the engine gets as they are, brought to one form: what has no order in its meaning is sorted, so that a spec's identity does
// not depend on how it was written. Pure.

import type { RuntimeOptions } from "../../core/model/service-spec.ts";
import { type ComposeNode, get, type MapNode, written } from "../tree/node.ts";
import { readBlockIo } from "./block-io.ts";
import { readDeviceRequests } from "./device-requests.ts";
import type { Reader } from "./reader.ts";
import { parseDuration } from "./values.ts";

/** Largest number of microseconds that the engine's fields take without loss. */
const MAX_MICROS = 2 ** 52;

type Read<Value> = (reader: Reader, node: ComposeNode, path: string) => Value | undefined;
type Field = {
  readonly [Name in keyof RuntimeOptions]-?: readonly [Name, Read<RuntimeOptions[Name]>];
}[keyof RuntimeOptions];

/** Which option a key becomes, and how it is read. */
const FIELDS: Readonly<Record<string, Field>> = {
  annotations: ["annotations", mapOf],
  blkio_config: ["blkio", readBlockIo],
  cap_add: ["capAdd", sortedTexts],
  cap_drop: ["capDrop", sortedTexts],
  cgroup: ["cgroupNamespace", (reader, node, path) => reader.word<"host" | "private">(node, path, ["host", "private"])],
  cgroup_parent: ["cgroupParent", textOf],
  cpu_period: ["cpuPeriodUs", readMicros],
  cpu_quota: ["cpuQuotaUs", readMicros],
  cpu_rt_period: ["cpuRealtimePeriodUs", readMicros],
  cpu_rt_runtime: ["cpuRealtimeRuntimeUs", readMicros],
  cpu_shares: ["cpuShares", wholeNumber(0, 262_144)],
  cpuset: ["cpuset", readCpuset],
  device_cgroup_rules: ["deviceCgroupRules", readRules],
  devices: ["devices", readDevices],
  dns: ["dns", textsOf],
  dns_opt: ["dnsOptions", textsOf],
  dns_search: ["dnsSearch", textsOf],
  extra_hosts: ["extraHosts", readExtraHosts],
  ipc: ["ipcMode", namespaceOf(["none", "private", "shareable", "host"])],
  mem_swappiness: ["memorySwappiness", wholeNumber(0, 100)],
  memswap_limit: ["memorySwapBytes", readSwap],
  oom_kill_disable: ["oomKillDisable", (reader, node, path) => reader.bool(node, path) === true || undefined],
  oom_score_adj: ["oomScoreAdj", wholeNumber(-1_000, 1_000)],
  pid: ["pidMode", namespaceOf(["host"])],
  privileged: ["privileged", (reader, node, path) => reader.bool(node, path) === true || undefined],
  runtime: ["runtimeName", textOf],
  security_opt: ["securityOpt", sortedTexts],
  shm_size: ["shmSizeBytes", (reader, node, path) => reader.bytes(node, path)],
  storage_opt: ["storageOptions", mapOf],
  sysctls: ["sysctls", mapOf],
  ulimits: ["ulimits", readUlimits],
  userns_mode: ["usernsMode", namespaceOf(["host"])],
  uts: ["utsMode", namespaceOf(["host"])],
};

/** Only keys that stand there are looked at: most services have few of them. */
export function readRuntime(reader: Reader, service: MapNode, path: string): RuntimeOptions {
  const options: Record<string, unknown> = {};
  for (const [key, { node }] of service.entries) {
    const field = Object.hasOwn(FIELDS, key) ? FIELDS[key] : undefined;
    if (field === undefined || written(node) === undefined) continue;
    const value = field[1](reader, node, `${path}.${key}`);
    if (value !== undefined) options[field[0]] = value;
  }
  const deviceRequests = readDeviceRequests(reader, service, path);
  return { ...options, ...(deviceRequests === undefined ? {} : { deviceRequests }) };
}

function textOf(reader: Reader, node: ComposeNode, path: string): string | undefined {
  return reader.text(node, path) || undefined;
}

function textsOf(reader: Reader, node: ComposeNode, path: string): readonly string[] {
  return reader.texts(node, path);
}

function sortedTexts(reader: Reader, node: ComposeNode, path: string): readonly string[] {
  return [...new Set(reader.texts(node, path))].sort();
}

function mapOf(reader: Reader, node: ComposeNode, path: string): Readonly<Record<string, string>> {
  return reader.textMap(node, path);
}

function wholeNumber(min: number, max: number): Read<number> {
  return (reader, node, path) => reader.number(node, path, { min, max, whole: true });
}

/** Tasks run where there is room, so one cannot count on another's container being on the same node. */
function namespaceOf(words: readonly string[]): Read<string> {
  return (reader, node, path) => {
    const text = reader.text(node, path);
    if (text === undefined || text === "") return undefined;
    if (/^(service|container):/.test(text))
      return reader.problem(
        node.at,
        path,
        `'${text}' is not supported: tasks of two services need not run on one node`,
      );
    return reader.word(node, path, words);
  };
}

/** Microseconds as a number, or a duration with a unit; -1 means no limit. */
function readMicros(reader: Reader, node: ComposeNode, path: string): number | undefined {
  const text = reader.text(node, path);
  if (text === undefined) return undefined;
  const durationMs = /[a-z]$/.test(text) ? parseDuration(text) : undefined;
  return durationMs === undefined
    ? reader.number(node, path, { min: -1, max: MAX_MICROS, whole: true })
    : Math.round(durationMs * 1_000);
}

function readSwap(reader: Reader, node: ComposeNode, path: string): number | undefined {
  return reader.text(node, path) === "-1" ? -1 : reader.bytes(node, path);
}

function readCpuset(reader: Reader, node: ComposeNode, path: string): string | undefined {
  const text = reader.text(node, path);
  if (text === undefined || /^\d+(-\d+)?(,\d+(-\d+)?)*$/.test(text)) return text;
  return reader.problem(node.at, path, `'${text}' is not a list of CPUs: write 0-3 or 0,2`);
}

function readUlimits(reader: Reader, node: ComposeNode, path: string): RuntimeOptions["ulimits"] {
  const map = reader.map(node, path);
  if (map === undefined) return undefined;
  const range = { min: -1, max: Number.MAX_SAFE_INTEGER, whole: true } as const;
  const limits = [...map.entries].flatMap(([name, { node: limit }]) => {
    const where = `${path}.${name}`;
    if (limit.kind === "map") {
      reader.keys(limit, where, "services.*.ulimits.*");
      const soft = reader.number(get(limit, "soft"), `${where}.soft`, range);
      const hard = reader.number(get(limit, "hard"), `${where}.hard`, range);
      if (soft !== undefined && hard !== undefined) return [{ name, soft, hard }];
      reader.problem(limit.at, where, "wants both soft and hard");
      return [];
    }
    const both = reader.number(limit, where, range);
    return both === undefined ? [] : [{ name, soft: both, hard: both }];
  });
  return limits.sort((a, b) => (a.name < b.name ? -1 : 1));
}

function readDevices(reader: Reader, node: ComposeNode, path: string): RuntimeOptions["devices"] {
  const devices = reader.list(node, path).flatMap((item, at) => {
    const where = `${path}[${at}]`;
    const map = item.kind === "map" ? item : undefined;
    if (map !== undefined) reader.keys(map, where, "services.*.devices");
    const short = map === undefined ? (reader.text(item, where) ?? "").split(":") : [];
    const source = map === undefined ? (short[0] ?? "") : (reader.text(get(map, "source"), `${where}.source`) ?? "");
    const target = map === undefined ? short[1] : reader.text(get(map, "target"), `${where}.target`);
    const permissions = map === undefined ? short[2] : reader.text(get(map, "permissions"), `${where}.permissions`);
    if (!source.startsWith("/")) {
      const way = source.includes("=")
        ? ": devices by name (CDI) are not supported yet"
        : " is not a device's absolute path";
      return reader.problem(item.at, where, `'${source}'${way}`) ?? [];
    }
    if (permissions !== undefined && !/^[rwm]{1,3}$/.test(permissions))
      return reader.problem(item.at, where, `'${permissions}' are not permissions of a device: letters of rwm`) ?? [];
    return [{ source, target: target ?? source, permissions: permissions ?? "rwm" }];
  });
  return devices.sort((a, b) => (a.target < b.target ? -1 : 1));
}

function readRules(reader: Reader, node: ComposeNode, path: string): readonly string[] | undefined {
  const texts = sortedTexts(reader, node, path);
  for (const text of texts)
    if (!/^[acb] ([0-9]+|\*):([0-9]+|\*) [rwm]{1,3}$/.test(text))
      reader.problem(node.at, path, `'${text}' is not a rule: write c 1:3 rwm`);
  return texts;
}

/** "name:address", whichever form it was written in. */
function readExtraHosts(reader: Reader, node: ComposeNode, path: string): readonly string[] | undefined {
  const pairs =
    node.kind === "map"
      ? [...node.entries].flatMap(([name, entry]) =>
          reader.texts(entry.node, `${path}.${name}`).map((address) => [name, address] as const),
        )
      : reader.texts(node, path).map((text) => {
          const cut = text.search(/[=:]/);
          return [cut === -1 ? text : text.slice(0, cut), cut === -1 ? "" : text.slice(cut + 1)] as const;
        });
  const hosts = pairs.flatMap(([name, address]) => {
    const plain = address.replace(/^\[(.*)\]$/, "$1");
    if (name !== "" && (plain === "host-gateway" || /^[0-9a-fA-F.:]+$/.test(plain))) return [`${name}:${plain}`];
    return (
      reader.problem(node.at, path, `'${name}:${address}' is not a host with its address: write name=10.0.0.1`) ?? []
    );
  });
  return [...new Set(hosts)].sort();
}
