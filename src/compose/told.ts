// Problems as they are told: what only follows from a variable that could not be filled in is left out, what several services share
// through an anchor is one, and what an unset variable made of a value says which variable. Pure.

import type { VariableTrail } from "./tree/interpolate.ts";
import { placeKey, type Problem, renderProblem, sortProblems } from "./tree/node.ts";

/** Problems, and warnings, that are told one by one. */
const MAX_PROBLEMS = 500;

/** Sorted, and no more than anyone reads. */
export function toldProblems(problems: readonly Problem[], trail: VariableTrail): readonly Problem[] {
  const told = problems.filter((problem) => !isConsequence(problem, trail)).map((problem) => withUnset(problem, trail));
  return toldWarnings(told);
}

/** Sorted, and no more than anyone reads. */
export function toldWarnings(warnings: readonly Problem[]): readonly Problem[] {
  return bounded(sortProblems(shared(warnings)));
}

/** As a person reads them: what is said of many places is said once, with the first of them. */
export function renderWarnings(warnings: readonly Problem[]): readonly string[] {
  return [...Map.groupBy(warnings, ({ message }) => message).values()].flatMap((group) => {
    const [first] = group;
    if (first === undefined) return [];
    const others = group.length - 1;
    return `${renderProblem(first)}${others === 0 ? "" : ` (and ${others} more of the same)`}`;
  });
}

/** A value that could not be filled in is empty, and what is said of that is no news. */
function isConsequence(problem: Problem, { unfilled }: VariableTrail): boolean {
  if (unfilled.size === 0 || unfilled.has(problem)) return false;
  const place = placeKey(problem.at);
  for (const { at, path } of unfilled)
    if (placeKey(at) === place || path === problem.path || parentOf(path) === problem.path) return true;
  return false;
}

function parentOf(path: string): string {
  return path.replace(/(\.[^.[]*|\[\d+\])$/, "");
}

function withUnset(problem: Problem, { unset, unfilled }: VariableTrail): Problem {
  const names = unset.get(placeKey(problem.at));
  if (names === undefined || unfilled.has(problem)) return problem;
  return { ...problem, message: `${problem.message} (${names.join(", ")} ${names.length > 1 ? "are" : "is"} not set)` };
}

/** The same said of the same place by several users of an anchor. A fragment of the file's own is no place to look for. */
function shared(problems: readonly Problem[]): readonly Problem[] {
  const groups = Map.groupBy(problems, ({ at, message }) => `${placeKey(at)} ${message}`);
  return [...groups.values()].flatMap((group) => {
    const used = group.filter(({ path }) => !path.startsWith("x-"));
    const [first] = sortProblems(used.length > 0 ? used : group);
    const others = new Set(used.map(({ path }) => path)).size - 1;
    if (first === undefined || others < 1) return first ?? [];
    return { ...first, message: `${first.message} (and at ${others} more, through an anchor)` };
  });
}

/** A broken file of thousands of lines is not told line by line. */
function bounded(problems: readonly Problem[]): readonly Problem[] {
  const next = problems[MAX_PROBLEMS];
  if (next === undefined) return problems;
  const message = `and ${problems.length - MAX_PROBLEMS} more, from here on`;
  return [...problems.slice(0, MAX_PROBLEMS), { at: next.at, path: "", message }];
}
