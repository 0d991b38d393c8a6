// Who may speak from which port of the bridge: what the kernel is told, and when a port is seated.

import { readFileSync } from "node:fs";
import { join } from "node:path";
import { beforeEach, describe, expect, test } from "vitest";
import type { NetworkMember } from "../../../src/ports/container-engine.ts";
import type { Log } from "../../../src/ports/log.ts";
import { readPeer } from "../../../workers/agent/network/firewall/linux-ports.ts";
import { planPorts, type Seat } from "../../../workers/agent/network/firewall/plan-ports.ts";
import { PortGuard, type PortHost } from "../../../workers/agent/network/firewall/port-guard.ts";
import { renderRuleset } from "../../../workers/agent/network/firewall/ruleset.ts";

const FIRST: Seat = {
  containerId: "c1",
  port: "veth1a",
  index: 12,
  address: "10.210.1.10",
  mac: "02:42:0a:d2:01:0a",
};
const SECOND: Seat = {
  containerId: "c2",
  port: "veth2b",
  index: 14,
  address: "10.210.1.11",
  mac: "02:42:0a:d2:01:0b",
};

/** Containers that stand on the bridge, and an engine that says so. */
class FakeHost implements PortHost {
  readonly onBridge = new Map<string, number>();
  readonly links = new Map<string, number>();
  readonly asked: string[] = [];
  readonly loads: string[] = [];
  known: NetworkMember[] = [];
  isEngineAway = false;
  isTableThere = false;
  refusal: string | undefined;

  seat({ containerId, port, index, address, mac }: Seat): void {
    this.onBridge.set(port, index);
    this.links.set(containerId, index);
    this.known.push({ containerId, address, mac });
  }
  leave({ containerId, port }: Seat): void {
    this.onBridge.delete(port);
    this.links.delete(containerId);
    this.known = this.known.filter((member) => member.containerId !== containerId);
  }
  ports = (): Promise<ReadonlyMap<string, number>> => Promise.resolve(new Map(this.onBridge));
  members(): Promise<readonly NetworkMember[]> {
    this.asked.push("members");
    return this.isEngineAway ? Promise.reject(new Error("the engine does not answer")) : Promise.resolve(this.known);
  }
  linkOf(containerId: string): Promise<number | undefined> {
    this.asked.push(containerId);
    return Promise.resolve(this.links.get(containerId));
  }
  load(rules: string): Promise<string | undefined> {
    this.loads.push(rules);
    const isWhole = rules.includes("table bridge davit {");
    if (this.refusal !== undefined) return Promise.resolve(this.refusal);
    if (!isWhole && !this.isTableThere) return Promise.resolve("No such file or directory");
    this.isTableThere = true;
    return Promise.resolve(undefined);
  }
}

const warnings: string[] = [];
const log: Log = {
  debug: () => undefined,
  info: () => undefined,
  warn: (message) => void warnings.push(message),
  error: () => undefined,
  with: () => log,
};

let host: FakeHost;
let guard: PortGuard;

beforeEach(() => {
  host = new FakeHost();
  warnings.length = 0;
  guard = new PortGuard(host, log);
});

test("the table is as it is written down", () => {
  const golden = readFileSync(join(import.meta.dirname, "..", "..", "golden", "port-rules.nft"), "utf8");
  expect(renderRuleset(planPorts([SECOND, FIRST]))).toBe(golden);
});

describe("a port", () => {
  test("is seated once the engine says whose it is, and nobody is asked again", async () => {
    host.seat(FIRST);
    await guard.look();
    await guard.look();
    expect(host.loads).toEqual([renderRuleset(planPorts([FIRST]))]);
    expect(host.asked).toEqual(["members", "c1"]);
  });

  test("that comes is added, and of those that are seated nobody is asked", async () => {
    host.seat(FIRST);
    await guard.look();
    host.seat(SECOND);
    await guard.look();
    expect(host.loads[1]).toBe(
      [
        'add element bridge davit seats { "veth2b" }',
        'add element bridge davit links { "veth2b" . 02:42:0a:d2:01:0b }',
        'add element bridge davit addresses { "veth2b" . 10.210.1.11 }',
        "",
      ].join("\n"),
    );
    expect(host.asked).toEqual(["members", "c1", "members", "c2"]);
  });

  test("that cannot be told yet stays as it was, and is asked about at each look until it can", async () => {
    host.seat(FIRST);
    host.links.clear();
    await guard.look();
    expect(host.loads).toEqual([renderRuleset(planPorts([]))]);
    host.links.set("c1", 12);
    await guard.look();
    expect(host.loads[1]).toContain('add element bridge davit seats { "veth1a" }');
  });

  test("that goes is forgotten, and one that comes by its name is another's", async () => {
    host.seat(FIRST);
    await guard.look();
    host.leave(FIRST);
    host.seat({ ...SECOND, port: FIRST.port });
    await guard.look();
    expect(host.loads[1]).toContain('delete element bridge davit addresses { "veth1a" . 10.210.1.10 }');
    expect(host.loads[1]).toContain('add element bridge davit addresses { "veth1a" . 10.210.1.11 }');
    host.leave({ ...SECOND, port: FIRST.port });
    await guard.look();
    expect(host.loads[2]).toContain('delete element bridge davit seats { "veth1a" }');
  });
});

describe("what is in the way", () => {
  test("is told once, leaves the seats that are taken, and ends with it", async () => {
    host.seat(FIRST);
    await guard.look();
    host.isEngineAway = true;
    host.seat(SECOND);
    await guard.look();
    await guard.look();
    const trouble = "containers are not kept at their own addresses: the engine does not answer";
    expect([guard.trouble, warnings, host.loads.length]).toEqual([trouble, [trouble], 1]);
    host.isEngineAway = false;
    await guard.look();
    expect([guard.trouble, host.loads.length]).toEqual([undefined, 2]);
  });

  test("a kernel without the table's family is told, and tried again", async () => {
    host.refusal = "Operation not supported";
    await guard.look();
    expect(guard.trouble).toContain("Operation not supported");
    host.refusal = undefined;
    await guard.look();
    expect([guard.trouble, host.isTableThere]).toEqual([undefined, true]);
  });

  test("a table that was taken away is made anew with all seats, though no port came or went", async () => {
    host.seat(FIRST);
    await guard.look();
    host.isTableThere = false;
    guard.lost();
    await guard.look();
    expect(host.loads.at(-1)).toBe(renderRuleset(planPorts([FIRST])));
    expect(host.asked).toEqual(["members", "c1"]);
  });
});

test("the other end of a container's link is read from what ip says", () => {
  expect(readPeer("12: eth0@if13: <BROADCAST,MULTICAST,UP,LOWER_UP> mtu 1420 qdisc noqueue state UP")).toBe(13);
  expect(readPeer("2: eth0: <BROADCAST,MULTICAST,UP,LOWER_UP> mtu 1500 qdisc noqueue state UP")).toBeUndefined();
  expect(readPeer("")).toBeUndefined();
});
