// x-davit.health: a check by HTTP or TCP, made by the node's agent from outside the container, so that the image needs no tool for it.

import type { Probe } from "../../core/model/service-spec.ts";
import { type ComposeNode, get } from "../tree/node.ts";
import type { Reader } from "../spec/reader.ts";

const PATTERN = "services.*.x-davit.health";
const PORT = { min: 1, max: 65_535, whole: true } as const;

/** `{http: {port: 8080, path: /healthz}}` or `{tcp: {port: 5432}}`, with interval, timeout, retries, start_period, start_interval beside. */
export function readProbe(reader: Reader, node: ComposeNode | undefined, path: string): Probe | undefined {
  const map = reader.section(node, path, PATTERN);
  if (map === undefined) return undefined;
  const http = reader.section(get(map, "http"), `${path}.http`, `${PATTERN}.http`);
  const tcp = reader.section(get(map, "tcp"), `${path}.tcp`, `${PATTERN}.tcp`);
  if ((http === undefined) === (tcp === undefined))
    return reader.problem(map.at, path, "wants either http: {port, path} or tcp: {port}");
  if (http !== undefined) {
    const port = reader.number(get(http, "port"), `${path}.http.port`, PORT);
    const target = reader.text(get(http, "path"), `${path}.http.path`) ?? "/";
    if (!target.startsWith("/")) return reader.problem(http.at, `${path}.http.path`, `'${target}' must begin with /`);
    return port === undefined
      ? reader.problem(http.at, `${path}.http`, "lacks port, the port inside the container")
      : { kind: "http", port, path: target };
  }
  const port = reader.number(get(tcp, "port"), `${path}.tcp.port`, PORT);
  return port === undefined
    ? reader.problem(map.at, `${path}.tcp`, "lacks port, the port inside the container")
    : { kind: "tcp", port };
}
