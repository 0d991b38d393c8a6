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

export function readRuntime(reader: Reader, service: MapNode, path: string): RuntimeOptions {
  const at = (key: string): readonly [ComposeNode | undefined, string] => [get(service, key), `${path}.${key}`];
  const micros = (key: string): number | undefined => readMicros(reader, ...at(key));
  const options: { readonly [Key in keyof RuntimeOptions]: RuntimeOptions[Key] | undefined } = {
    ...readIsolation(reader, service, path),
    ulimits: readUlimits(reader, ...at("ulimits")),
    shmSizeBytes: reader.bytes(...at("shm_size")),
    devices: readDevices(reader, ...at("devices")),
    deviceCgroupRules: sorted(readRules(reader, ...at("device_cgroup_rules"))),
    deviceRequests: readDeviceRequests(reader, service, path),
    extraHosts: sorted(readExtraHosts(reader, ...at("extra_hosts"))),
    dns: textsOf(reader, ...at("dns")),
    dnsSearch: textsOf(reader, ...at("dns_search")),
    dnsOptions: textsOf(reader, ...at("dns_opt")),
    oomScoreAdj: reader.number(...at("oom_score_adj"), { min: -1_000, max: 1_000, whole: true }),
    oomKillDisable: reader.bool(...at("oom_kill_disable")),
    annotations: mapOf(reader, ...at("annotations")),
    runtimeName: reader.text(...at("runtime")),
    storageOptions: mapOf(reader, ...at("storage_opt")),
    blkio: readBlockIo(reader, ...at("blkio_config")),
    cpuShares: reader.number(...at("cpu_shares"), { min: 0, max: 262_144, whole: true }),
    cpuPeriodUs: micros("cpu_period"),
    cpuQuotaUs: micros("cpu_quota"),
    cpuRealtimePeriodUs: micros("cpu_rt_period"),
    cpuRealtimeRuntimeUs: micros("cpu_rt_runtime"),
    cpuset: readCpuset(reader, ...at("cpuset")),
    memorySwapBytes: readSwap(reader, ...at("memswap_limit")),
    memorySwappiness: reader.number(...at("mem_swappiness"), { min: 0, max: 100, whole: true }),
  };
  return Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined));
}

/** What a container may do, and which name spaces it has of its own. */
function readIsolation(reader: Reader, service: MapNode, path: string): Partial<RuntimeOptions> {
  const at = (key: string): readonly [ComposeNode | undefined, string] => [get(service, key), `${path}.${key}`];
  const found: { readonly [Key in keyof RuntimeOptions]: RuntimeOptions[Key] | undefined } = {
    capAdd: sorted(textsOf(reader, ...at("cap_add"))),
    capDrop: sorted(textsOf(reader, ...at("cap_drop"))),
    privileged: reader.bool(...at("privileged")),
    securityOpt: sorted(textsOf(reader, ...at("security_opt"))),
    sysctls: mapOf(reader, ...at("sysctls")),
    pidMode: namespace(reader, ...at("pid"), ["host"]),
    ipcMode: namespace(reader, ...at("ipc"), ["none", "private", "shareable", "host"]),
    utsMode: namespace(reader, ...at("uts"), ["host"]),
    usernsMode: namespace(reader, ...at("userns_mode"), ["host"]),
    cgroupNamespace: reader.word(...at("cgroup"), ["host", "private"]),
    cgroupParent: reader.text(...at("cgroup_parent")),
  };
  return Object.fromEntries(Object.entries(found).filter(([, value]) => value !== undefined));
}

/** Tasks run where there is room, so one cannot count on another's container being on the same node. */
function namespace(
  reader: Reader,
  node: ComposeNode | undefined,
  path: string,
  words: readonly string[],
): string | undefined {
  const text = reader.text(node, path);
  if (text === undefined || text === "" || node === undefined) return undefined;
  if (/^(service|container):/.test(text))
    return reader.problem(node.at, path, `'${text}' is not supported: tasks of two services need not run on one node`);
  return reader.word(node, path, words);
}

function textsOf(reader: Reader, node: ComposeNode | undefined, path: string): readonly string[] | undefined {
  return written(node) === undefined ? undefined : reader.texts(node, path);
}

function mapOf(
  reader: Reader,
  node: ComposeNode | undefined,
  path: string,
): Readonly<Record<string, string>> | undefined {
  return written(node) === undefined ? undefined : reader.textMap(node, path);
}

function sorted(texts: readonly string[] | undefined): readonly string[] | undefined {
  return texts === undefined ? undefined : [...new Set(texts)].sort();
}

/** Microseconds as a number, or a duration with a unit; -1 means no limit. */
function readMicros(reader: Reader, node: ComposeNode | undefined, path: string): number | undefined {
  const text = reader.text(node, path);
  if (text === undefined || node === undefined) return undefined;
  const durationMs = /[a-z]$/.test(text) ? parseDuration(text) : undefined;
  return durationMs === undefined
    ? reader.number(node, path, { min: -1, max: MAX_MICROS, whole: true })
    : Math.round(durationMs * 1_000);
}

function readSwap(reader: Reader, node: ComposeNode | undefined, path: string): number | undefined {
  return reader.text(node, path) === "-1" ? -1 : reader.bytes(node, path);
}

function readCpuset(reader: Reader, node: ComposeNode | undefined, path: string): string | undefined {
  const text = reader.text(node, path);
  if (text === undefined || node === undefined || /^\d+(-\d+)?(,\d+(-\d+)?)*$/.test(text)) return text;
  return reader.problem(node.at, path, `'${text}' is not a list of CPUs: write 0-3 or 0,2`);
}

function readUlimits(reader: Reader, node: ComposeNode | undefined, path: string): RuntimeOptions["ulimits"] {
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

function readDevices(reader: Reader, node: ComposeNode | undefined, path: string): RuntimeOptions["devices"] {
  if (written(node) === undefined) return undefined;
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

function readRules(reader: Reader, node: ComposeNode | undefined, path: string): readonly string[] | undefined {
  const texts = textsOf(reader, node, path);
  for (const text of texts ?? [])
    if (!/^[acb] ([0-9]+|\*):([0-9]+|\*) [rwm]{1,3}$/.test(text) && node !== undefined)
      reader.problem(node.at, path, `'${text}' is not a rule: write c 1:3 rwm`);
  return texts;
}

/** "name:address", whichever form it was written in. */
function readExtraHosts(reader: Reader, node: ComposeNode | undefined, path: string): readonly string[] | undefined {
  if (node === undefined || written(node) === undefined) return undefined;
  const pairs =
    node.kind === "map"
      ? [...node.entries].flatMap(([name, entry]) =>
          reader.texts(entry.node, `${path}.${name}`).map((address) => [name, address] as const),
        )
      : reader.texts(node, path).map((text) => {
          const cut = text.search(/[=:]/);
          return [cut === -1 ? text : text.slice(0, cut), cut === -1 ? "" : text.slice(cut + 1)] as const;
        });
  return pairs.flatMap(([name, address]) => {
    const plain = address.replace(/^\[(.*)\]$/, "$1");
    if (name !== "" && (plain === "host-gateway" || /^[0-9a-fA-F.:]+$/.test(plain))) return [`${name}:${plain}`];
    return (
      reader.problem(node.at, path, `'${name}:${address}' is not a host with its address: write name=10.0.0.1`) ?? []
    );
  });
}
