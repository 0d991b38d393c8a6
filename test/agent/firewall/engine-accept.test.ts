// How Docker is told to let packets through, for each way in which it keeps its firewall.

import { describe, expect, test } from "vitest";
import { planEngineAccept, planEngineForget } from "../../../workers/agent/network/firewall/engine-accept.ts";

const OURS = "-A DOCKER-USER -m mark --mark 0x20000/0x20000 -m comment --comment davit -j ACCEPT";
const EMPTY = "-N DOCKER-USER\n";
const RULE = [
  "DOCKER-USER",
  "-m",
  "mark",
  "--mark",
  "0x20000/0x20000",
  "-m",
  "comment",
  "--comment",
  "davit",
  "-j",
  "ACCEPT",
];

describe("an engine that keeps its rules by iptables", () => {
  test.each([["iptables-nft"], ["iptables-legacy"], ["iptables"]] as const)(
    "gets the rule where its chain is: %s",
    (program) => {
      const accept = planEngineAccept({ dockerUser: { [program]: EMPTY } });
      expect(accept).toEqual({ kind: "rules", commands: [[program, "-w", "5", "-I", ...RULE]] });
    },
  );

  test("gets it in both backends where both have the chain, and once where iptables is another name for one", () => {
    const accept = planEngineAccept({
      dockerUser: { "iptables-nft": EMPTY, "iptables-legacy": `${EMPTY}-A DOCKER-USER -j RETURN\n`, iptables: EMPTY },
    });
    const programs = accept.kind === "rules" ? accept.commands.map(([program]) => program) : [];
    expect(programs).toEqual(["iptables-nft", "iptables-legacy"]);
  });

  test("has nothing done when the rule is there", () => {
    const dockerUser = { "iptables-nft": `${EMPTY}${OURS}\n-A DOCKER-USER -j RETURN\n` };
    expect(planEngineAccept({ dockerUser })).toEqual({ kind: "rules", commands: [] });
  });

  test("has a rule moved that fell behind the chain's end, and one that the user put before it left in its place", () => {
    const behind = planEngineAccept({ dockerUser: { iptables: `${EMPTY}-A DOCKER-USER -j RETURN\n${OURS}\n` } });
    const verbs = behind.kind === "rules" ? behind.commands.map((argv) => argv[3]) : [];
    expect(verbs).toEqual(["-D", "-I"]);
    const first = `${EMPTY}-A DOCKER-USER -s 203.0.113.0/24 -j DROP\n${OURS}\n`;
    expect(planEngineAccept({ dockerUser: { iptables: first } })).toEqual({ kind: "rules", commands: [] });
  });

  test("without its chain drops nothing, and nothing is done", () => {
    expect(planEngineAccept({ dockerUser: {} })).toEqual({ kind: "rules", commands: [] });
    expect(planEngineForget({ dockerUser: {} })).toEqual([]);
  });

  test("loses the rule when the node leaves, where it is", () => {
    const dockerUser = { "iptables-nft": `${EMPTY}${OURS}\n`, "iptables-legacy": EMPTY, iptables: `${EMPTY}${OURS}\n` };
    expect(planEngineForget({ dockerUser })).toEqual([["iptables-nft", "-w", "5", "-D", ...RULE]]);
  });
});

describe("an engine that keeps its rules in nftables", () => {
  test("must be started with an option, which is named", () => {
    const accept = planEngineAccept({ dockerUser: {}, bridgesTable: "chain filter-FORWARD { policy drop; }" });
    expect(accept).toEqual({ kind: "option", name: "bridge-accept-fwmark", value: "0x20000/0x20000" });
  });

  test("and was started with it needs nothing", () => {
    const bridgesTable = "chain filter-FORWARD { meta mark & 0x00020000 == 0x00020000 counter accept; }";
    expect(planEngineAccept({ dockerUser: {}, bridgesTable })).toEqual({ kind: "rules", commands: [] });
  });
});
