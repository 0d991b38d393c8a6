// Who listens on which port, read from the kernel's tables, and whose listening is in the way of whose publishing.

import { describe, expect, test } from "vitest";
import { isInTheWay, ListenerReader, parseListeners } from "../../workers/agent/host/listening.ts";

const HEAD = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode";

describe("the kernel's tables", () => {
  test("listening TCP sockets are told with address, port and inode; connections are not", () => {
    const table = [
      HEAD,
      "   0: 00000000:0016 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 4711 1 0 100 0 0 10 0",
      "   1: 0100007F:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 4712 1 0 100 0 0 10 0",
      "   2: 0B00520A:0016 0100520A:C350 01 00000000:00000000 00:00000000 00000000     0        0 4713 1 0 100 0 0 10 0",
      "",
    ].join("\n");
    expect(parseListeners(table, "tcp")).toEqual([
      { port: "22/tcp", address: "any", inode: "4711" },
      { port: "8080/tcp", address: "127.0.0.1", inode: "4712" },
    ]);
  });

  test("IPv6's wildcard is any address, too", () => {
    const zeros = "0".repeat(32);
    const line = `   0: ${zeros}:0050 ${zeros}:0000 0A 00000000:00000000 00:00000000 00000000     0        0 9 1`;
    expect(parseListeners(`${HEAD}\n${line}\n`, "tcp")).toEqual([{ port: "80/tcp", address: "any", inode: "9" }]);
  });

  test("IPv4 in the clothes of IPv6 is IPv4", () => {
    const line = `   0: 0000000000000000FFFF00000100007F:0050 ${"0".repeat(32)}:0000 0A 0:0 0:0 0 0 0 9 1`;
    expect(parseListeners(`${HEAD}\n${line}\n`, "tcp")).toEqual([{ port: "80/tcp", address: "127.0.0.1", inode: "9" }]);
  });

  test("of this machine are told with their processes, without those that are davit's own", () => {
    const server = Bun.listen({ hostname: "127.0.0.1", port: 0, socket: { data: () => undefined } });
    try {
      const own = { protocol: "tcp", port: server.port, address: "127.0.0.1" };
      const found = new ListenerReader().read(new Set()).find(({ port }) => port === server.port);
      expect(found).toMatchObject(own);
      expect(found?.process).toContain(`(pid ${process.pid})`);
      const others = new ListenerReader().read(new Set([`${server.port}/tcp`]));
      expect(others.some(({ port }) => port === server.port)).toBe(false);
    } finally {
      server.stop(true);
    }
  });

  test("an unconnected UDP socket listens", () => {
    const line = "  10: 00000000:0035 00000000:0000 07 00000000:00000000 00:00000000 00000000     0        0 12 2";
    expect(parseListeners(`${HEAD}\n${line}\n`, "udp")).toEqual([{ port: "53/udp", address: "any", inode: "12" }]);
  });
});

test.each([
  ["127.0.0.53", undefined, true],
  ["127.0.0.53", "0.0.0.0", true],
  ["any", "10.0.0.7", true],
  ["10.0.0.7", "10.0.0.7", true],
  ["127.0.0.53", "10.0.0.7", false],
  ["10.0.0.8", "10.0.0.7", false],
])("a listener on %s and a port published on %s collide: %s", (address, hostIp, collide) => {
  expect(isInTheWay(address, hostIp)).toBe(collide);
});
