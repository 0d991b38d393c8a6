// x-davit.policy: which services may call which of this one's ports. Without it, all that share a network with it may call every port.

import type { AllowedCaller, PortProtocol, ReachSpec } from "../../core/model/service-spec.ts";
import type { Reader } from "../spec/reader.ts";
import { type ComposeNode, get } from "../tree/node.ts";

const PATTERN = "services.*.x-davit.policy";
type Port = AllowedCaller["ports"][number];

/** `[{from: api, ports: [8080, 53/udp]}]`; an empty list lets nobody in. `fullName`: of a service of this file; another name stands for itself. */
export function readPolicy(
  reader: Reader,
  node: ComposeNode | undefined,
  path: string,
  fullName: (name: string) => string,
): Pick<ReachSpec, "policy"> {
  if (node === undefined) return {};
  const callers = new Map<string, AllowedCaller>();
  for (const [at, item] of reader.list(node, path).entries()) {
    const where = `${path}[${at}]`;
    const map = reader.section(item, where, PATTERN);
    const name = reader.text(get(map, "from"), `${where}.from`);
    if (map === undefined) continue;
    const ports = readPorts(reader, get(map, "ports"), `${where}.ports`);
    if (name === undefined || name === "" || ports.length === 0) {
      reader.problem(item.at, where, "wants {from: SERVICE, ports: [8080, 53/udp]}");
      continue;
    }
    const from = fullName(name);
    if (callers.has(from)) reader.problem(item.at, where, `names ${name} twice`);
    callers.set(from, { from, ports });
  }
  return { policy: [...callers.values()].toSorted((a, b) => (a.from < b.from ? -1 : 1)) };
}

/** By number, TCP before UDP. */
function readPorts(reader: Reader, node: ComposeNode | undefined, path: string): readonly Port[] {
  const ports = new Map<string, Port>();
  for (const text of reader.texts(node, path)) {
    const match = /^(\d{1,5})(?:\/(tcp|udp))?$/.exec(text);
    const port = Number(match?.[1]);
    if (node !== undefined && (match === null || port < 1 || port > 65_535)) {
      reader.problem(node.at, path, `'${text}' is not a port inside the container: write 8080 or 53/udp`);
      continue;
    }
    const protocol: PortProtocol = match?.[2] === "udp" ? "udp" : "tcp";
    ports.set(`${port}/${protocol}`, { port, protocol });
  }
  return [...ports.values()].toSorted((a, b) => a.port - b.port || (a.protocol < b.protocol ? -1 : 1));
}
