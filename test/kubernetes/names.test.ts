// Names, amounts and texts as Kubernetes wants them.

import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { escapeDollars } from "../../src/kubernetes/manifest.ts";
import { dnsLabel, isDnsLabel, Names, shortName } from "../../src/kubernetes/names.ts";
import { byteQuantity, cpuQuantity } from "../../src/kubernetes/quantities.ts";

describe("names", () => {
  test("a legal name stays, any other becomes the nearest one", () => {
    expect(["web", "my_db", "My.DB", "1st", "--", "a".repeat(70)].map((text) => dnsLabel(text))).toEqual([
      "web",
      "my-db",
      "my-db",
      "x-1st",
      "x",
      "a".repeat(63),
    ]);
  });

  test("any text becomes a legal name, and many become as many different ones", () => {
    fc.assert(
      fc.property(fc.uniqueArray(fc.string({ maxLength: 80 })), fc.integer({ min: 8, max: 63 }), (texts, max) => {
        const given = [...new Names(max).takeAll(texts).values()];
        expect(given.every((name) => isDnsLabel(name) && name.length <= max)).toBe(true);
        expect(new Set(given).size).toBe(texts.length);
      }),
    );
  });

  test("a legal name is not taken by one that only becomes it, in any order", () => {
    const names = new Names().takeAll(["my_db", "my.db", "my-db"]);
    expect(Object.fromEntries(names)).toEqual({ "my-db": "my-db", "my.db": "my-db-2", my_db: "my-db-3" });
    expect(new Names().takeAll(["my-db", "my_db", "my.db"])).toEqual(names);
  });

  test("the stack's name in front is left out, and nothing else", () => {
    expect([shortName("shop_web", "shop"), shortName("shop_", "shop"), shortName("other_web", "shop")]).toEqual([
      "web",
      "shop_",
      "other_web",
    ]);
  });
});

describe("amounts", () => {
  test("CPUs are thousandths, never none", () => {
    expect([2, 0.5, 0.1 + 0.2, 0.0001, 1.25].map(cpuQuantity)).toEqual(["2", "500m", "300m", "1m", "1250m"]);
  });

  test("bytes are in the largest unit that divides them", () => {
    expect([0, 1_000, 1_024, 1_536, 2 ** 30, 3 * 2 ** 40].map(byteQuantity)).toEqual([
      "0",
      "1000",
      "1Ki",
      "1536",
      "1Gi",
      "3Ti",
    ]);
  });
});

/** As the kubelets expand variables, for a container that has every one. */
function expanded(text: string): string {
  return text.replaceAll(/\$(\$|\([^)]*\))/g, (_, next: string) => (next === "$" ? "$" : "a value"));
}

test("a text with dollars is after the kubelet's expansion what it was before the export", () => {
  expect(escapeDollars("$(date) $HOME $$ ${X} $")).toBe("$$(date) $HOME $$$ ${X} $");
  const text = fc.string({ unit: fc.constantFrom("$", "(", ")", "A", " ") });
  fc.assert(fc.property(text, (value) => expanded(escapeDollars(value)) === value));
});
