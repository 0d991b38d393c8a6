// Endpoints of nodes' meshes as people write them.

import { expect, test } from "vitest";
import { parseMeshEndpoint } from "../../src/core/model/mesh-endpoint.ts";

test("an IPv4 address or a name, with a port or without, is an endpoint", () => {
  expect(parseMeshEndpoint("203.0.113.7")).toEqual({ host: "203.0.113.7" });
  expect(parseMeshEndpoint("n2.example.com:51821")).toEqual({ host: "n2.example.com", port: 51_821 });
});

test.each([
  "",
  "::1",
  "[2001:db8::1]:51820",
  "203.0.113",
  "203.0.113.999",
  "a b",
  "-x",
  "host:0",
  "host:70000",
  `${"a".repeat(500)}.com`,
])("%j is refused with what would do", (text) => {
  expect(() => parseMeshEndpoint(text)).toThrow(/^read the endpoint: /);
});
