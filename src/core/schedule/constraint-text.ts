// Constraints as users write them: `node.labels.zone in (a, b)`, `node.labels.gpu exists`, `node.labels.disk_gb >= 500`. Pure.

import { nearest } from "../model/nearest.ts";
import { type Constraint, CONSTRAINT_OPERATORS, type ConstraintOperator } from "../model/service-spec.ts";
import { attributeProblem } from "./attribute.ts";
import { patternProblem } from "./pattern.ts";

/** A decimal number: what comparisons can be made with. */
export const DECIMAL = /^-?\d+(\.\d+)?$/;

const SIGNS = /^\s*([^\s=!<>~]+)\s*([=!<>~]+)\s*(.*?)\s*$/;
const SET = /^\s*(\S+)\s+(in|notin|not\s+in)\s*\((.*)\)\s*$/;
const PRESENCE = /^\s*(\S+)\s+(exists|!\s*exists|not\s+exists)\s*$/;
const WORDS = /^\s*(\S+)\s+(\S+)/;
const OTHER_SIGNS: Readonly<Record<string, ConstraintOperator>> = {
  "=": "==",
  "===": "==",
  "=~": "==",
  "~": "==",
  "!": "!=",
  "<>": "!=",
  "!==": "!=",
  "!~": "!=",
  "=>": ">=",
  "=<": "<=",
};

export type ParsedConstraint = { readonly constraint: Constraint } | { readonly problem: string };

/** Reads one constraint. A problem is a sentence that names the text, and the nearest thing that is right. */
export function parseConstraint(text: string): ParsedConstraint {
  const parsed = split(text);
  if ("problem" in parsed) return parsed;
  const problem = constraintProblem(parsed.constraint);
  return problem === undefined ? parsed : { problem };
}

function split(text: string): ParsedConstraint {
  const presence = PRESENCE.exec(text);
  if (presence !== null) return made(presence[1], presence[2] === "exists" ? "exists" : "!exists", "");
  const set = SET.exec(text);
  if (set !== null)
    return made(
      set[1],
      set[2] === "in" ? "in" : "notin",
      valuesIn(set[3] ?? "")
        .toSorted()
        .join(", "),
    );
  const signs = SIGNS.exec(text);
  const operator = CONSTRAINT_OPERATORS.find((known) => known === signs?.[2]);
  if (signs !== null && operator !== undefined) return made(signs[1], operator, signs[3] ?? "");
  const wrong = signs?.[2] ?? WORDS.exec(text)?.[2];
  if (wrong === undefined)
    return { problem: `'${text}' is not a constraint: write node.labels.disk == ssd, or != instead of ==` };
  if (/^(in|notin)\b/.test(wrong)) return { problem: `'${text}': write its values in parentheses: ${wrong} (a, b)` };
  const near = OTHER_SIGNS[wrong] ?? nearest(wrong, CONSTRAINT_OPERATORS);
  const hint = near === undefined ? `: ${CONSTRAINT_OPERATORS.join(" ")}` : `; did you mean ${near}?`;
  return { problem: `'${text}': '${wrong}' is not an operator${hint}` };
}

function made(attribute = "", operator: ConstraintOperator, value: string): ParsedConstraint {
  return { constraint: { attribute, operator, value } };
}

/** Values of `in` and `notin`, each once. */
export function valuesIn(value: string): readonly string[] {
  return [...new Set(value.split(",").map((one) => one.trim()))].filter((one) => one !== "");
}

/** As it would be written. */
export function renderConstraint({ attribute, operator, value }: Constraint): string {
  if (operator === "exists" || operator === "!exists") return `${attribute} ${operator}`;
  return `${attribute} ${operator} ${operator === "in" || operator === "notin" ? `(${value})` : value}`;
}

/** What is wrong with a constraint, however it came; undefined if nothing is. */
export function constraintProblem(constraint: Constraint): string | undefined {
  const { attribute, operator, value } = constraint;
  const text = renderConstraint(constraint);
  const unknown = attributeProblem(attribute);
  if (unknown !== undefined) return unknown;
  switch (operator) {
    case "exists":
    case "!exists":
      return value === "" ? undefined : `'${text}': ${operator} takes no value`;
    case "<":
    case "<=":
    case ">":
    case ">=":
      return DECIMAL.test(value)
        ? undefined
        : `'${text}': '${value}' is not a number: ${operator} compares numbers, such as 500 or 1.5`;
    case "in":
    case "notin": {
      const values = valuesIn(value);
      if (values.length === 0) return `'${text}': there are no values: write ${attribute} ${operator} (a, b)`;
      const [wrong] = values.flatMap((one) => patternProblem(attribute, one) ?? []);
      return wrong === undefined ? undefined : `'${text}': ${wrong}`;
    }
    case "==":
    case "!=": {
      const wrong = patternProblem(attribute, value);
      return wrong === undefined ? roleProblem(constraint) : `'${text}': ${wrong}`;
    }
  }
}

/** The coordinator is no node, so files that were made for Swarm may ask for what can never be. */
function roleProblem(constraint: Constraint): string | undefined {
  const { attribute, operator, value } = constraint;
  if (attribute !== "node.role" || (operator === "==") === (value.toLowerCase() === "worker")) return undefined;
  return `'${renderConstraint(constraint)}' fits no node: the coordinator runs no tasks, and every node is a worker. Label one (davit node label n1 main=1) and write node.labels.main == 1`;
}
