// How new connections choose an endpoint: shares by weight, and the same endpoint for one client on every node.

import { describe, expect, test } from "vitest";
import type { Endpoint } from "../../../src/core/model/routes.ts";
import { choices } from "../../../workers/agent/network/firewall/balance.ts";
import { endpoint } from "./views.ts";

/** The map by which clients are led. */
function clientMap(endpoints: readonly Endpoint[]): string {
  return choices(endpoints, "client")[0]?.target ?? "";
}

const three = [endpoint("10.210.1.10"), endpoint("10.210.2.10"), endpoint("10.210.3.10")];

/** Numbers of a rendered map by what they lead to. */
function sharesOf(choice: string): ReadonlyMap<string, readonly number[]> {
  const shares = new Map<string, number[]>();
  for (const [, from, to, target = ""] of choice.matchAll(/(\d+)(?:-(\d+))? : ([\d.]+)/g)) {
    for (let number = Number(from); number <= Number(to ?? from); number++) {
      shares.set(target, [...(shares.get(target) ?? []), number]);
    }
  }
  return shares;
}

/** Shares that a walk over all numbers gives, each way taking its part of what is left. */
function walked(ways: ReturnType<typeof choices>): ReadonlyMap<string, number> {
  const shares = new Map<string, number>();
  let left = 1;
  for (const { when, target } of ways) {
    const [, of = "1", below = of] = /^numgen random mod (\d+) < (\d+)$/.exec(when) ?? [];
    const share = left * (Number(below) / Number(of));
    shares.set(target, share);
    left -= share;
  }
  expect(left).toBeCloseTo(0);
  return shares;
}

describe("at random", () => {
  test("equal weights give equal shares, and the last way is open to all", () => {
    const ways = choices(three, "random");
    expect(ways).toEqual([
      { when: "numgen random mod 3 < 1", target: "10.210.1.10" },
      { when: "numgen random mod 2 < 1", target: "10.210.2.10" },
      { when: "", target: "10.210.3.10" },
    ]);
    for (const share of walked(ways).values()) expect(share).toBeCloseTo(1 / 3);
  });

  test("shares follow weights, in the smallest numbers", () => {
    const weighed = [endpoint("10.210.1.10", { weight: 90 }), endpoint("10.210.2.10", { weight: 10 })];
    const ways = choices([...weighed, endpoint("10.210.3.10", { weight: 100 })], "random", 80);
    expect(ways[0]).toEqual({ when: "numgen random mod 20 < 9", target: "10.210.1.10:80" });
    const shares = walked(ways);
    expect(shares.get("10.210.1.10:80")).toBeCloseTo(0.45);
    expect(shares.get("10.210.2.10:80")).toBeCloseTo(0.05);
    expect(shares.get("10.210.3.10:80")).toBeCloseTo(0.5);
  });

  test("one endpoint needs no choice", () => {
    expect(choices([endpoint("10.210.1.10")], "random")).toEqual([{ when: "", target: "10.210.1.10" }]);
    expect(choices([endpoint("10.210.1.10")], "client", 80)).toEqual([{ when: "", target: "10.210.1.10:80" }]);
  });
});

describe("by client", () => {
  test("a packet that finds the map emptied has another way", () => {
    const ways = choices(three, "client", 80);
    expect(ways).toHaveLength(2);
    expect(ways[1]?.target).toMatch(/^10[.]210[.][123][.]10:80$/);
  });

  test("every number leads to an endpoint, and each endpoint has about its share", () => {
    const shares = sharesOf(clientMap(three));
    expect([...shares.values()].flat().toSorted((a, b) => a - b)).toEqual(Array.from({ length: 128 }, (_, at) => at));
    for (const numbers of shares.values()) expect(numbers.length).toBeGreaterThan(128 / 3 / 2);
  });

  test("an endpoint that goes moves its own clients only", () => {
    const before = sharesOf(clientMap(three));
    const after = sharesOf(clientMap(three.slice(0, 2)));
    for (const { address } of three.slice(0, 2)) {
      expect(after.get(address)).toEqual(expect.arrayContaining([...(before.get(address) ?? [])]));
    }
  });

  test("a greater weight has a greater share", () => {
    const shares = sharesOf(
      clientMap([endpoint("10.210.1.10", { weight: 90 }), endpoint("10.210.2.10", { weight: 10 })]),
    );
    const [more, less] = [shares.get("10.210.1.10")?.length ?? 0, shares.get("10.210.2.10")?.length ?? 0];
    expect(more).toBeGreaterThan(4 * less);
    expect(less).toBeGreaterThan(0);
  });
});
