// What a service asks of the cluster's HTTP door: hosts and paths that lead to a port of its containers, and how they are served. Outside the
// template: a change here replaces no task. Absent options are the default. Pure.

/** `auto`: by ACME for public names, by the cluster's own CA for others. `internal`: by the cluster's own CA. `off`: HTTP only. */
export type IngressTls = "auto" | "internal" | "off" | { readonly certificate: string };

export type IngressSpec = {
  /** Lower case; `*.example.com` stands for any one label before the dot. */
  readonly host: string;
  /** Begins with a slash, and ends with one only if it is nothing else; leads to itself and all below it. */
  readonly path: string;
  /** Port inside the container. */
  readonly port: number;
  readonly tls: IngressTls;
  /** HTTP answers what HTTPS would, instead of leading there. */
  readonly plainHttp?: boolean;
} & IngressOptions;

/** What makes a route need settings of its own in the proxy, and so a reload of it when it changes. */
export type IngressOptions = {
  /**
   * What containers speak; absent: HTTP/1.1. `h2c`: HTTP/2 without TLS, as gRPC wants it. `tcp`: anything over TLS of their own: connections
   * to port 443 are led by the name that the client's first words ask for (SNI), and nothing of them is read.
   */
  readonly protocol?: "h2c" | "tcp";
  /** A client stays with the task that answered it first, by a cookie, as long as that task takes requests. */
  readonly sticky?: boolean;
  /** The path is taken away before the container sees it. */
  readonly stripPath?: boolean;
  /** How long a container may be silent before the request fails; absent: DEFAULT_RESPONSE_TIMEOUT_MS. */
  readonly responseTimeoutMs?: number;
  /** How long a WebSocket may be silent; absent: DEFAULT_TUNNEL_TIMEOUT_MS. */
  readonly tunnelTimeoutMs?: number;
  /** Longer bodies are refused with 413, those of unknown length with 411. */
  readonly maxBodyBytes?: number;
  /** Names with crypt(3) hashes of passwords. */
  readonly users?: readonly { readonly name: string; readonly hash: string }[];
  /** Headers that are set; an empty value takes one away. */
  readonly requestHeaders?: Readonly<Record<string, string>>;
  readonly responseHeaders?: Readonly<Record<string, string>>;
  /** Requests of one client address in a time, beyond which 429 is the answer. */
  readonly rateLimit?: { readonly requests: number; readonly perMs: number };
  /** IPv4 addresses or networks: nobody else may call. */
  readonly allow?: readonly string[];
  readonly deny?: readonly string[];
  /** HTML that is shown while maintenance is on. */
  readonly maintenancePage?: string;
  /** HTML by status, in place of the proxy's own words. */
  readonly errorPages?: Readonly<Record<string, string>>;
  /** Each request is a line of the node's journal. */
  readonly accessLog?: boolean;
};

export const DEFAULT_RESPONSE_TIMEOUT_MS = 60_000;
export const DEFAULT_TUNNEL_TIMEOUT_MS = 3_600_000;
/** Statuses that the proxy itself answers with, and that may have a page. */
export const ERROR_PAGE_STATUSES: readonly string[] = ["400", "403", "408", "413", "429", "500", "502", "503", "504"];
/** Pages are part of the proxy's settings: a logo belongs elsewhere. */
export const MAX_PAGE_BYTES = 8_192;
export const MAX_ROUTES_PER_SERVICE = 100;

const MAX_HOST = 253;
const LABEL = /^(?!-)[a-z0-9-]{1,63}(?<!-)$/;
/** A path as clients send it: no query, no escapes that could be read twice, no dot segments. */
const PATH = /^(\/[A-Za-z0-9._~!$&()+,;=:@-]+)+$|^\/$/;
const DOTS = /(^|\/)\.{1,2}(\/|$)/;
/** Names that no public authority may vouch for (RFC 2606, 6761, 6762, 8375, and the reserved `internal`). */
const PRIVATE = /(^|\.)(localhost|local|internal|intranet|lan|home\.arpa|test|example|invalid|onion)$/;

/** What is wrong with a host, in words; undefined when nothing is. */
export function hostProblem(host: string): string | undefined {
  const shown = host.length > 60 ? `${host.slice(0, 60)}…` : host;
  if (host === "") return "is empty: write shop.example.com";
  if (host.length > MAX_HOST) return `'${shown}' has ${host.length} characters: a host name has at most ${MAX_HOST}`;
  if (/^\[?[0-9a-f]*:[0-9a-f:.]*\]?$/i.test(host)) return `'${shown}' is an IPv6 address: routes are by host name`;
  if (/^\d+(\.\d+){3}$/.test(host)) return `'${shown}' is an address: routes are by host name`;
  if (host.includes(":")) return `'${shown}' has a port: ingress answers on 80 and 443; write the name alone`;
  if (host !== host.toLowerCase()) return `'${shown}' has capital letters: write ${shown.toLowerCase()}`;
  const labels = host.replace(/^\*\./, "").split(".");
  if (
    host.includes("*") &&
    (!host.startsWith("*.") || labels.length < 2 || labels.some((label) => label.includes("*")))
  )
    return `'${shown}' has a star that stands for more than the first label: write *.example.com`;
  if (!labels.every((label) => LABEL.test(label)))
    return `'${shown}' is not a host name: labels of a–z, 0–9 and -, at most 63 each, separated by dots`;
  return undefined;
}

/** What is wrong with a path, in words. */
export function pathProblem(path: string): string | undefined {
  const shown = path.length > 60 ? `${path.slice(0, 60)}…` : path;
  if (path.length > 1_024) return `'${shown}' has ${path.length} characters: at most 1024`;
  if (!path.startsWith("/")) return `'${shown}' must begin with /`;
  if (DOTS.test(path)) return `'${shown}' has a dot segment: write the path that it stands for`;
  return PATH.test(path)
    ? undefined
    : `'${shown}' is not a path of letters, digits and -._~!$&()+,;=:@ without a query`;
}

const ADDRESSES = /^(\d{1,3}\.){3}\d{1,3}(\/\d{1,2})?$/;
const HEADER = /^[A-Za-z0-9_-]{1,128}$/;
/** Headers that the proxy itself lives by. */
const OWN_HEADERS = /^(host|connection|content-length|transfer-encoding|upgrade|te|trailer)$/i;
/** What crypt(3) makes, not the words that went in: $5$, $6$, $y$, $2b$ and their like. */
const CRYPT = /^\$[0-9a-z]{1,2}\$[^\s:]{8,200}$/;
// eslint-disable-next-line no-control-regex -- these are what is looked for
const CONTROL = /[\u0000-\u0008\u000a-\u001f\u007f]/;
const MAX_DAY_MS = 86_400_000;
/** The proxy counts milliseconds in 31 bits. */
const MAX_TUNNEL_MS = 24 * MAX_DAY_MS;

/** What is wrong with the options of a route, in words. */
export function optionsProblems(options: IngressOptions): readonly string[] {
  return [
    ...addressProblems("allow", options.allow),
    ...addressProblems("deny", options.deny),
    ...headerProblems("request_headers", options.requestHeaders),
    ...headerProblems("response_headers", options.responseHeaders),
    ...(options.users ?? []).flatMap(({ name, hash }) =>
      /^[^\s:']{1,64}$/.test(name) && CRYPT.test(hash)
        ? []
        : [
            `users: '${name}' wants NAME:HASH, the hash as \`openssl passwd -6\` makes it (in Compose files each $ is written twice)`,
          ],
    ),
    ...rangeProblems("timeout", options.responseTimeoutMs, 10, MAX_DAY_MS),
    ...rangeProblems("tunnel_timeout", options.tunnelTimeoutMs, 10, MAX_TUNNEL_MS),
    ...rangeProblems("rate_limit.per", options.rateLimit?.perMs, 100, MAX_DAY_MS),
    ...rangeProblems("rate_limit.requests", options.rateLimit?.requests, 1, 1_000_000),
    ...rangeProblems("max_body", options.maxBodyBytes, 0, Number.MAX_SAFE_INTEGER),
    ...pageProblems(options),
  ];
}

/** What a route that is led by SNI may ask for: everything else is about requests, which are not read. */
const OF_TCP: ReadonlySet<string> = new Set([
  "protocol",
  "allow",
  "deny",
  "tunnelTimeoutMs",
] satisfies readonly (keyof IngressOptions)[]);

/** What a route that is led by SNI cannot have, in words. */
export function tcpProblems(route: IngressSpec): readonly string[] {
  if (route.protocol !== "tcp") return [];
  const others = Object.keys(optionsOf(route)).filter((key) => !OF_TCP.has(key));
  return [
    ...(route.path === "/" ? [] : ["protocol tcp is led by host alone: leave path out"]),
    ...(route.tls === "off" && route.plainHttp !== true
      ? []
      : ["protocol tcp goes to the containers' own TLS: leave tls and http out"]),
    ...others.map((key) => `protocol tcp has no requests to be read: leave ${written(key)} out`),
  ];
}

/** A key as it is written in Compose files. */
function written(key: string): string {
  return key === "responseTimeoutMs"
    ? "timeout"
    : key.replace(/Bytes$/, "").replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
}

function addressProblems(key: string, addresses: readonly string[] | undefined): readonly string[] {
  if (addresses !== undefined && (addresses.length === 0 || addresses.length > 200))
    return [`${key}: wants 1 to 200 addresses`];
  return (addresses ?? [])
    .filter(
      (text) => !ADDRESSES.test(text) || text.split(/[./]/).some((part, at) => Number(part) > (at === 4 ? 32 : 255)),
    )
    .map((text) => `${key}: '${text.slice(0, 60)}' is not an IPv4 address or network: write 10.0.0.7 or 10.0.0.0/8`);
}

function headerProblems(key: string, headers: Readonly<Record<string, string>> | undefined): readonly string[] {
  return Object.entries(headers ?? {}).flatMap(([name, value]) => {
    if (!HEADER.test(name)) return [`${key}: '${name.slice(0, 60)}' is not the name of a header`];
    if (OWN_HEADERS.test(name)) return [`${key}: ${name} is the proxy's own`];
    return CONTROL.test(value) || value.length > 4_096
      ? [`${key}: ${name} has a value of several lines, or too long`]
      : [];
  });
}

function rangeProblems(key: string, value: number | undefined, least: number, most: number): readonly string[] {
  const isFine = value === undefined || (value >= least && value <= most);
  return isFine ? [] : [`${key}: ${value} is not from ${least} to ${most}`];
}

function pageProblems({ maintenancePage, errorPages }: IngressOptions): readonly string[] {
  const pages = { ...errorPages, ...(maintenancePage === undefined ? {} : { maintenance_page: maintenancePage }) };
  return Object.entries(pages).flatMap(([key, page]) =>
    page.length > MAX_PAGE_BYTES || CONTROL.test(page.replace(/[\r\n]/g, ""))
      ? [`${key}: a page has at most ${MAX_PAGE_BYTES} characters, and no control characters`]
      : [],
  );
}

/** Whether a public authority may vouch for it: else `auto` means the cluster's own CA. */
export function isPublicName(host: string): boolean {
  return host.includes(".") && !PRIVATE.test(host);
}

/** What no two routes of a cluster may have in common. */
export function routeKey({ host, path }: Pick<IngressSpec, "host" | "path">): string {
  return `${host}${path === "/" ? "" : path}/`;
}

/** The name of the certificate that a route is served with; undefined without TLS. */
export function certificateName({ host, tls }: Pick<IngressSpec, "host" | "tls">): string | undefined {
  if (tls === "off") return undefined;
  return typeof tls === "string" ? host : tls.certificate;
}

/** The options of a route that has any: a change of them reloads the proxy, a route without them comes and goes without. */
export function optionsOf(route: IngressSpec): IngressOptions {
  const { host: _host, path: _path, port: _port, tls: _tls, plainHttp: _plain, ...options } = route;
  return options;
}

/** Whether nodes must reload their proxy for it. */
export function needsReload(route: IngressSpec): boolean {
  return Object.keys(optionsOf(route)).length > 0;
}

/** What one label before the dot may be: whether a certificate for `pattern` is good for `host`. */
export function covers(pattern: string, host: string): boolean {
  if (pattern === host) return true;
  return pattern.startsWith("*.") && !host.startsWith("*.") && host.slice(host.indexOf(".")) === pattern.slice(1);
}
