// What ip, bridge and wg of Debian 12 answer, read into the texts that the plan is compared with.

import { expect, test } from "vitest";
import {
  parseForwarding,
  parseLinks,
  parseNeighbours,
  parseRoutes,
  parseRules,
  parseWireguard,
} from "../../../workers/agent/network/mesh/read-state.ts";

test("routes of our protocol, with their tables", () => {
  const output =
    '[{"dst":"default","gateway":"10.210.0.2","dev":"davit-vx","table":"7302","flags":["onlink"]},' +
    '{"dst":"10.210.0.2","dev":"davit-wg","scope":"link","prefsrc":"10.210.0.1","flags":[]},' +
    '{"dst":"10.210.2.0/24","dev":"davit-wg","prefsrc":"10.210.0.1","flags":[]}]';
  expect([...parseRoutes(output)]).toEqual([
    "default via 10.210.0.2 dev davit-vx table 7302",
    "10.210.0.2 dev davit-wg src 10.210.0.1 table 254",
    "10.210.2.0/24 dev davit-wg src 10.210.0.1 table 254",
  ]);
  expect(parseRoutes("").size).toBe(0);
  expect(parseRoutes("[{}]").size).toBe(0);
});

test("rules of our preferences alone", () => {
  const output =
    '[{"priority":0,"src":"all","table":"local"},' +
    '{"priority":7300,"src":"all","dst":"10.210.0.0","dstlen":24,"ipproto":"udp","dport":7373,"table":"main"},' +
    '{"priority":7300,"src":"all","dst":"192.0.2.2","ipproto":"udp","dport":7373,"table":"main"},' +
    '{"priority":7301,"src":"all","fwmark":"0x10000","fwmask":"0x10000","table":"7300"},' +
    '{"priority":7303,"src":"all","fwmark":"0x102","fwmask":"0x1ff","table":"7302"},' +
    '{"priority":32766,"src":"all","table":"main"}]';
  expect([...parseRules(output)]).toEqual([
    "pref 7300 to 10.210.0.0/24 ipproto udp dport 7373 lookup main",
    "pref 7300 to 192.0.2.2 ipproto udp dport 7373 lookup main",
    "pref 7301 fwmark 0x10000/0x10000 lookup 7300",
    "pref 7303 fwmark 0x102/0x1ff lookup 7302",
  ]);
});

test("links with size, state and addresses", () => {
  const output =
    '[{"ifindex":4,"ifname":"davit-vx","flags":["BROADCAST","UP"],"mtu":1370,"address":"02:64:76:00:00:01",' +
    '"addr_info":[{"family":"inet","local":"10.210.0.1","prefixlen":32},{"family":"inet6","local":"fe80::1","prefixlen":64}]},' +
    '{"ifindex":5,"ifname":"davit-wg","flags":["NOARP"],"mtu":1420,"addr_info":[]}]';
  const links = parseLinks(output);
  expect(links.get("davit-vx")).toEqual({
    mtu: 1370,
    address: "02:64:76:00:00:01",
    isUp: true,
    addresses: ["10.210.0.1/32"],
  });
  expect(links.get("davit-wg")).toEqual({ mtu: 1420, address: "", isUp: false, addresses: [] });
});

test("neighbours and where the tunnel sends their frames", () => {
  expect([...parseNeighbours('[{"dst":"10.210.0.2","lladdr":"02:64:76:00:00:02","state":["PERMANENT"]}]')]).toEqual([
    "10.210.0.2 lladdr 02:64:76:00:00:02",
  ]);
  const forwarding =
    '[{"mac":"02:64:76:00:00:02","dst":"10.210.0.2","flags":["self"],"state":"permanent"},{"mac":"33:33:00:00:00:01","flags":["self"]}]';
  expect([...parseForwarding(forwarding)]).toEqual(["02:64:76:00:00:02 dst 10.210.0.2"]);
});

test("peers with their networks, endpoint and last handshake", () => {
  const dump =
    "priv\tpub\t51820\toff\nkey2\t(none)\t192.0.2.2:51820\t10.210.2.0/24,10.210.0.2/32\t1764000000\t1\t2\t25\nkey3\t(none)\t(none)\t(none)\t0\t0\t0\toff\n";
  expect(parseWireguard(dump)).toEqual({
    publicKey: "pub",
    port: 51_820,
    peers: new Map([
      [
        "key2",
        { allowed: ["10.210.0.2/32", "10.210.2.0/24"], handshakeAt: 1_764_000_000, endpoint: "192.0.2.2:51820" },
      ],
      ["key3", { allowed: [], handshakeAt: 0 }],
    ]),
  });
  expect(parseWireguard("")).toBeUndefined();
});
