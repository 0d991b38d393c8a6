// How the pool is shared out: nodes' own addresses, nodes' subnets, services' addresses.

import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  checkPool,
  meshAddress,
  nextServiceAddress,
  nextSubnet,
  nodeNumber,
  parseCidr,
  renderCidr,
  servicePool,
} from "../../src/core/model/subnets.ts";

const POOL = parseCidr("10.210.0.0/16");

describe("the pool", () => {
  test("has the nodes' own addresses in its zeroth subnet and the services' in its last eighth", () => {
    expect(renderCidr(servicePool(POOL))).toBe("10.210.224.0/19");
    expect(meshAddress(POOL, "10.210.3.0/24")).toBe("10.210.0.3");
    expect(nodeNumber(POOL, "10.210.3.0/24")).toBe(3);
  });

  test("gives no node a subnet of the services, and no node a number beyond a byte", () => {
    for (const text of ["10.210.0.0/16", "10.0.0.0/8", "10.210.0.0/20", "10.210.8.0/21"]) {
      const pool = checkPool(text);
      const taken = new Set<string>();
      for (let subnet = nextSubnet(pool, taken); subnet !== undefined; subnet = nextSubnet(pool, taken)) {
        taken.add(subnet);
        const number = nodeNumber(pool, subnet);
        expect(number).toBeGreaterThan(0);
        expect(number).toBeLessThan(255);
        expect(parseCidr(subnet).base).toBeLessThan(servicePool(pool).base);
      }
      expect(taken.size).toBe({ "10.210.0.0/16": 223, "10.0.0.0/8": 254, "10.210.0.0/20": 13 }[text] ?? 6);
    }
  });

  test("that is too small or too large is refused with what would do", () => {
    expect(() => checkPool("10.210.0.0/22")).toThrow("must be between /8 and /21");
    expect(() => checkPool("10.0.0.0/7")).toThrow("must be between /8 and /21");
  });
});

describe("services' addresses", () => {
  test("go round the services' part, after the one given last, and are given once", () => {
    const pool = parseCidr("10.210.8.0/21");
    const taken = new Set<string>();
    let last: string | undefined;
    const given: string[] = [];
    for (;;) {
      last = nextServiceAddress(pool, taken, last);
      if (last === undefined) break;
      given.push(last);
      taken.add(last);
    }
    expect(given).toHaveLength(254);
    expect([given[0], given[253]]).toEqual(["10.210.15.1", "10.210.15.254"]);
    taken.delete("10.210.15.7");
    expect(nextServiceAddress(pool, taken, "10.210.15.200")).toBe("10.210.15.7");
  });

  test("are never ones that are taken, whatever was last", () => {
    fc.assert(
      fc.property(
        fc.uniqueArray(fc.integer({ min: 1, max: 254 }), { maxLength: 253 }),
        fc.integer({ min: 1, max: 254 }),
        (numbers, last) => {
          const taken = new Set(numbers.map((number) => `10.210.15.${number}`));
          const next = nextServiceAddress(parseCidr("10.210.8.0/21"), taken, `10.210.15.${last}`);
          expect(next).toBeDefined();
          expect(taken.has(next ?? "")).toBe(false);
        },
      ),
    );
  });
});
