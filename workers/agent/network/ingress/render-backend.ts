// The settings of one backend: what a route asks for beside its host and its servers. A backend's text decides what it is; a route finds one
// with the text that it needs, or the proxy is reloaded with a new one. Pure.

import {
  DEFAULT_RESPONSE_TIMEOUT_MS,
  DEFAULT_TUNNEL_TIMEOUT_MS,
  type IngressOptions,
  needsReload,
} from "../../../../src/core/model/ingress.ts";
import { quoteFormat, quotePage, quoteWord } from "./quote.ts";
import type { WantedRoute, WantedServer } from "./wanted.ts";

/** Whether a request's route has a flag: those of maps.ts, none of which is in the name of a backend or a service. */
export const ROUTE_HAS = "var(txn.route) -m sub";

/** What a backend needs of its route beside the options. */
export type BackendInput = {
  readonly options: IngressOptions;
  readonly path: string;
  readonly isTls: boolean;
  /** Names the cookie, the same on every node. */
  readonly route: string;
};

/** Every request is refused by at most this page unless the route has its own. */
const MAINTENANCE_PAGE =
  "<!doctype html><title>Maintenance</title><p>This service is being worked on. Please come back in a while.</p>";

/** A server that does not answer is left out after three failed connections, and looked at until it answers. */
const SERVER =
  "check inter 10s fastinter 1s downinter 2s rise 1 fall 2 observe layer4 error-limit 3 on-error mark-down";

/** What a spare backend is made of, and a route without options needs: nothing of its own. */
export const PLAIN: BackendInput = { options: {}, path: "/", isTls: false, route: "" };

/** What a route needs of its backend. */
export function backendInput({ spec, key }: Pick<WantedRoute, "spec" | "key">): BackendInput {
  return needsReload(spec) ? { options: spec, path: spec.path, isTls: spec.tls !== "off", route: key } : PLAIN;
}

/** The lines of a backend but its name and its servers. `hash`: a digest in hex. */
export function renderBackendBody(input: BackendInput, hash: (text: string) => string): readonly string[] {
  const { options } = input;
  if (options.protocol === "tcp") return renderTcpBody(options);
  return [
    ...access(options),
    `http-request return status 503 content-type text/html hdr Retry-After 60 string ${quotePage(options.maintenancePage ?? MAINTENANCE_PAGE)} if { ${ROUTE_HAS} +m }`,
    ...limits(options),
    ...rewrites(input),
    ...sticky(input, hash),
    `timeout server ${options.responseTimeoutMs ?? DEFAULT_RESPONSE_TIMEOUT_MS}ms`,
    `timeout tunnel ${options.tunnelTimeoutMs ?? DEFAULT_TUNNEL_TIMEOUT_MS}ms`,
    ...Object.entries(options.errorPages ?? {})
      .toSorted(([a], [b]) => (a < b ? -1 : 1))
      .map(([status, page]) => `http-error status ${status} content-type text/html string ${quotePage(page)}`),
    `default-server weight 1 ${options.protocol === "h2c" ? "proto h2 " : ""}${SERVER}`,
  ];
}

/** Connections are led, and nothing of them is read: in maintenance they are ended. */
function renderTcpBody({ allow, deny, tunnelTimeoutMs }: IngressOptions): readonly string[] {
  const timeout = `${tunnelTimeoutMs ?? DEFAULT_TUNNEL_TIMEOUT_MS}ms`;
  return [
    "mode tcp",
    ...(deny === undefined ? [] : [`tcp-request content reject if { src ${deny.join(" ")} }`]),
    ...(allow === undefined ? [] : [`tcp-request content reject unless { src ${allow.join(" ")} }`]),
    `tcp-request content reject if { ${ROUTE_HAS} +m }`,
    "retry-on conn-failure",
    `timeout server ${timeout}`,
    `timeout tunnel ${timeout}`,
    `default-server weight 1 ${SERVER}`,
  ];
}

/** Who may call, before anything else is told. */
function access({ allow, deny, users }: IngressOptions): readonly string[] {
  return [
    ...(deny === undefined ? [] : [`http-request deny deny_status 403 if { src ${deny.join(" ")} }`]),
    ...(allow === undefined ? [] : [`http-request deny deny_status 403 unless { src ${allow.join(" ")} }`]),
    ...(users === undefined ? [] : ["http-request auth realm davit unless { http_auth(@users) }"]),
    ...(users === undefined ? [] : ["http-request del-header Authorization"]),
  ];
}

function limits({ rateLimit, maxBodyBytes }: IngressOptions): readonly string[] {
  return [
    ...(rateLimit === undefined
      ? []
      : [
          `stick-table type ip size 100k expire ${rateLimit.perMs * 2}ms store http_req_rate(${rateLimit.perMs}ms)`,
          "http-request track-sc0 src",
          `http-request deny deny_status 429 if { sc_http_req_rate(0) gt ${rateLimit.requests} }`,
        ]),
    ...(maxBodyBytes === undefined
      ? []
      : [
          `http-request deny deny_status 413 if { req.hdr_val(content-length) gt ${maxBodyBytes} }`,
          'http-request return status 411 content-type text/plain string "this route wants a Content-Length" if { req.hdr(transfer-encoding) -m found }',
          'http-request return status 411 content-type text/plain string "this route wants a Content-Length" if { method POST PUT PATCH } !{ req.hdr(content-length) -m found }',
        ]),
  ];
}

function rewrites({ options, path }: BackendInput): readonly string[] {
  const escaped = path.replace(/[.*+?^${}()|[\]\\]/g, "\\$&");
  return [
    ...(options.stripPath === true && path !== "/"
      ? [
          `http-request set-header X-Forwarded-Prefix ${quoteFormat(path)}`,
          `http-request replace-path ${quoteWord(`^${escaped}/?(.*)`)} ${quoteWord("/\\1")}`,
        ]
      : []),
    ...headers("http-request", options.requestHeaders),
    ...headers("http-response", options.responseHeaders),
  ];
}

function headers(when: string, given: Readonly<Record<string, string>> | undefined): readonly string[] {
  return Object.entries(given ?? {})
    .toSorted(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, value]) =>
      value === "" ? `${when} del-header ${name}` : `${when} set-header ${name} ${quoteFormat(value)}`,
    );
}

/** The cookie is made of a server's address and a key that every node knows: any node sends its holder to the same task. */
function sticky({ options, isTls, route }: BackendInput, hash: (text: string) => string): readonly string[] {
  if (options.sticky !== true) return [];
  const name = `davit-${hash(route).slice(0, 8)}`;
  return [
    `cookie ${name} insert indirect nocache httponly ${isTls ? "secure " : ""}attr SameSite=Lax dynamic`,
    `dynamic-cookie-key ${hash(`cookie of ${route}`).slice(0, 16)}`,
  ];
}

/** The user list of a backend that asks for one. */
export function renderUsers(name: string, { users }: IngressOptions): readonly string[] {
  if (users === undefined) return [];
  return [
    `userlist ${name}`,
    ...users.map((user) => `  user ${quoteWord(user.name)} password ${quoteWord(user.hash)}`),
    "",
  ];
}

/** Its servers as slots s1…s<slots>: those that are known, then empty ones. */
export function renderServers(servers: readonly WantedServer[], slots: number): readonly string[] {
  const lines = servers.map(({ address, port, weight }, at) => `server s${at + 1} ${address}:${port} weight ${weight}`);
  const next = servers.length + 1;
  return next > slots ? lines : [...lines, `server-template s ${next}-${slots} 0.0.0.0:1 disabled`];
}
