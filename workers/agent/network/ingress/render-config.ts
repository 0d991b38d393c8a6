// The proxy's whole settings file: always what a proxy that starts now must serve, its servers included, so that a restart by whoever needs
// nobody. Pure.

import type { Frame, Layout } from "./layout.ts";
import { backendInput, PLAIN, renderBackendBody, renderServers, renderUsers, ROUTE_HAS } from "./render-backend.ts";
import type { WantedRoute } from "./wanted.ts";

export type IngressPaths = {
  /** Settings, maps and certificates: on the disk, because a proxy that starts at boot asks nobody. */
  readonly directory: string;
  /** Sockets. */
  readonly runtimeDirectory: string;
};

export const ROUTES_MAP = "routes.map";
export const CHALLENGES_MAP = "challenges.map";
export const CERTIFICATE_LIST = "certificates.list";
export const CONFIG_FILE = "haproxy.cfg";
export const CHALLENGE_PATH = "/.well-known/acme-challenge/";

/**
 * Where connections that no TCP route wants are handed on to. Listened on in any case: a worker of before a reload may have taken one that it
 * still has to hand on, when the new settings have no door before the door any more.
 */
export const HTTPS_BACKEND = "davit-https";
/** A file with an owner, not an abstract name: who connects here says whose address is the client's, so only the proxy itself may. */
const httpsSocket = (runtimeDirectory: string): string => `unix@${runtimeDirectory}/https.sock`;
/** As long as any connection may be silent behind it; the proxy bears no more. */
const HANDED_ON_FOR = "24d";
/** Read by access-log.ts: client, service, host, request, status, bytes, ms to the first byte, ms in all, the container's address. */
const LOG_FORMAT = `  log-format '%ci %[var(txn.route),field(3,|)] "%[var(txn.host),json(utf8s)]" %{+Q}r %ST %B %Tr %Ta %si:%sp'`;

/** What these routes want of the frame. */
export function frameOf(routes: readonly Pick<WantedRoute, "spec">[]): Frame {
  return {
    hasTcp: routes.some(({ spec }) => spec.protocol === "tcp"),
    isLogged: routes.some(({ spec }) => spec.accessLog === true),
  };
}

/** All but the backends. `signature`: what a running proxy tells, so that its reader knows which frame it has; absent to find it out. */
export function renderFrame(
  { directory, runtimeDirectory }: IngressPaths,
  { hasTcp, isLogged }: Frame,
  signature?: string,
): string {
  const routes = `${directory}/${ROUTES_MAP}`;
  const challenges = `${directory}/${CHALLENGES_MAP}`;
  const inner = httpsSocket(runtimeDirectory);
  const tls = `ssl crt-list ${directory}/${CERTIFICATE_LIST} alpn h2,http/1.1 strict-sni`;
  return `# Written by davit: changes are lost.
global${signature === undefined ? "" : `\n  description ${signature}`}
  user haproxy
  group haproxy
  log stdout format raw daemon
  hard-stop-after 1h
  close-spread-time 10s
  ssl-default-bind-options ssl-min-ver TLSv1.2 no-tls-tickets

defaults
  mode http
  log global
  option dontlognull
  option http-keep-alive
  option redispatch 1
  retries 3
  retry-on conn-failure empty-response
  balance random
  timeout connect 1s
  timeout client 60s
  timeout server 60s
  timeout http-request 10s
  timeout http-keep-alive 60s
  timeout queue 5s

frontend davit
  bind :80
${hasTcp ? "" : `  bind :443 ${tls}\n`}  bind ${inner} mode 600 user haproxy accept-proxy ${tls}
${isLogged ? LOG_FORMAT : "  no log"}
  http-request return status 200 content-type text/plain lf-string "%[path,map_str(${challenges})]" if { path_beg ${CHALLENGE_PATH} } { path,map_str(${challenges}) -m found }
${renderLookup(routes, isLogged)}
${hasTcp ? `  http-request return status 404 content-type text/plain string "this host is served by TLS on port 443 alone" if { ${ROUTE_HAS} +t }\n` : ""}${isLogged ? `  http-request set-log-level silent unless { ${ROUTE_HAS} +l }\n` : ""}  http-request redirect scheme https code 308 if !{ ssl_fc } { ${ROUTE_HAS} +r }
  http-request del-header Forwarded
  http-request set-header X-Forwarded-For %[src]
  http-request set-header X-Forwarded-Host %[req.hdr(host)]
  http-request set-header X-Forwarded-Port %[dst_port]
  http-request set-header X-Forwarded-Proto https if { ssl_fc }
  http-request set-header X-Forwarded-Proto http unless { ssl_fc }
  http-request disable-l7-retry unless { method GET HEAD OPTIONS }
  use_backend %[var(txn.route),field(1,|)]
${hasTcp ? `\n${renderTcp(routes, inner)}` : ""}`;
}

/**
 * Finds a request's route. Hosts and paths are asked for as they are written, nearly always: what only others need is looked at once nothing was found.
 * Whatever spells a path in another way that a program would understand is led by what it says, or a route that asks for a password could be
 * gone around. The host is wanted by the log, too.
 */
function renderLookup(routes: string, isLogged: boolean): string {
  const unlessFound = "unless { var(txn.route) -m found }";
  return `  http-request deny deny_status 400 if { hdr(host) -m sub / }
  http-request deny deny_status 400 if { path_sub % } !{ path,url_dec -m found }
  http-request deny deny_status 400 if { path_sub /. %2 } { path,url_dec -m reg (^|/)[.][.]?(/|$) }
  http-request set-var(txn.route) base,concat(/),map_beg(${routes}) unless { base_sub % // }
  http-request set-var(txn.host) hdr(host),host_only,lower,rtrim(.)${isLogged ? "" : ` ${unlessFound}`}
  http-request set-var(txn.path) path,url_dec,regsub(//+,/,g) ${unlessFound}
  http-request set-var(txn.route) var(txn.host),concat(,txn.path,/),map_beg(${routes}) ${unlessFound}
  http-request set-var(txn.route) var(txn.host),regsub(^[^.]*,*),concat(,txn.path,/),map_beg(${routes}) ${unlessFound}
  http-request return status 404 content-type text/plain string "no route leads from this host and path" ${unlessFound}`;
}

/** Looks at the name that a client asks for by SNI, and hands on what no TCP route leads to. */
function renderTcp(routes: string, inner: string): string {
  return `frontend davit-tcp
  mode tcp
  no log
  bind :443
  tcp-request inspect-delay 5s
  tcp-request content set-var(txn.host) req.ssl_sni,lower
  tcp-request content set-var(txn.route) var(txn.host),concat(/),map_str(${routes})
  tcp-request content set-var(txn.route) var(txn.host),regsub(^[^.]*,*),concat(/),map_str(${routes}) unless { var(txn.route) -m found }
  tcp-request content accept if { req.ssl_hello_type 1 }
  use_backend %[var(txn.route),field(1,|)] if { ${ROUTE_HAS} +t }
  default_backend ${HTTPS_BACKEND}

backend ${HTTPS_BACKEND}
  mode tcp
  timeout server ${HANDED_ON_FOR}
  timeout tunnel ${HANDED_ON_FOR}
  server https ${inner} send-proxy-v2
`;
}

export type RenderInput = {
  readonly paths: IngressPaths;
  readonly layout: Layout;
  readonly routes: readonly WantedRoute[];
  /** A digest in hex. */
  readonly hash: (text: string) => string;
};

/** The file. */
export function renderConfig({ paths, layout, routes, hash }: RenderInput): string {
  const byKey = new Map(routes.map((route) => [route.key, route]));
  const parts = layout.backends.map(({ name, slots, route: key }) => {
    const route = key === undefined ? undefined : byKey.get(key);
    const input = route === undefined ? PLAIN : backendInput(route);
    const users = `users-${name}`;
    const lines = [
      ...renderBackendBody(input, hash).map((line) => line.replace("http_auth(@users)", `http_auth(${users})`)),
      ...renderServers(route?.servers ?? [], slots),
    ];
    const title = route === undefined ? `backend ${name}` : `# ${route.key} of ${route.service}\nbackend ${name}`;
    return [...renderUsers(users, input.options), title, ...lines.map((line) => `  ${line}`)].join("\n");
  });
  const { frame } = layout;
  return `${renderFrame(paths, frame, frameSignature(paths, frame, hash))}\n${parts.join("\n\n")}\n`;
}

/** What a running proxy says of itself when it has this frame. */
export function frameSignature(paths: IngressPaths, frame: Frame, hash: (text: string) => string): string {
  return hash(renderFrame(paths, frame)).slice(0, 16);
}

/** The digest of a backend's text. */
export function backendSignature(
  input: Parameters<typeof renderBackendBody>[0],
  hash: (text: string) => string,
): string {
  return hash([...renderBackendBody(input, hash), ...renderUsers("users", input.options)].join("\n")).slice(0, 10);
}
