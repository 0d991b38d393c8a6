// The proxy's settings as text: one golden file with every option in it (the lab has the proxy itself check it), and hostile values that stay
// inside their quotes.

import { join } from "node:path";
import fc from "fast-check";
import { expect, test } from "vitest";
import type { IngressSpec } from "../../../src/core/model/ingress.ts";
import { asId } from "../../../src/core/model/ids.ts";
import { createHasher } from "../../../src/system/hasher.ts";
import { EMPTY_LAYOUT, planLayout, SPARES } from "../../../workers/agent/network/ingress/layout.ts";
import { quoteWord } from "../../../workers/agent/network/ingress/quote.ts";
import { backendInput, PLAIN } from "../../../workers/agent/network/ingress/render-backend.ts";
import { backendSignature, frameOf, renderConfig } from "../../../workers/agent/network/ingress/render-config.ts";
import type { WantedRoute } from "../../../workers/agent/network/ingress/wanted.ts";
import { FULL_ROUTE } from "../../fakes/full-route.ts";
import { DIRECTORY } from "./fake-proxy.ts";

const hasher = createHasher();
const hash = (text: string): string => hasher.hash(text);

const FULL: IngressSpec = {
  ...FULL_ROUTE,
  host: "api.example.com",
  path: "/v1",
  port: 9090,
  tls: "internal",
  users: [{ name: "ann", hash: "$6$salt$0123456789" }],
  requestHeaders: { "X-From": "50% of 'it'" },
};

function wanted(spec: IngressSpec, addresses: readonly string[]): WantedRoute {
  const servers = addresses.map((address) => ({ address, port: spec.port, weight: 100 }));
  const key = `${spec.host}${spec.path === "/" ? "" : spec.path}/`;
  return { key, serviceId: asId("s1"), service: "shop_web", spec, isInMaintenance: false, servers };
}

function layoutOf(routes: readonly WantedRoute[]) {
  const demands = routes.map((route) => ({
    key: route.key,
    input: backendInput(route),
    servers: route.servers.length,
  }));
  return planLayout(
    EMPTY_LAYOUT,
    demands,
    backendSignature(PLAIN, hash),
    (input) => backendSignature(input, hash),
    frameOf(routes),
  );
}

test("the settings of a plain route, one with every option, and the spare ones are these", async () => {
  const plain: IngressSpec = { host: "shop.example.com", path: "/", port: 8080, tls: "auto" };
  const routes = [wanted(FULL, ["10.210.1.2", "10.210.2.2"]), wanted(plain, ["10.210.1.3"])];
  const layout = layoutOf(routes);
  expect(layout.backends).toHaveLength(2 + SPARES);
  const shown = { ...layout, backends: layout.backends.slice(0, 3) };
  const text = renderConfig({
    paths: { directory: DIRECTORY, runtimeDirectory: "/run/davit-ingress" },
    layout: shown,
    routes,
    hash,
  });
  await expect(text).toMatchFileSnapshot(join(import.meta.dirname, "../../golden/haproxy.cfg"));
});

test("the settings with a route that is led by SNI are these: a door before the door, and one backend that reads nothing", async () => {
  const tcp: IngressSpec = {
    host: "db.example.com",
    path: "/",
    port: 5432,
    tls: "off",
    protocol: "tcp",
    tunnelTimeoutMs: 600_000,
    allow: ["10.0.0.0/8"],
  };
  const routes = [wanted(tcp, ["10.210.1.2"])];
  const layout = layoutOf(routes);
  const shown = { ...layout, backends: layout.backends.slice(0, 1) };
  const paths = { directory: DIRECTORY, runtimeDirectory: "/run/davit-ingress" };
  const text = renderConfig({ paths, layout: shown, routes, hash });
  await expect(text).toMatchFileSnapshot(join(import.meta.dirname, "../../golden/haproxy-tcp.cfg"));
});

test("planning the same routes again changes nothing, and a route that goes leaves its backend to the next", () => {
  const [one, two] = [
    wanted({ host: "a.test", path: "/", port: 1, tls: "off" }, []),
    wanted({ host: "b.test", path: "/", port: 1, tls: "off" }, []),
  ];
  const plan = (before: ReturnType<typeof layoutOf>, routes: readonly WantedRoute[]) =>
    planLayout(
      before,
      routes.map((route) => ({ key: route.key, input: backendInput(route), servers: 0 })),
      backendSignature(PLAIN, hash),
      (input) => backendSignature(input, hash),
      frameOf(routes),
    );
  const first = plan(EMPTY_LAYOUT, [one]);
  expect(plan(first, [one])).toEqual(first);
  const second = plan(first, [two]);
  expect(second.next).toBe(first.next);
  expect(second.backends.map(({ name }) => name).sort()).toEqual(first.backends.map(({ name }) => name).sort());
});

/** As the proxy reads a word: strong quotes hold anything, a backslash outside of them the next character. Undefined when it is not one word. */
function unquoted(text: string): string | undefined {
  let word = "";
  let isInside = false;
  for (let at = 0; at < text.length; at++) {
    const char = text[at] ?? "";
    if (char === "'") isInside = !isInside;
    else if (char === "\\" && !isInside) word += text[++at] ?? "";
    else if (!isInside && /[\s#"]/.test(char)) return undefined;
    else word += char;
  }
  return isInside ? undefined : word;
}

test("whatever a value holds, the proxy reads it as one word", () => {
  const words = fc.oneof(fc.string({ unit: "grapheme-ascii" }), fc.stringMatching(/^[' "#\\%$]*$/));
  const check = () => fc.assert(fc.property(words, (text) => unquoted(quoteWord(text)) === text));
  expect(check).not.toThrow();
});
