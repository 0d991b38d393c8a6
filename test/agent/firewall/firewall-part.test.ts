// The part that keeps the packet rules, on a host that stands in for the kernel: it takes what nft would take, and loses what is taken away.

import { beforeEach, describe, expect, test } from "vitest";
import type { Log } from "../../../src/ports/log.ts";
import type { NetworkView } from "../../../src/ports/node-network.ts";
import { Conntrack } from "../../../workers/agent/network/firewall/conntrack.ts";
import type { EngineFirewall } from "../../../workers/agent/network/firewall/engine-accept.ts";
import type { FirewallHost } from "../../../workers/agent/network/firewall/firewall-host.ts";
import { FirewallPart } from "../../../workers/agent/network/firewall/firewall-part.ts";
import { planFirewall } from "../../../workers/agent/network/firewall/plan-firewall.ts";
import { PORT_TABLE } from "../../../workers/agent/network/firewall/plan-ports.ts";
import { PortGuard, type PortHost } from "../../../workers/agent/network/firewall/port-guard.ts";
import { TABLE } from "../../../workers/agent/network/firewall/names.ts";
import { renderRuleset } from "../../../workers/agent/network/firewall/ruleset.ts";
import { FakeClock, settle } from "../../fakes/fake-clock.ts";
import { endpoint, FACTS, service, viewOf } from "./views.ts";

/** A kernel that knows whether the table is there, an engine with its chain, and a bridge with ports. */
class FakeHost implements FirewallHost {
  readonly loads: string[] = [];
  readonly done: string[] = [];
  isThere = false;
  isBridged = true;
  bridgeNumber: string | undefined = "5";
  portsWithoutHairpin = 0;
  chain = "-N DOCKER-USER\n";
  bridgesTable: string | undefined;
  timeWaitFault: string | undefined;
  onChange: () => void = () => undefined;

  load(rules: string): Promise<string | undefined> {
    this.loads.push(rules);
    const isWhole = rules.startsWith("table ip davit\n");
    if (!isWhole && !this.isThere) return Promise.resolve("No such file or directory");
    if (isWhole) this.isThere = rules.includes("{");
    return Promise.resolve(undefined);
  }
  arePortsThere = true;
  tables = (): Promise<ReadonlySet<string>> =>
    Promise.resolve(new Set([...(this.isThere ? [TABLE] : []), ...(this.arePortsThere ? [PORT_TABLE] : [])]));
  requireBridgedPackets(): Promise<void> {
    return this.isBridged ? Promise.resolve() : Promise.reject(new Error("bridge-nf-call-iptables is not 1"));
  }
  bridge = (): Promise<string | undefined> => Promise.resolve(this.bridgeNumber);
  prepareLinks(_places: unknown, hasBridge: boolean): Promise<void> {
    this.done.push(hasBridge ? `prepare bridge ${this.bridgeNumber}` : "prepare links");
    return Promise.resolve();
  }
  forgetBridge(): Promise<void> {
    this.done.push("forget bridge");
    return Promise.resolve();
  }
  setHairpin(): Promise<void> {
    this.portsWithoutHairpin = 0;
    return Promise.resolve();
  }
  shortenTimeWait = (): Promise<string | undefined> => Promise.resolve(this.timeWaitFault);
  engineFirewall(): Promise<EngineFirewall> {
    const bridgesTable = this.bridgesTable === undefined ? {} : { bridgesTable: this.bridgesTable };
    return Promise.resolve({ dockerUser: { "iptables-nft": this.chain }, ...bridgesTable });
  }
  must(_: string, argv: readonly string[]): Promise<void> {
    const rule = `-A ${argv.slice(4).join(" ")}\n`;
    this.chain = argv[3] === "-D" ? this.chain.replace(rule, "") : this.chain + rule;
    return Promise.resolve();
  }
  watch(onChange: () => void): { close(): void } {
    this.onChange = onChange;
    return { close: () => (this.onChange = () => undefined) };
  }
}

const warnings: string[] = [];
const log: Log = {
  debug: () => undefined,
  info: () => undefined,
  warn: (message, fields) => void warnings.push(`${message} ${String(fields?.["reason"] ?? fields?.["said"] ?? "")}`),
  error: () => undefined,
  with: () => log,
};

/** The connections that are there, as lines of `conntrack -L`, and what was asked of the program. */
let flows = "";
let asked: string[] = [];
let isProgramBroken = false;
const conntrack = new Conntrack((argv) => {
  asked.push(argv.slice(1).join(" "));
  if (isProgramBroken) return Promise.resolve({ exitCode: 127, stdout: "", stderr: "spawn conntrack ENOENT" });
  const protocol = argv[argv.indexOf("-p") + 1];
  const isOfState = !argv.includes("--state") || flows.includes(" SYN_SENT ");
  const isListed = argv[1] === "-L" && isOfState && (!argv.includes("-p") || flows.startsWith(`${protocol} `));
  return Promise.resolve({ exitCode: 0, stdout: isListed ? flows : "", stderr: "" });
});

/** A bridge without ports, and what was loaded of them. */
let portLoads: string[] = [];
const portHost: PortHost = {
  ports: () => Promise.resolve(new Map()),
  members: () => Promise.resolve([]),
  linkOf: () => Promise.resolve(undefined),
  load: (rules) => {
    portLoads.push(rules);
    return Promise.resolve(undefined);
  },
};

let host: FakeHost;
let clock: FakeClock;
let part: FirewallPart;

beforeEach(() => {
  host = new FakeHost();
  clock = new FakeClock();
  flows = "";
  asked = [];
  isProgramBroken = false;
  portLoads = [];
  warnings.length = 0;
  part = newPart();
});

function newPart(): FirewallPart {
  const ports = new PortGuard(portHost, log);
  return new FirewallPart({ host, clock, log, conntrack, ports, endpointsOf: () => Promise.resolve(FACTS.endpoints) });
}

function viewWith(...addresses: readonly string[]): NetworkView {
  return viewOf([
    service(
      1,
      "web",
      addresses.map((address) => endpoint(address)),
    ),
  ]);
}

describe("applying", () => {
  test("makes the whole table first, then only what differs, and nothing when nothing does", async () => {
    const view = viewWith("10.210.1.10");
    await part.apply(view);
    expect(host.loads).toEqual([renderRuleset(planFirewall(view, FACTS))]);
    await part.apply(structuredClone(view));
    expect(host.loads).toHaveLength(1);
    await part.apply(viewWith("10.210.1.10", "10.210.2.10"));
    expect(host.loads[1]).toContain("add element ip davit network.front { 10.210.2.10 }");
    expect(host.loads[1]).not.toContain("delete table");
  });

  test("makes the whole table anew when the difference is refused", async () => {
    await part.apply(viewWith("10.210.1.10"));
    host.isThere = false;
    const view = viewWith("10.210.1.10", "10.210.2.10");
    await part.apply(view);
    expect(host.loads.slice(2)).toEqual([renderRuleset(planFirewall(view, FACTS))]);
  });

  test("tells the engine's firewall once", async () => {
    await part.apply(viewWith("10.210.1.10"));
    await part.apply(viewWith("10.210.2.10"));
    expect(host.chain.match(/0x20000/g)).toHaveLength(2);
  });

  test("says what the engine must be started with where only that helps, and goes on once it is", async () => {
    host.bridgesTable = "chain filter-FORWARD { policy drop; }";
    await expect(part.apply(viewWith("10.210.1.10"))).rejects.toThrow("let packets through Docker's firewall");
    host.bridgesTable = "meta mark & 0x00020000 == 0x00020000 accept";
    await part.apply(viewWith("10.210.1.10"));
  });

  test("makes nothing where bridged packets cannot be judged", async () => {
    host.isBridged = false;
    await expect(part.apply(viewWith("10.210.1.10"))).rejects.toThrow("bridge-nf-call-iptables");
    expect(host.loads).toEqual([]);
  });

  test("goes on after a view that could not be applied", async () => {
    const { node } = viewWith();
    await expect(
      part.apply({ ...viewWith(), node: { ...node, nodeId: "other" as typeof node.nodeId } }),
    ).rejects.toThrow("the routes do not list n1 yet");
    await part.apply(viewWith("10.210.1.10"));
    expect(host.isThere).toBe(true);
  });
});

describe("what is taken away by others", () => {
  test("is made again: the table", async () => {
    await part.apply(viewWith("10.210.1.10"));
    await clock.advance(2_000);
    host.isThere = false;
    host.onChange();
    await clock.advance(0);
    expect(host.isThere).toBe(true);
    expect(host.loads[1]).toBe(host.loads[0]);
  });

  test("is made again: the table, right after it was made, once its own echo has passed", async () => {
    await part.apply(viewWith("10.210.1.10"));
    host.isThere = false;
    host.onChange();
    await clock.advance(0);
    expect(host.isThere).toBe(false);
    await clock.advance(2_000);
    expect(host.isThere).toBe(true);
  });

  test("is made again at the next view, though nothing was heard and the view is the same", async () => {
    await part.apply(viewWith("10.210.1.10"));
    host.isThere = false;
    host.chain = "-N DOCKER-USER\n";
    await clock.advance(10_000);
    await part.apply(viewWith("10.210.1.10"));
    expect(host.isThere).toBe(true);
    expect(host.chain).toContain("0x20000");
  });

  test("is made again: the rule in the engine's chain, and nothing else then", async () => {
    await part.apply(viewWith("10.210.1.10"));
    await clock.advance(2_000);
    host.chain = "-N DOCKER-USER\n";
    host.onChange();
    await clock.advance(0);
    expect(host.chain).toContain("0x20000");
    expect(host.loads).toHaveLength(1);
  });

  test("is made again: what a bridge needs that was made anew, within half a second", async () => {
    host.bridgeNumber = undefined;
    await part.apply(viewWith("10.210.1.10"));
    expect(host.done).toEqual(["prepare links"]);
    host.done.length = 0;
    host.bridgeNumber = "6";
    await clock.advance(500);
    expect(host.done).toEqual(["prepare bridge 6"]);
    host.bridgeNumber = "7";
    await clock.advance(500);
    expect(host.done).toEqual(["prepare bridge 6", "prepare bridge 7"]);
  });

  test("is made again: the table of the bridge's ports, alone", async () => {
    await part.apply(viewWith("10.210.1.10"));
    await clock.advance(500);
    expect(portLoads).toHaveLength(1);
    host.arePortsThere = false;
    await clock.advance(5_000);
    host.onChange();
    await settle();
    await clock.advance(500);
    expect([portLoads.length, host.loads.length]).toEqual([2, 1]);
  });

  test("a port of the bridge that comes gets hairpin mode within half a second", async () => {
    await part.apply(viewWith("10.210.1.10"));
    host.portsWithoutHairpin = 1;
    await clock.advance(500);
    expect(host.portsWithoutHairpin).toBe(0);
  });
});

describe("connections", () => {
  const toFirst =
    "udp 17 29 src=192.0.2.9 dst=192.0.2.1 sport=5000 dport=9000 src=10.210.1.10 dst=192.0.2.9 sport=9000 dport=5000\n";

  test("by UDP to an endpoint that left are ended, also when the agent was away while it left", async () => {
    flows = toFirst;
    await part.apply(viewWith("10.210.1.10", "10.210.2.10"));
    expect(asked.filter((call) => call.startsWith("-D"))).toEqual([]);
    const withdrawn = viewOf([
      service(1, "web", [endpoint("10.210.1.10", { standing: "out" }), endpoint("10.210.2.10")]),
    ]);
    await part.apply(withdrawn);
    await settle();
    expect(asked.filter((call) => call.startsWith("-D"))).toEqual(["-D -p udp --reply-src 10.210.1.10"]);
    asked = [];
    await newPart().apply(withdrawn);
    await settle();
    expect(asked.filter((call) => call.startsWith("-D"))).toEqual(["-D -p udp --reply-src 10.210.1.10"]);
  });

  const attempt = (port: number): string =>
    `tcp 6 119 SYN_SENT src=192.0.2.9 dst=192.0.2.1 sport=${port} dport=80 [UNREPLIED] src=10.210.1.10 dst=192.0.2.9 sport=80 dport=${port}\n`;

  test("that nobody answers are ended before it is said that an endpoint left: it may be stopped from then on", async () => {
    await part.apply(viewWith("10.210.1.10", "10.210.2.10"));
    await settle();
    flows = attempt(5_000) + attempt(5_001);
    let isSaid = false;
    const applied = part.apply(viewWith("10.210.2.10")).then(() => (isSaid = true));
    await settle();
    expect([isSaid, asked.filter((call) => call.startsWith("-D"))]).toEqual([false, []]);
    // one was answered, and another made an attempt
    flows = attempt(5_001) + attempt(5_002);
    await clock.advance(250);
    await applied;
    expect(asked.filter((call) => call.startsWith("-D") && call.includes("--orig-src"))).toEqual([
      "-D -p tcp --state SYN_SENT --orig-src 192.0.2.9 --orig-dst 192.0.2.1 --sport 5001 --dport 80",
    ]);
  });

  test("are left as they are, and rules in force, where the program fails: that is told", async () => {
    await part.apply(viewWith("10.210.1.10", "10.210.2.10"));
    await settle();
    isProgramBroken = true;
    await part.apply(viewWith("10.210.2.10"));
    await settle();
    expect(host.loads.at(-1)).toContain("delete element ip davit network.front { 10.210.1.10 }");
    expect(warnings).toHaveLength(2);
    expect(warnings.every((warning) => warning.includes("were not ended"))).toBe(true);
  });

  test("of an address that is listed no more are all ended that have not ended: another task may get it", async () => {
    flows = ["ESTABLISHED", "TIME_WAIT"].map((state) => toFirst.replace("udp 17 29", `tcp 6 29 ${state}`)).join("");
    await part.apply(viewWith("10.210.1.10", "10.210.2.10"));
    await part.apply(viewWith("10.210.2.10"));
    await settle();
    expect(asked.filter((call) => call.startsWith("-D"))).toEqual([
      "-D -p tcp --state ESTABLISHED --reply-src 10.210.1.10",
    ]);
  });

  test("are not looked at when nobody left", async () => {
    await part.apply(viewWith("10.210.1.10"));
    await settle();
    asked = [];
    await part.apply(viewWith("10.210.1.10", "10.210.2.10"));
    await settle();
    expect(asked).toEqual([]);
  });
});

test("a node that leaves keeps nothing, and what is looked after ends", async () => {
  await part.apply(viewWith("10.210.1.10"));
  await part.remove();
  expect([host.isThere, host.chain, host.done.at(-1)]).toEqual([false, "-N DOCKER-USER\n", "forget bridge"]);
  host.onChange();
  await clock.advance(10_000);
  expect(host.isThere).toBe(false);
  await part.remove();
  expect(warnings).toEqual([]);
});

test("a host that remembers ended connections for long is told of once, and its rules are in force all the same", async () => {
  host.timeWaitFault = "EROFS: read-only file system";
  await part.apply(viewWith("10.210.1.10"));
  await part.apply(viewWith("10.210.1.11"));
  expect(host.isThere).toBe(true);
  expect(warnings).toEqual([expect.stringMatching(/nf_conntrack_tcp_timeout_time_wait to 5 EROFS/)]);
});
