// What constraints say, as they are written, and which nodes meet them.

import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { CONSTRAINT_OPERATORS } from "../../../src/core/model/service-spec.ts";
import { describeUnmet, meets } from "../../../src/core/schedule/constraint.ts";
import { parseConstraint, renderConstraint } from "../../../src/core/schedule/constraint-text.ts";
import { matcherOf } from "../../../src/core/schedule/pattern.ts";
import { WorldModel } from "../../fakes/world-model.ts";

function holds(text: string, labels: Record<string, string> = {}): boolean {
  const world = new WorldModel();
  const id = world.node("Web-1", labels);
  const parsed = parseConstraint(text);
  const node = world.state.node.get(id);
  if ("problem" in parsed || node === undefined) expect.fail(JSON.stringify(parsed));
  const status = world.state.nodeStatus.get(id);
  return meets(parsed.constraint, node, status === undefined ? undefined : { ...status, engineLabels: { gpu: "yes" } });
}

function problem(text: string): string {
  const parsed = parseConstraint(text);
  return "problem" in parsed ? parsed.problem : renderConstraint(parsed.constraint);
}

describe("what a constraint holds for", () => {
  const labels = { zone: "B", disk_gb: "500", empty: "", version: "1.2.3" };
  test.each([
    ["node.labels.zone == b", true],
    ["node.labels.zone==B", true],
    ["node.labels.zone != b", false],
    ["node.labels.rack != r1", true],
    ["node.labels.rack == r1", false],
    ["node.labels.zone in (a, b)", true],
    ["node.labels.zone in ( a )", false],
    ["node.labels.zone notin (a)", true],
    ["node.labels.zone not in (a, b)", false],
    ["node.labels.rack notin (r1)", true],
    ["node.labels.rack in (r1)", false],
    ["node.labels.zone exists", true],
    ["node.labels.empty exists", true],
    ["node.labels.rack exists", false],
    ["node.labels.rack !exists", true],
    ["node.labels.rack not exists", true],
    ["engine.labels.gpu exists", true],
    ["node.labels.disk_gb >= 500", true],
    ["node.labels.disk_gb > 500", false],
    ["node.labels.disk_gb<=500.0", true],
    ["node.labels.disk_gb < 1000", true],
    ["node.labels.version > 1", false],
    ["node.labels.rack < 5", false],
    ["node.labels.rack >= 5", false],
    ["node.hostname == web-*", true],
    ["node.hostname == WEB-?", true],
    ["node.hostname != web-*", false],
    ["node.hostname == web", false],
    ["node.hostname == w*b*1", true],
    ["node.hostname in (db-*, web-*)", true],
    ["node.platform.os == linux", true],
    ["node.platform.arch == x86_64", true],
    ["node.platform.arch == amd64", true],
    ["node.platform.arch != arm64", true],
    ["node.role == worker", true],
    ["node.ip == 10.0.0.11", true],
    ["node.ip == 10.0.0.0/8", true],
    ["node.ip != 10.0.0.0/24", false],
    ["node.ip == 192.168.0.0/16", false],
    ["node.ip in (192.168.0.0/16, 10.0.0.8/29)", true],
    ["node.ip == 10.0.*", true],
  ])("says of %s that it is met: %s", (text, expected) => {
    expect(holds(text, labels)).toBe(expected);
  });
});

describe("what is wrong with a constraint is said, with what is near", () => {
  test.each([
    ["disk == ssd", /^'disk' is not an attribute of a node: node\.id, .*engine\.labels\.NAME$/],
    ["node.hostnam == n1", /did you mean node\.hostname\?/],
    ["node.label.disk == ssd", /did you mean node\.labels\.disk\?/],
    ["engin.labels.a.b exists", /did you mean engine\.labels\.a\.b\?/],
    ["node.labels. == x", /names no label/],
    ["node.labels.disk = ssd", /'=' is not an operator; did you mean ==\?/],
    ["node.labels.disk => 5", /did you mean >=\?/],
    ["node.labels.disk exist", /did you mean exists\?/],
    ["node.labels.disk like s*", /'like' is not an operator: == !=/],
    ["node.labels.zone in a, b", /write its values in parentheses: in \(a, b\)/],
    ["node.labels.zone in ()", /there are no values/],
    ["node.labels.disk_gb >= 500GB", /'500GB' is not a number/],
    ["node.labels.disk_gb < ", /'' is not a number/],
    ["node.labels.disk == ", /its value is empty/],
    ["node.labels.disk == a\\", /ends in the middle of an escape/],
    ["node.ip == 10.0.0.0/33", /is not an IPv4 network: write 10\.0\.0\.0\/8/],
    ["node.ip in (10.0.0.1, 10.0/8)", /'10\.0\/8' is not an IPv4 network/],
    ["node.role == wrker", /fits no node|is a worker/],
    ["node.role == leader", /'leader' is not a role/],
    ["node.role == manager", /fits no node: the coordinator runs no tasks/],
    ["node.role", /is not a constraint: write node\.labels\.disk == ssd/],
    ["", /is not a constraint/],
  ])("says what is wrong with %s", (text, expected) => {
    expect(problem(text)).toMatch(expected);
  });

  test("whatever is read is written as it can be read again", () => {
    const value = fc.constantFrom("a", "b-*", "10.0.0.0/8", "5", "1.5", "?x", "a, b");
    fc.assert(
      fc.property(
        fc.constantFrom("node.ip", "node.hostname", "node.labels.a.b"),
        fc.constantFrom(...CONSTRAINT_OPERATORS),
        value,
        (attribute, operator, text) => {
          const first = parseConstraint(renderConstraint({ attribute, operator, value: text }));
          if ("problem" in first) return;
          expect(parseConstraint(renderConstraint(first.constraint))).toEqual(first);
        },
      ),
    );
  });

  test("no text makes the reader throw", () => {
    fc.assert(
      fc.property(fc.string({ maxLength: 80 }), (text) => {
        for (const written of [text, `node.labels.a ${text}`])
          expect(Object.keys(parseConstraint(written))).toHaveLength(1);
      }),
    );
  });
});

describe("patterns", () => {
  test("a star takes any run, a question mark one character, a backslash the next one as it is", () => {
    const cases = [
      ["*", "", true],
      ["a*", "a", true],
      ["a*c", "abbc", true],
      ["a*c", "abcd", false],
      ["a?c", "ac", false],
      ["*b*", "abc", true],
      ["a\\*", "a*", true],
      ["a\\*", "ab", false],
      ["**a**", "xa", true],
    ] as const;
    for (const [pattern, value, expected] of cases)
      expect(`${pattern} ${value} ${matcherOf("node.hostname", pattern)(value)}`).toBe(
        `${pattern} ${value} ${expected}`,
      );
  });

  test("agrees with a regular expression, and takes no long time for many stars", () => {
    fc.assert(
      fc.property(
        fc.array(fc.constantFrom("a", "b", "*", "?"), { maxLength: 8 }),
        fc.array(fc.constantFrom("a", "b"), { maxLength: 8 }),
        (pattern, value) => {
          const expression = new RegExp(`^${pattern.join("").replaceAll("*", ".*").replaceAll("?", ".")}$`);
          if (pattern.length === 0) return;
          expect(matcherOf("node.hostname", pattern.join(""))(value.join(""))).toBe(expression.test(value.join("")));
        },
      ),
    );
    expect(matcherOf("node.hostname", `${"a*".repeat(60)}b`)("a".repeat(2_000))).toBe(false);
  });
});

test("what a node lacks is told for one and for several", () => {
  const told = (text: string): string => {
    const parsed = parseConstraint(text);
    return "problem" in parsed ? parsed.problem : describeUnmet(parsed.constraint).several;
  };
  expect(told("node.labels.disk == ssd")).toBe("lack label disk=ssd");
  expect(told("node.labels.gpu exists")).toBe("lack label gpu");
  expect(told("node.labels.gpu !exists")).toBe("have label gpu");
  expect(told("engine.labels.zone in (a, b)")).toBe("lack engine label zone in (a, b)");
  expect(told("node.labels.gb >= 5")).toBe("lack label gb >= 5");
});
