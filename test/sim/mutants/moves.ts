// Bugs in what moves and holds tasks without a new version: rebalances, drains, changes in place, named resources, depends_on.

import type { Mutant } from "./mutant.ts";

export const MOVES: readonly Mutant[] = [
  {
    name: "one device is given to two tasks",
    file: "src/core/schedule/resources.ts",
    find: "const free = all.filter((id) => ids.get(kind)?.has(id) !== true).slice(0, amount);",
    replace: "const free = all.slice(0, ids.size > 1_000 ? 0 : amount);",
  },
  {
    name: "a rebalanced task leaves before the other one works",
    file: "src/core/reconcile/twins.ts",
    find: "if (isHealthy(world, replacement)) planning.end(original, `rebalanced to ${where}`);",
    replace: "if (replacement.id !== original.id) planning.end(original, `rebalanced to ${where}`);",
  },
  {
    name: "what moves already is not counted",
    file: "src/core/reconcile/moves.ts",
    find: ": parallelism - slots.filter((slot) => isInMotion(planning, slot)).length;",
    replace: ": parallelism;",
  },
  {
    name: "named resources are given twice",
    file: "src/core/schedule/resources.ts",
    find: "if (amount > free) lacks.push(`${amount} ${kind}`);",
    replace: "if (amount > free + 99) lacks.push(`${amount} ${kind}`);",
  },
  {
    name: "nothing waits for what it depends on",
    file: "src/core/reconcile/dependencies.ts",
    find: "if (reason !== undefined) return { by, reason:",
    replace: 'if (reason === "never") return { by, reason:',
  },
  {
    name: "limits are said to be changed that the engine was never asked to change",
    file: "workers/agent/plan/resize.ts",
    find: "if (has === wanted) return",
    replace: 'if (has !== "") return',
  },
  {
    name: "the deadline of a drain never comes",
    file: "src/core/reconcile/moves.ts",
    find: "return untilMs !== undefined && planning.isDue(untilMs);",
    replace: "return untilMs !== undefined && untilMs < 0;",
  },
];
