// What is said of a way between two nodes, by what was measured: each fault with what to do about it.

import { expect, test } from "vitest";
import { judgePeer, type PeerMeasurement } from "../../../src/core/mesh/judge-peer.ts";

const good: PeerMeasurement = {
  nodeId: "n2",
  name: "n2",
  endpoint: "192.0.2.2:51820",
  encryption: "wireguard",
  hasKey: true,
  handshakeAgoS: 12,
  hostAnswers: true,
  small: { sent: 10, back: 10, medianMs: 0.5 },
  full: { sent: 5, back: 5, bytes: 1_420 },
};
const silent = { small: { sent: 10, back: 0 }, full: { sent: 5, back: 0, bytes: 1_420 } } as const;

function without<Key extends keyof PeerMeasurement>(key: Key): Omit<PeerMeasurement, Key> {
  const { [key]: _, ...rest } = good;
  return rest;
}

test("a way that loses nothing is good, and one packet of ten is no word worth", () => {
  expect(judgePeer("n1", good)).toEqual({ verdict: "good", problem: "", wayOut: "" });
  expect(judgePeer("n1", { ...good, small: { sent: 10, back: 9 } }).verdict).toBe("good");
});

test.each([
  ["no key", { ...good, ...silent, hasKey: false }, "n2 has not told a key", "journalctl -u davit-agent"],
  ["no host", { ...good, ...silent, hostAnswers: false }, "does not answer n1 at 192.0.2.2", "davit node inspect n2"],
  [
    "no handshake",
    { ...without("handshakeAgoS"), ...silent },
    "never shook hands: packets to UDP 192.0.2.2:51820 get lost",
    "open UDP 51820 both ways",
  ],
  [
    "a handshake, and then nothing",
    { ...good, ...silent },
    "nothing comes back to n1 from n2 through the mesh, though they shook hands 12 s ago",
    "nft list ruleset",
  ],
  [
    "full packets lost",
    { ...good, full: { sent: 5, back: 0, bytes: 1_420 } },
    "packets of 1420 bytes from n1 to n2 get lost, small ones arrive",
    "lower the MTU",
  ],
] as const)("%s is bad, in words and with a way out", (_what, measured, problem, wayOut) => {
  const verdict = judgePeer("n1", measured);
  expect(verdict.verdict).toBe("bad");
  expect(verdict.problem).toContain(problem);
  expect(verdict.wayOut).toContain(wayOut);
});

test("a way that loses more is poor", () => {
  expect(judgePeer("n1", { ...good, small: { sent: 10, back: 7 } })).toMatchObject({
    verdict: "poor",
    problem: "30 % of the packets from n1 to n2 get lost",
  });
});

test("without encryption nobody shakes hands, and nobody is blamed for it", () => {
  const { problem } = judgePeer("n1", { ...without("handshakeAgoS"), ...silent, encryption: "off" });
  expect(problem).toBe("nothing comes back to n1 from n2 through the mesh");
});
