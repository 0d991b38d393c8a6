// A line of the proxy's journal as a request to one service: nothing of other services, nothing that a client can forge.

import { expect, test } from "vitest";
import { parseAccessLine } from "../../../workers/agent/network/ingress/access-log.ts";

const entry = (message: unknown): string =>
  JSON.stringify({ MESSAGE: message, __REALTIME_TIMESTAMP: "1767225600123456", __CURSOR: "s=1" });
const LINE = '192.0.2.7 shop_web "shop.test" "GET /x?y=1 HTTP/2.0" 200 1234 3 5 10.210.1.2:8080';

test("a request is told with its client, host, path, status, times and container", () => {
  expect(parseAccessLine(entry(LINE), "shop_web")).toEqual({
    at: "2026-01-01T00:00:00.123Z",
    text: '192.0.2.7 shop.test "GET /x?y=1 HTTP/2.0" 200 1234 B 3/5 ms 10.210.1.2:8080',
    cursor: "s=1",
  });
  const refused = LINE.replace("200 1234 3 5 10.210.1.2:8080", "429 90 -1 0 -:-");
  expect(parseAccessLine(entry(refused), "shop_web")?.text).toContain("429 90 B -/0 ms no container");
});

test("other services' requests, the proxy's own words and what is damaged are nobody's", () => {
  for (const other of [
    entry(LINE.replace("shop_web", "shop_webs")),
    entry("[NOTICE]   (1) : New worker (12) forked"),
    entry([82, 97, 119]),
    entry(undefined),
    '{"MESSAGE":',
    "",
  ])
    expect(parseAccessLine(other, "shop_web")).toBeUndefined();
});

test("a host that a client made up cannot pass for another line", () => {
  const hostile = LINE.replace('"shop.test"', JSON.stringify('a" "GET / HTTP/1.1" 200 1 1 1 10.0.0.1:1 shop_web "b'));
  expect(parseAccessLine(entry(hostile), "shop_web")?.text).toContain('"GET /x?y=1 HTTP/2.0" 200 1234 B');
});
