// Ports of a service, short and long syntax, to port specs. A range of host ports for one container port means that each task takes a
// free one of it; equal ranges on both sides mean pairs. Pure.

import type { PortSpec } from "../../core/model/service-spec.ts";
import { type ComposeNode, get, type MapNode } from "../tree/node.ts";
import type { Reader } from "./reader.ts";
import { parsePortText } from "../tree/port-text.ts";
import { parsePortRange, type PortRange } from "./values.ts";

/** Where a port without a host port is published, as Swarm does. */
export const CHOSEN_PORTS: PortRange = { from: 30_000, to: 32_767 };

/** Of one service: each is a record for every task, and a rule on its node. What needs thousands needs the node's network. */
const MAX_PORTS = 1_000;

type Parsed = {
  readonly target: PortRange;
  readonly published: PortRange;
  readonly protocol: "tcp" | "udp";
  readonly hostIp: string | undefined;
  readonly mode: "ingress" | "host";
  readonly names: readonly string[];
};

/** What can be part of a host name: `_web-api._tcp.shop`. */
const PORT_NAME = /^[a-z0-9]([a-z0-9-]{0,60}[a-z0-9])?$/;

export function readPorts(reader: Reader, node: ComposeNode | undefined, path: string): readonly PortSpec[] {
  let left = MAX_PORTS;
  const ports = reader.list(node, path).flatMap((item, at) => {
    const where = `${path}[${at}]`;
    const parsed = item.kind === "map" ? readLong(reader, item, where) : readShort(reader, item, where);
    if (parsed === undefined) return [];
    left -= parsed.target.to - parsed.target.from + 1;
    if (left < 0)
      return (
        reader.problem(
          item.at,
          where,
          `makes them more than ${MAX_PORTS} ports of one service: use network_mode: host, where all ports are the container's`,
        ) ?? []
      );
    return expand(reader, item, where, parsed);
  });
  // the same one twice is one
  return [...new Map(ports.map((port) => [JSON.stringify(port), port])).values()];
}

function readShort(reader: Reader, node: ComposeNode, path: string): Parsed | undefined {
  const text = reader.text(node, path) ?? "";
  const parts = parsePortText(text);
  if (parts === undefined)
    return reader.problem(
      node.at,
      path,
      `'${text}' is not a port: write 8080:80, 127.0.0.1:8080:80/udp or a range like 8080-8089:80`,
    );
  const { hostIp, published, target, protocol } = parts;
  if (protocol !== "tcp" && protocol !== "udp") return reader.problem(node.at, path, `'${protocol}' is not tcp or udp`);
  const targets = parsePortRange(target);
  const hosts = published === "" ? CHOSEN_PORTS : parsePortRange(published);
  if (targets === undefined || hosts === undefined)
    return reader.problem(node.at, path, `'${text}' is not a port range (1–65535)`);
  return { target: targets, published: hosts, protocol, hostIp, mode: "ingress", names: [] };
}

function readLong(reader: Reader, map: MapNode, path: string): Parsed | undefined {
  reader.keys(map, path, "services.*.ports");
  const target = reader.number(get(map, "target"), `${path}.target`, { min: 1, max: 65_535, whole: true });
  const text = reader.text(get(map, "published"), `${path}.published`);
  const published = text === undefined ? CHOSEN_PORTS : parsePortRange(text);
  const protocol = reader.word(get(map, "protocol"), `${path}.protocol`, ["tcp", "udp"]) ?? "tcp";
  const mode = reader.word(get(map, "mode"), `${path}.mode`, ["ingress", "host"]) ?? "ingress";
  if (target === undefined)
    return get(map, "target") === undefined
      ? reader.problem(map.at, path, "lacks target, the port inside the container")
      : undefined;
  if (published === undefined)
    return reader.problem(map.at, `${path}.published`, `'${text}' is not a port range (1–65535)`);
  return {
    target: { from: target, to: target },
    published,
    protocol,
    hostIp: reader.text(get(map, "host_ip"), `${path}.host_ip`),
    mode,
    names: readNames(reader, map, path),
  };
}

/** Its own name, and that of what is spoken there; what is no part of a host name is for people only. */
function readNames(reader: Reader, map: MapNode, path: string): readonly string[] {
  const given = [
    reader.text(get(map, "name"), `${path}.name`),
    reader.text(get(map, "app_protocol"), `${path}.app_protocol`),
  ];
  const names = given.flatMap((name) => (name === undefined ? [] : [name.toLowerCase()]));
  return [...new Set(names)].filter((name) => PORT_NAME.test(name));
}

function expand(reader: Reader, node: ComposeNode, path: string, parsed: Parsed): readonly PortSpec[] {
  const { target, published, protocol, hostIp, mode, names } = parsed;
  const base = {
    protocol,
    mode,
    ...(hostIp === undefined ? {} : { hostIp }),
    ...(names.length === 0 ? {} : { names }),
  };
  const count = target.to - target.from + 1;
  if (count === 1) return [{ ...base, target: target.from, published }];
  const isChosen = published === CHOSEN_PORTS;
  if (!isChosen && published.to - published.from + 1 !== count) {
    reader.problem(
      node.at,
      path,
      `${published.from}-${published.to} and ${target.from}-${target.to} are ranges of different lengths`,
    );
    return [];
  }
  return Array.from({ length: count }, (_, at) => ({
    ...base,
    target: target.from + at,
    published: isChosen ? CHOSEN_PORTS : { from: published.from + at, to: published.from + at },
  }));
}
