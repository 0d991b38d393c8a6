// x-davit.ingress: the hosts and paths that lead to a service, and how requests for them are served. Written in any order: what is read is
// sorted by host, then path.

import {
  DEFAULT_RESPONSE_TIMEOUT_MS,
  DEFAULT_TUNNEL_TIMEOUT_MS,
  ERROR_PAGE_STATUSES,
  hostProblem,
  type IngressOptions,
  type IngressSpec,
  type IngressTls,
  optionsProblems,
  pathProblem,
  routeKey,
  tcpProblems,
} from "../../core/model/ingress.ts";
import { type ComposeNode, get, type MapNode } from "../tree/node.ts";
import type { Reader } from "../spec/reader.ts";

const PATTERN = "services.*.x-davit.ingress";
const PORT = { min: 1, max: 65_535, whole: true } as const;
const COUNT = { min: 1, max: 1_000_000, whole: true } as const;

/** `[{host: shop.example.com, path: /, port: 8080}]`; undefined when there is none. `ports`: those that the service says it listens on. */
export function readIngress(
  reader: Reader,
  node: ComposeNode | undefined,
  path: string,
  ports: readonly number[],
): readonly IngressSpec[] | undefined {
  const routes = new Map<string, IngressSpec>();
  for (const [at, item] of reader.list(node, path).entries()) {
    const where = `${path}[${at}]`;
    const map = reader.section(item, where, PATTERN);
    const route = map === undefined ? undefined : readRoute(reader, map, where, ports);
    if (route === undefined) continue;
    if (routes.has(routeKey(route)))
      reader.problem(item.at, where, `leads from ${route.host}${route.path} a second time`);
    routes.set(routeKey(route), route);
  }
  if (routes.size === 0) return undefined;
  return [...routes].toSorted(([a], [b]) => (a < b ? -1 : 1)).map(([, route]) => route);
}

function readRoute(reader: Reader, map: MapNode, where: string, ports: readonly number[]): IngressSpec | undefined {
  const host = reader.text(get(map, "host"), `${where}.host`);
  const port = reader.number(get(map, "port"), `${where}.port`, PORT);
  if (get(map, "host") === undefined) return reader.problem(map.at, where, "lacks host, such as shop.example.com");
  if (get(map, "port") === undefined) return reader.problem(map.at, where, "lacks port, the port inside the container");
  const route = (reader.text(get(map, "path"), `${where}.path`) ?? "/").replace(/(?<=.)\/+$/, "");
  if (host === undefined || port === undefined) return undefined;
  const wrong = hostProblem(host) ?? pathProblem(route);
  if (wrong !== undefined) return reader.problem(get(map, "host")?.at ?? map.at, where, wrong);
  if (ports.length > 0 && !ports.includes(port))
    return reader.problem(
      get(map, "port")?.at ?? map.at,
      `${where}.port`,
      `${port} is none of the ports that its containers have (${ports.join(", ")}): correct it, or add it to expose`,
    );
  const options = readOptions(reader, map, where);
  const word = reader.word(get(map, "http"), `${where}.http`, ["redirect", "serve"]);
  const tls = readTls(reader, get(map, "tls"), `${where}.tls`);
  const isTcp = options.protocol === "tcp" && get(map, "tls") === undefined;
  const spec: IngressSpec = {
    host,
    path: route,
    port,
    tls: isTcp ? "off" : tls,
    ...(word === "serve" ? { plainHttp: true } : {}),
    ...options,
  };
  for (const problem of [...optionsProblems(options), ...tcpProblems(spec)]) reader.problem(map.at, where, problem);
  return spec;
}

function readTls(reader: Reader, node: ComposeNode | undefined, path: string): IngressTls {
  if (node?.kind !== "map") return reader.word(node, path, ["auto", "internal", "off"] as const) ?? "auto";
  const map = reader.section(node, path, `${PATTERN}.tls`);
  const certificate = reader.text(get(map, "certificate"), `${path}.certificate`);
  if (certificate === undefined || certificate === "") {
    reader.problem(
      node.at,
      path,
      "wants auto, internal, off or {certificate: NAME}, as given to davit certificate add",
    );
    return "auto";
  }
  return { certificate };
}

function readOptions(reader: Reader, map: MapNode, where: string): IngressOptions {
  const at = (key: string): readonly [ComposeNode | undefined, string] => [get(map, key), `${where}.${key}`];
  const protocol = reader.word(...at("protocol"), ["http", "h2c", "tcp"]);
  const rate = reader.section(...at("rate_limit"), `${PATTERN}.rate_limit`);
  const responseTimeoutMs = reader.duration(...at("timeout"));
  const tunnelTimeoutMs = reader.duration(...at("tunnel_timeout"));
  const options: Record<keyof IngressOptions, unknown> = {
    protocol: protocol === "http" ? undefined : protocol,
    sticky: reader.bool(...at("sticky")) === true ? true : undefined,
    stripPath: reader.bool(...at("strip_path")) === true ? true : undefined,
    responseTimeoutMs: responseTimeoutMs === DEFAULT_RESPONSE_TIMEOUT_MS ? undefined : responseTimeoutMs,
    tunnelTimeoutMs: tunnelTimeoutMs === DEFAULT_TUNNEL_TIMEOUT_MS ? undefined : tunnelTimeoutMs,
    maxBodyBytes: reader.bytes(...at("max_body")),
    users: readUsers(reader, ...at("users")),
    requestHeaders: someOf(reader.textMap(...at("request_headers"))),
    responseHeaders: someOf(reader.textMap(...at("response_headers"))),
    rateLimit: rate === undefined ? undefined : readRate(reader, rate, `${where}.rate_limit`),
    allow: listOf(reader.texts(...at("allow"))),
    deny: listOf(reader.texts(...at("deny"))),
    maintenancePage: reader.text(...at("maintenance_page")),
    errorPages: readPages(reader, ...at("error_pages")),
    accessLog: reader.bool(...at("access_log")) === true ? true : undefined,
  };
  return Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined));
}

function readUsers(reader: Reader, node: ComposeNode | undefined, path: string): IngressOptions["users"] {
  const users = reader.texts(node, path).map((text) => {
    const cut = text.indexOf(":");
    return { name: text.slice(0, Math.max(cut, 0)), hash: text.slice(cut + 1) };
  });
  return listOf(users);
}

function readRate(reader: Reader, map: MapNode, path: string): IngressOptions["rateLimit"] {
  const requests = reader.number(get(map, "requests"), `${path}.requests`, COUNT);
  const perMs = reader.duration(get(map, "per"), `${path}.per`) ?? 1_000;
  if (requests === undefined) return reader.problem(map.at, path, "wants {requests: 100, per: 10s}");
  return { requests, perMs };
}

function readPages(reader: Reader, node: ComposeNode | undefined, path: string): IngressOptions["errorPages"] {
  const pages = reader.textMap(node, path);
  for (const status of Object.keys(pages))
    if (!ERROR_PAGE_STATUSES.includes(status) && node !== undefined)
      reader.problem(node.at, `${path}.${status}`, `has no page: one of ${ERROR_PAGE_STATUSES.join(", ")}`);
  return someOf(pages);
}

function someOf(map: Readonly<Record<string, string>>): Readonly<Record<string, string>> | undefined {
  return Object.keys(map).length === 0 ? undefined : map;
}

function listOf<Item>(items: readonly Item[]): readonly Item[] | undefined {
  return items.length === 0 ? undefined : items;
}
