// How new connections choose an endpoint: shares by weight, and the same endpoint for one client on every node.

import { describe, expect, test } from "vitest";
import { renderChoices } from "../../../workers/agent/network/firewall/balance.ts";
import { endpoint } from "./views.ts";

/** The first choice. */
function renderChoice(...input: Parameters<typeof renderChoices>): string {
  return renderChoices(...input)[0] ?? "";
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

describe("at random", () => {
  test("equal weights give equal shares", () => {
    expect(renderChoice(three, "random")).toBe(
      "numgen random mod 3 map { 0 : 10.210.1.10, 1 : 10.210.2.10, 2 : 10.210.3.10 }",
    );
  });

  test("shares follow weights, in the smallest numbers", () => {
    const choice = renderChoice(
      [endpoint("10.210.1.10", { weight: 90 }), endpoint("10.210.2.10", { weight: 10 })],
      "random",
      80,
    );
    expect(choice).toBe("numgen random mod 10 map { 0-8 : 10.210.1.10 . 80, 9 : 10.210.2.10 . 80 }");
  });

  test("a packet that finds the map emptied is led to the heaviest endpoint", () => {
    const two = [endpoint("10.210.1.10", { weight: 10 }), endpoint("10.210.2.10", { weight: 90 })];
    expect(renderChoices(two, "random", 80)[1]).toBe("10.210.2.10:80");
    expect(renderChoices(two, "client")[1]).toBe("10.210.2.10");
    expect(renderChoices([endpoint("10.210.1.10")], "random")).toHaveLength(1);
  });

  test("one endpoint needs no choice", () => {
    expect(renderChoice([endpoint("10.210.1.10")], "random")).toBe("10.210.1.10");
    expect(renderChoice([endpoint("10.210.1.10")], "client", 80)).toBe("10.210.1.10:80");
  });
});

describe("by client", () => {
  test("every number leads to an endpoint, and each endpoint has about its share", () => {
    const shares = sharesOf(renderChoice(three, "client"));
    expect([...shares.values()].flat().toSorted((a, b) => a - b)).toEqual(Array.from({ length: 128 }, (_, at) => at));
    for (const numbers of shares.values()) expect(numbers.length).toBeGreaterThan(128 / 3 / 2);
  });

  test("an endpoint that goes moves its own clients only", () => {
    const before = sharesOf(renderChoice(three, "client"));
    const after = sharesOf(renderChoice(three.slice(0, 2), "client"));
    for (const { address } of three.slice(0, 2)) {
      expect(after.get(address)).toEqual(expect.arrayContaining([...(before.get(address) ?? [])]));
    }
  });

  test("a greater weight has a greater share", () => {
    const shares = sharesOf(
      renderChoice([endpoint("10.210.1.10", { weight: 90 }), endpoint("10.210.2.10", { weight: 10 })], "client"),
    );
    const [more, less] = [shares.get("10.210.1.10")?.length ?? 0, shares.get("10.210.2.10")?.length ?? 0];
    expect(more).toBeGreaterThan(4 * less);
    expect(less).toBeGreaterThan(0);
  });
});
