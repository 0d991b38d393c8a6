// The difference between two tables, carried out by a small reader of nft's commands, must lead from one to the other.

import fc from "fast-check";
import { expect, test } from "vitest";
import {
  type Chain,
  type NamedSet,
  renderDifference,
  renderRuleset,
  type Ruleset,
} from "../../../workers/agent/network/firewall/ruleset.ts";

type Tables = { sets: Map<string, { type: string; elements: Map<string, string> }>; chains: Map<string, string[]> };

/** Reads the commands that differences are made of, and refuses what the kernel would: to make what is there, to take what is used. */
function carryOut(old: Ruleset, script: string): Tables {
  const sets = new Map([...old.sets].map(([name, set]) => [name, { type: set.type, elements: new Map(set.elements) }]));
  const chains = new Map([...old.chains].map(([name, chain]) => [name, [...chain.rules]]));
  const setOf = (name: string) => sets.get(name) ?? fail(`no set ${name}`);
  const chainOf = (name: string) => chains.get(name) ?? fail(`no chain ${name}`);
  for (const line of script.split("\n").filter((each) => each !== "")) {
    const [, verb = "", kind = "", name = "", rest = ""] = /^(\w+) (\w+) ip test (\S+) ?(.*)$/.exec(line) ?? fail(line);
    const isSet = kind === "set" || kind === "map";
    const inside = rest.replace(/^\{ /, "").replace(/ \}$/, "").split(", ");
    if (verb === "add" && isSet)
      sets.set(name, { type: inside.join(", ").replace(/^type (.*);$/, "$1"), elements: new Map() });
    else if (verb === "add" && kind === "chain") chains.set(name, []);
    else if (verb === "add" && kind === "rule") chainOf(name).push(rest);
    else if (verb === "add" && kind === "element") {
      for (const text of rest.replace(/^\{ /, "").replace(/ \}$/, "").split(/,\s+/)) {
        const [key = "", value = ""] = text.split(" : ");
        if (setOf(name).elements.has(key)) fail(`${key} is in ${name} already`);
        for (const used of value.match(/(?<=goto )\S+/g) ?? []) chainOf(used);
        setOf(name).elements.set(key, value);
      }
    } else if (verb === "delete" && kind === "element") {
      for (const key of inside) if (!setOf(name).elements.delete(key)) fail(`${key} is not in ${name}`);
    } else if (verb === "flush" && isSet) setOf(name).elements.clear();
    else if (verb === "flush" && kind === "chain") chainOf(name).length = 0;
    else if (verb === "delete" && isSet) {
      if ([...chains.values()].flat().some((rule) => rule.includes(`@${name} `))) fail(`${name} is used`);
      sets.delete(name);
    } else if (verb === "delete" && kind === "chain") {
      const values = [...sets.values()].flatMap((set) => [...set.elements.values()]);
      if ([...values, ...[...chains.values()].flat()].some((text) => text.endsWith(`goto ${name}`)))
        fail(`${name} is used`);
      chains.delete(name);
    } else fail(line);
  }
  return { sets, chains };
}

function fail(reason: string): never {
  throw new Error(reason);
}

/** Tables as the firewall's: chains that elements and rules lead to, sets that rules name. */
const tables: fc.Arbitrary<Ruleset> = fc
  .uniqueArray(fc.record({ id: fc.integer({ min: 0, max: 6 }), variant: fc.integer({ min: 0, max: 2 }) }), {
    selector: ({ id }) => id,
    maxLength: 6,
  })
  .map((parts) => {
    const doors = new Map<string, string>();
    const sets = new Map<string, NamedSet>([["doors", { type: "ipv4_addr : verdict", elements: doors }]]);
    const chains = new Map<string, Chain>([
      ["base", { hook: "type filter hook forward priority 0;", rules: ["ip daddr vmap @doors"] }],
    ]);
    for (const { id, variant } of parts) {
      const members = Array.from({ length: variant }, (_, at) => [`10.0.${id}.${at}`, ""] as const);
      sets.set(`net${id}`, { type: "ipv4_addr", elements: new Map(members) });
      chains.set(`to${id}`, { rules: [`ip daddr @net${id} accept`, ...(variant === 1 ? ["drop"] : [])] });
      doors.set(`10.1.0.${variant === 2 ? id : id + 10}`, `goto to${id}`);
    }
    return { table: "ip test", sets, chains };
  });

test("a difference leads from any table to any other, and in an order that the kernel takes", () => {
  fc.assert(
    fc.property(tables, tables, (old, next) => {
      const { sets, chains } = carryOut(old, renderDifference(old, next) ?? fail("it can be changed"));
      const wanted = new Map(
        [...next.sets].map(([name, set]) => [name, { type: set.type, elements: new Map(set.elements) }]),
      );
      expect(sets).toEqual(wanted);
      expect(chains).toEqual(new Map([...next.chains].map(([name, chain]) => [name, chain.rules])));
    }),
  );
});

test("there is no difference between equal tables", () => {
  fc.assert(
    fc.property(tables, (table) => {
      expect(renderDifference(table, structuredClone(table))).toBe("");
    }),
  );
});

test("another hook, type or table cannot be changed into: the whole is made anew", () => {
  const table: Ruleset = {
    table: "ip test",
    sets: new Map(),
    chains: new Map([["base", { hook: "type a;", rules: [] }]]),
  };
  expect(
    renderDifference(table, { ...table, chains: new Map([["base", { hook: "type b;", rules: [] }]]) }),
  ).toBeUndefined();
  expect(renderDifference(table, { ...table, chains: new Map() })).toBeUndefined();
  expect(renderDifference(table, { ...table, table: "ip other" })).toBeUndefined();
  const withSet = { ...table, sets: new Map([["a", { type: "ipv4_addr", elements: new Map() }]]) };
  const retyped = { ...table, sets: new Map([["a", { type: "mark", elements: new Map() }]]) };
  expect(renderDifference(withSet, retyped)).toBeUndefined();
});

test("the whole table replaces whatever is there under its name, in the same transaction", () => {
  const text = renderRuleset({ table: "ip test", sets: new Map(), chains: new Map() });
  expect(text).toBe("table ip test\ndelete table ip test\ntable ip test {\n}\n");
});
