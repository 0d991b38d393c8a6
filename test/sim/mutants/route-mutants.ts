// Known bugs of routes: what is still routed to, acknowledged too early, shown after it was withdrawn, or not hidden
// though its own node says that it ended.

import type { Mutant } from "./mutant.ts";

export const ROUTE_MUTANTS: readonly Mutant[] = [
  {
    name: "a task that is withdrawn stays in the routes",
    file: "src/core/routes/standing.ts",
    find: ' || task.withdrawal !== undefined) return "out";',
    replace: ') return "out";',
  },
  {
    name: "a task is stopped though nodes have not acknowledged",
    file: "src/core/reconcile/planning.ts",
    find: "if (late.length > 0 && !this.isDue(withdrawal.startedAtMs + WITHDRAWAL_DEADLINE_MS)) return;",
    replace: "if (late.length > 99) return;",
    faults: ["network rules fail"],
  },
  {
    name: "routes are acknowledged when they are received",
    file: "workers/agent/agent-core.ts",
    find: "...(applied === undefined ? {} : { applied })",
    replace: "applied: applied === undefined ? this.routes.position : this.routes.position",
    faults: ["network rules fail"],
  },
  {
    name: "a part that failed counts as in force",
    file: "workers/agent/network/network-driver.ts",
    find: "      this.#note(part.name, reasonOf(error));\n      return false;",
    replace: "      this.#note(part.name, reasonOf(error));\n      return true;",
    faults: ["network rules fail"],
  },
  {
    name: "a task that ended stays in the routes",
    file: "src/core/routes/standing.ts",
    find: 'return status?.state === "running" && status.healthy === true ? "in" : "waiting";',
    replace: 'return status !== undefined ? "in" : "waiting";',
  },
  {
    name: "a peer's word shows what is withdrawn",
    file: "workers/agent/peers/peer-words.ts",
    find: 'if (standing === "out") return "out";',
    replace: "",
  },
  {
    name: "a peer's word hides nothing",
    file: "workers/agent/peers/peer-words.ts",
    find: 'return word.tasks.has(taskId) ? "in" : "waiting";',
    replace: 'return word.tasks.has(taskId) ? "in" : standing;',
    faults: ["coordinator loses power", "coordinator paused", "container dies"],
  },
  {
    name: "what a silent peer's endpoints answer is not looked at",
    file: "workers/agent/peers/peer-words.ts",
    find: "return this.#failures.get(address) === FAILURES;",
    replace: "return this.#failures.get(address) === 99;",
    faults: ["coordinator paused", "coordinator loses power", "host loses power"],
  },
];
