// $VARIABLE and ${VARIABLE…} in texts, by the Compose specification (chapter 12): defaults, alternatives, required ones, nested; $$ is a
// dollar. Anything else after a dollar stays as it is. Pure.

import { type ComposeNode, placeKey, type Problem, type ScalarNode } from "./node.ts";

export type Environment = Readonly<Record<string, string>>;

/** How deep ${A:-${B:-…}} may go. */
const MAX_NESTING = 20;
/** The longest text that variables may make of one. */
const MAX_LENGTH = 1024 * 1024;
const NAME = /^[A-Za-z_][A-Za-z0-9_]*/;
const OPERATOR = /^(:-|-|:\?|\?|:\+|\+)/;

/** Values of variables, and where each came from ("the shell", "the file .env"): for `--explain`. */
export type Variables = {
  readonly values: Environment;
  readonly origins: Readonly<Record<string, string>>;
};

export type Interpolated = {
  readonly text: string;
  /** Variables that are not set and have no default. */
  readonly missing: readonly string[];
  /** Every variable that was looked at. */
  readonly used: readonly string[];
};

/** What one text met on the way. */
type Trace = { readonly missing: string[]; readonly used: string[] };

class InterpolationError extends Error {}

/** Throws an Error in words when a required variable is missing or a ${ does not end. */
export function interpolateText(text: string, environment: Environment): Interpolated {
  const trace: Trace = { missing: [], used: [] };
  return { text: expand(text, environment, trace, 0), ...trace };
}

function expand(text: string, environment: Environment, trace: Trace, depth: number): string {
  if (depth > MAX_NESTING) throw new InterpolationError(`variables nest deeper than ${MAX_NESTING}`);
  let result = "";
  for (let at = 0; at < text.length;) {
    const dollar = text.indexOf("$", at);
    if (dollar === -1) return result + text.slice(at);
    result += text.slice(at, dollar);
    if (result.length > MAX_LENGTH)
      throw new InterpolationError("the text grows to more than 1 MiB when its variables are filled in");
    const rest = text.slice(dollar + 1);
    if (rest.startsWith("$")) {
      result += "$";
      at = dollar + 2;
    } else if (rest.startsWith("{")) {
      const end = closing(text, dollar + 1);
      result += braced(text.slice(dollar + 2, end), environment, trace, depth);
      at = end + 1;
    } else {
      const name = NAME.exec(rest)?.[0];
      result += name === undefined ? "$" : plain(name, environment, trace);
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
  throw new InterpolationError(`'${text.slice(Math.max(0, open - 1), open + 20)}' has no closing brace`);
}

function plain(name: string, environment: Environment, trace: Trace): string {
  const value = valueOf(environment, name);
  trace.used.push(name);
  if (value === undefined) trace.missing.push(name);
  return value ?? "";
}

function braced(body: string, environment: Environment, trace: Trace, depth: number): string {
  const name = NAME.exec(body)?.[0];
  if (name === undefined)
    throw new InterpolationError(`'\${${body}}' does not begin with a variable's name; write $\${ for a literal one`);
  const rest = body.slice(name.length);
  if (rest === "") return plain(name, environment, trace);
  const operator = OPERATOR.exec(rest)?.[0];
  if (operator === undefined)
    throw new InterpolationError(`'\${${body}}': after the name only :- - :? ? :+ + are possible`);
  const argument = rest.slice(operator.length);
  const value = valueOf(environment, name);
  trace.used.push(name);
  const isSet = operator.startsWith(":") ? value !== undefined && value !== "" : value !== undefined;
  switch (operator.at(-1)) {
    case "-":
      return isSet ? (value ?? "") : expand(argument, environment, trace, depth + 1);
    case "+":
      return isSet ? expand(argument, environment, trace, depth + 1) : "";
    default:
      if (isSet) return value ?? "";
      throw new InterpolationError(
        `variable ${name} is required${argument === "" ? "" : `: ${expand(argument, environment, trace, depth + 1)}`}`,
      );
  }
}

/** A variable's own value: what every object has by inheritance is none. */
function valueOf(environment: Environment, name: string): string | undefined {
  return Object.hasOwn(environment, name) ? environment[name] : undefined;
}

/** What variables did to a tree: names that are not set, by place, and problems of values that could not be filled in. */
export type VariableTrail = { readonly unset: Map<string, readonly string[]>; readonly unfilled: Set<Problem> };

/** Where what is wrong with a tree's variables goes, and how far it may grow by them. */
export type Complaints = {
  readonly problems: Problem[];
  readonly warnings: Problem[];
  readonly growth: Growth;
  readonly trail: VariableTrail;
};

/** Characters that variables may still put in: a large value that is used often is an attack on memory, or a slip. */
export class Growth {
  #left = 8 * 1024 * 1024;

  /** Throws in words once more was put in than any file needs. */
  take(text: string): void {
    this.#left -= text.length;
    if (this.#left < 0) throw new Error("the file grows to more than 8 MiB when its variables are filled in");
  }
}

/** Interpolates every value of a tree; keys stay as they are. Parts without variables are given back as they are. */
export function interpolate(node: ComposeNode, variables: Variables, to: Complaints, path = ""): ComposeNode {
  switch (node.kind) {
    case "scalar":
      return typeof node.value === "string" && node.value.includes("$") ? fill(node, variables, to, path) : node;
    case "list": {
      const items = node.items.map((item, at) => interpolate(item, variables, to, `${path}[${at}]`));
      return items.every((item, at) => item === node.items[at]) ? node : { ...node, items };
    }
    case "map": {
      let isChanged = false;
      const entries = new Map(node.entries);
      for (const [key, entry] of node.entries) {
        const filled = interpolate(entry.node, variables, to, path === "" ? key : `${path}.${key}`);
        if (filled === entry.node) continue;
        isChanged = true;
        entries.set(key, { ...entry, node: filled });
      }
      return isChanged ? { ...node, entries } : node;
    }
  }
}

function fill(node: ScalarNode, { values, origins }: Variables, to: Complaints, path: string): ScalarNode {
  const { at, text: written } = node;
  try {
    const { text, missing, used } = interpolateText(written, values);
    to.growth.take(text);
    if (missing.length > 0) to.trail.unset.set(placeKey(at), [...new Set(missing)]);
    for (const name of missing)
      to.warnings.push({ at, path, message: `variable ${name} is not set: an empty text is taken` });
    const variables = Object.fromEntries(
      used.map((name) => [name, Object.hasOwn(origins, name) ? (origins[name] ?? "") : "not set"]),
    );
    return { ...node, value: text, text, origin: { written, variables } };
  } catch (error) {
    const problem = { at, path, message: error instanceof Error ? error.message : String(error) };
    to.problems.push(problem);
    to.trail.unfilled.add(problem);
    return { ...node, value: "", text: "" };
  }
}
