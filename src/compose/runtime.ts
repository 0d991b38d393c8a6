// Keys that the engine gets as they are, brought to one form. Pure.

import type { RuntimeOptions } from "../core/model/service-spec.ts";
import type { ComposeNode, MapNode } from "./node.ts";
import { get, type Reader } from "./reader.ts";

export function readRuntime(reader: Reader, service: MapNode, path: string): RuntimeOptions {
  const texts = (key: string): readonly string[] | undefined => {
    const node = get(service, key);
    return node === undefined ? undefined : reader.texts(node, `${path}.${key}`);
  };
  const options: { readonly [Key in keyof RuntimeOptions]: RuntimeOptions[Key] | undefined } = {
    capAdd: texts("cap_add"),
    capDrop: texts("cap_drop"),
    privileged: reader.bool(get(service, "privileged"), `${path}.privileged`),
    securityOpt: texts("security_opt"),
    sysctls: readSysctls(reader, get(service, "sysctls"), `${path}.sysctls`),
    ulimits: readUlimits(reader, get(service, "ulimits"), `${path}.ulimits`),
    shmSizeBytes: reader.bytes(get(service, "shm_size"), `${path}.shm_size`),
    devices: readDevices(reader, get(service, "devices"), `${path}.devices`),
    extraHosts: readExtraHosts(reader, get(service, "extra_hosts"), `${path}.extra_hosts`),
    dns: texts("dns"),
    dnsSearch: texts("dns_search"),
    dnsOptions: texts("dns_opt"),
    pidMode: reader.text(get(service, "pid"), `${path}.pid`),
    ipcMode: reader.text(get(service, "ipc"), `${path}.ipc`),
    oomScoreAdj: reader.number(get(service, "oom_score_adj"), `${path}.oom_score_adj`, {
      min: -1_000,
      max: 1_000,
      whole: true,
    }),
  };
  return Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined));
}

function readSysctls(reader: Reader, node: ComposeNode | undefined, path: string): RuntimeOptions["sysctls"] {
  if (node === undefined) return undefined;
  return Object.fromEntries([...reader.pairs(node, path)].map(([name, value]) => [name, value ?? ""]));
}

function readUlimits(reader: Reader, node: ComposeNode | undefined, path: string): RuntimeOptions["ulimits"] {
  const map = reader.map(node, path);
  if (map === undefined) return undefined;
  const range = { min: -1, max: Number.MAX_SAFE_INTEGER, whole: true } as const;
  return [...map.entries].flatMap(([name, { node: limit }]) => {
    const where = `${path}.${name}`;
    if (limit.kind === "map") {
      reader.only(limit, where, ["soft", "hard"]);
      const soft = reader.number(get(limit, "soft"), `${where}.soft`, range);
      const hard = reader.number(get(limit, "hard"), `${where}.hard`, range);
      if (soft !== undefined && hard !== undefined) return [{ name, soft, hard }];
      reader.problem(limit.at, where, "wants both soft and hard");
      return [];
    }
    const both = reader.number(limit, where, range);
    return both === undefined ? [] : [{ name, soft: both, hard: both }];
  });
}

function readDevices(reader: Reader, node: ComposeNode | undefined, path: string): RuntimeOptions["devices"] {
  if (node === undefined) return undefined;
  return reader.list(node, path).flatMap((item, at) => {
    const where = `${path}[${at}]`;
    if (item.kind === "map") {
      reader.only(item, where, ["source", "target", "permissions"]);
      const source = reader.text(get(item, "source"), `${where}.source`);
      if (source === undefined) return reader.problem(item.at, where, "lacks source") ?? [];
      return [
        {
          source,
          target: reader.text(get(item, "target"), `${where}.target`) ?? source,
          permissions: reader.text(get(item, "permissions"), `${where}.permissions`) ?? "rwm",
        },
      ];
    }
    const [source = "", target, permissions = "rwm"] = (reader.text(item, where) ?? "").split(":");
    if (!source.startsWith("/"))
      return reader.problem(item.at, where, `'${source}' is not a device's absolute path`) ?? [];
    return [{ source, target: target ?? source, permissions }];
  });
}

/** "name:address", whichever form it was written in. */
function readExtraHosts(reader: Reader, node: ComposeNode | undefined, path: string): readonly string[] | undefined {
  if (node === undefined) return undefined;
  if (node.kind === "map")
    return [...node.entries].flatMap(([name, entry]) =>
      reader.texts(entry.node, `${path}.${name}`).map((address) => `${name}:${address}`),
    );
  return reader.texts(node, path).map((text) => text.replace(/^([^=:]+)=/, "$1:"));
}
