// $VARIABLE and ${VARIABLE…} in texts, by the Compose specification (chapter 12): defaults, alternatives, required ones, nested; $$ is a
// dollar. Anything else after a dollar stays as it is. Pure.

import type { ComposeNode, Place, Problem } from "./node.ts";

export type Environment = Readonly<Record<string, string>>;

/** How deep ${A:-${B:-…}} may go. */
const MAX_NESTING = 20;
const NAME = /^[A-Za-z_][A-Za-z0-9_]*/;
const OPERATOR = /^(:-|-|:\?|\?|:\+|\+)/;

export type Interpolated = { readonly text: string; readonly missing: readonly string[] };

class MissingVariable extends Error {}

/** Throws an Error in words when a required variable is missing or a ${ does not end. `missing`: unset ones without a default. */
export function interpolateText(text: string, environment: Environment): Interpolated {
  const missing: string[] = [];
  return { text: expand(text, environment, missing, 0), missing };
}

function expand(text: string, environment: Environment, missing: string[], depth: number): string {
  if (depth > MAX_NESTING) throw new MissingVariable(`variables nest deeper than ${MAX_NESTING}`);
  let result = "";
  for (let at = 0; at < text.length;) {
    const dollar = text.indexOf("$", at);
    if (dollar === -1) return result + text.slice(at);
    result += text.slice(at, dollar);
    const rest = text.slice(dollar + 1);
    if (rest.startsWith("$")) {
      result += "$";
      at = dollar + 2;
    } else if (rest.startsWith("{")) {
      const end = closing(text, dollar + 1);
      result += braced(text.slice(dollar + 2, end), environment, missing, depth);
      at = end + 1;
    } else {
      const name = NAME.exec(rest)?.[0];
      result += name === undefined ? "$" : plain(name, environment, missing);
      at = dollar + 1 + (name?.length ?? 0);
    }
  }
  return result;
}

function closing(text: string, open: number): number {
  let depth = 0;
  for (let at = open; at < text.length; at++) {
    if (text[at] === "{") depth += 1;
    else if (text[at] === "}" && --depth === 0) return at;
  }
  throw new MissingVariable(`'${text.slice(Math.max(0, open - 1), open + 20)}' has no closing brace`);
}

function plain(name: string, environment: Environment, missing: string[]): string {
  const value = environment[name];
  if (value === undefined) missing.push(name);
  return value ?? "";
}

function braced(body: string, environment: Environment, missing: string[], depth: number): string {
  const name = NAME.exec(body)?.[0];
  if (name === undefined)
    throw new MissingVariable(`'\${${body}}' does not begin with a variable's name; write $\${ for a literal one`);
  const rest = body.slice(name.length);
  if (rest === "") return plain(name, environment, missing);
  const operator = OPERATOR.exec(rest)?.[0];
  if (operator === undefined)
    throw new MissingVariable(`'\${${body}}': after the name only :- - :? ? :+ + are possible`);
  const argument = rest.slice(operator.length);
  const value = environment[name];
  const isSet = operator.startsWith(":") ? value !== undefined && value !== "" : value !== undefined;
  switch (operator.at(-1)) {
    case "-":
      return isSet ? (value ?? "") : expand(argument, environment, missing, depth + 1);
    case "+":
      return isSet ? expand(argument, environment, missing, depth + 1) : "";
    default:
      if (isSet) return value ?? "";
      throw new MissingVariable(
        `variable ${name} is required${argument === "" ? "" : `: ${expand(argument, environment, missing, depth + 1)}`}`,
      );
  }
}

/** Interpolates every value of a tree; keys stay as they are. */
export function interpolate(
  node: ComposeNode,
  environment: Environment,
  problems: Problem[],
  warnings: Problem[],
  path = "",
): ComposeNode {
  switch (node.kind) {
    case "scalar": {
      if (typeof node.value !== "string" || !node.value.includes("$")) return node;
      const text = expandAt(node.value, node.at, path, environment, problems, warnings);
      return { ...node, value: text, text };
    }
    case "list":
      return {
        ...node,
        items: node.items.map((item, at) => interpolate(item, environment, problems, warnings, `${path}[${at}]`)),
      };
    case "map": {
      const entries = new Map(
        [...node.entries].map(
          ([key, entry]) =>
            [
              key,
              {
                ...entry,
                node: interpolate(entry.node, environment, problems, warnings, path === "" ? key : `${path}.${key}`),
              },
            ] as const,
        ),
      );
      return { ...node, entries };
    }
  }
}

function expandAt(
  text: string,
  at: Place,
  path: string,
  environment: Environment,
  problems: Problem[],
  warnings: Problem[],
): string {
  try {
    const { text: expanded, missing } = interpolateText(text, environment);
    for (const name of missing)
      warnings.push({ at, path, message: `variable ${name} is not set: an empty text is taken` });
    return expanded;
  } catch (error) {
    problems.push({ at, path, message: error instanceof Error ? error.message : String(error) });
    return "";
  }
}
