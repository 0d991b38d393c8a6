// The tables that a proxy looks requests up in, as it holds them and as they are on the disk: host and path to backend, challenge to answer.
// A route's value is its backend, then flags (+r leads to HTTPS, +m is in maintenance, +l is logged, +t is led
// by SNI and not read), then its service for the log. Pure.

import { CHALLENGE_PATH } from "./render-config.ts";
import type { Wanted, WantedRoute } from "./wanted.ts";

/** Key to value, sorted by key. */
export type ProxyMap = ReadonlyMap<string, string>;

/** What each route's key leads to. `backendOf`: its backend; a route without one is left out. */
export function routesMap(routes: readonly WantedRoute[], backendOf: (key: string) => string | undefined): ProxyMap {
  return new Map(
    routes.flatMap((route) => {
      const backend = backendOf(route.key);
      return backend === undefined ? [] : [[route.key, `${backend}|${flagsOf(route)}|${route.service}`] as const];
    }),
  );
}

function flagsOf({ spec, isInMaintenance }: WantedRoute): string {
  const leadsToHttps = spec.tls !== "off" && spec.plainHttp !== true;
  return `-${leadsToHttps ? "+r" : ""}${isInMaintenance ? "+m" : ""}${spec.accessLog === true ? "+l" : ""}${spec.protocol === "tcp" ? "+t" : ""}`;
}

/** The backend that a value of the routes' map names. */
export function backendIn(value: string): string {
  return value.slice(0, value.indexOf("|"));
}

/** What each asked path is answered with. */
export function challengesMap({ challenges }: Pick<Wanted, "challenges">): ProxyMap {
  const entries = challenges.map(({ token, answer }) => [`${CHALLENGE_PATH}${token}`, answer] as const);
  return new Map(entries.toSorted(([a], [b]) => (a < b ? -1 : 1)));
}

/** As the proxy reads it at its start. */
export function renderMap(map: ProxyMap): string {
  return [...map].map(([key, value]) => `${key} ${value}\n`).join("");
}
