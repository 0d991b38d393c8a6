// Whether a node has what a placement constraint asks for. Pure.

import { assertNever } from "../model/invariant.ts";
import type { Node, NodeStatus } from "../model/records.ts";
import type { Constraint } from "../model/service-spec.ts";
import { attributeOf } from "./attribute.ts";
import { DECIMAL, valuesIn } from "./constraint-text.ts";
import { matcherOf, normalArchitecture } from "./pattern.ts";

type Test = (value: string | undefined) => boolean;

/** What a constraint comes to, made once for each: it is asked of every node. Records never change, so neither does this. */
const TESTS = new WeakMap<Constraint, Test>();

/** Whether a node meets a constraint. An absent value equals nothing: `!=` and `notin` hold for it, comparisons do not. */
export function meets(constraint: Constraint, node: Node, status: NodeStatus | undefined): boolean {
  let test = TESTS.get(constraint);
  if (test === undefined) {
    test = testOf(constraint);
    TESTS.set(constraint, test);
  }
  return test(attributeOf(node, status, constraint.attribute));
}

function testOf({ attribute, operator, value }: Constraint): Test {
  const isOneOf = (patterns: readonly string[]): Test => {
    const matchers = patterns.map((pattern) => matcherOf(attribute, pattern));
    return (actual) => actual !== undefined && matchers.some((matches) => matches(actual));
  };
  const compares = (holds: (a: number, b: number) => boolean): Test => {
    return (actual) => actual !== undefined && DECIMAL.test(actual) && holds(Number(actual), Number(value));
  };
  switch (operator) {
    case "==":
      return isOneOf([value]);
    case "!=":
      return not(isOneOf([value]));
    case "in":
      return isOneOf(valuesIn(value));
    case "notin":
      return not(isOneOf(valuesIn(value)));
    case "exists":
      return (actual) => actual !== undefined;
    case "!exists":
      return (actual) => actual === undefined;
    case "<":
      return compares((a, b) => a < b);
    case "<=":
      return compares((a, b) => a <= b);
    case ">":
      return compares((a, b) => a > b);
    case ">=":
      return compares((a, b) => a >= b);
    default:
      return assertNever(operator);
  }
}

function not(test: Test): Test {
  return (actual) => !test(actual);
}

/** "lacks label disk=ssd", "has label gpu": what keeps a node from meeting a constraint, for one node and for several. */
export function describeUnmet({ attribute, operator, value }: Constraint): {
  readonly one: string;
  readonly several: string;
} {
  const name = attribute.replace(/^node\.labels\./, "label ").replace(/^engine\.labels\./, "engine label ");
  if (operator === "!exists") return { one: `has ${name}`, several: `have ${name}` };
  const what = { "==": `${name}=${value}`, "!=": `${name} other than ${value}`, exists: name }[operator as string];
  const isList = operator === "in" || operator === "notin";
  const told = what ?? `${name} ${operator} ${isList ? `(${value})` : value}`;
  return { one: `lacks ${told}`, several: `lack ${told}` };
}

/** Whether a node can run one of the platforms ("linux/amd64"); empty means any. */
export function runsPlatform(platforms: readonly string[], status: NodeStatus | undefined): boolean {
  if (platforms.length === 0) return true;
  return platforms.some((platform) => {
    const [os = "", architecture = ""] = platform.split("/");
    const isArchitecture = normalArchitecture(architecture) === normalArchitecture(status?.platform.arch ?? "");
    return os === status?.platform.os && (architecture === "" || isArchitecture);
  });
}
