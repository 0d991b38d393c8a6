// Known bugs of services that must never run twice: what each rule of docs/decisions/0522 is for.

import type { Mutant } from "./mutant.ts";

const CUTS = ["node cut from coordinator", "node isolated", "node clogged", "coordinator killed"] as const;

export const AT_MOST_ONE_MUTANTS: readonly Mutant[] = [
  {
    name: "a task that must never run twice is replaced when its node is lost",
    file: "src/core/lease/own-lease.ts",
    find: "return (leaseMs + template.container.stopGraceMs) * (1 + 2 * CLOCK_RATE_ERROR) + KILL_SLACK_MS;",
    replace: "return 0;",
    faults: CUTS,
  },
  {
    name: "the grace of the one before is not waited for",
    file: "src/core/lease/own-lease.ts",
    find: "return (leaseMs + template.container.stopGraceMs) * (1 + 2 * CLOCK_RATE_ERROR) + KILL_SLACK_MS;",
    replace: "return leaseMs * (1 + 2 * CLOCK_RATE_ERROR);",
    faults: CUTS,
  },
  {
    name: "a grant renews leases of tasks whatever work the node has",
    file: "workers/agent/lease/lease.ts",
    find: "const isHeld = ({ work }: Confirmation): boolean => held !== undefined && comparePositions(work, held) <= 0;",
    replace: "const isHeld = (_: Confirmation): boolean => held !== undefined;",
    faults: [...CUTS, "agent's disk slow"],
  },
  {
    name: "a grant names the work that the node says it has",
    file: "src/coordinator/node-session.ts",
    find: "...(this.#isWorkSent && this.#position !== undefined ? { work: this.#position } : {}),",
    replace: "work: { epoch: 0, generation: 0 },",
    faults: [...CUTS, "agent's disk slow"],
  },
  {
    name: "the lease of a task counts from the grant",
    file: "workers/agent/lease/lease.ts",
    find: "const granted = work === undefined ? [] : [{ sentMs, work }];",
    replace:
      "const granted = work === undefined ? [] : [{ sentMs: (lease.sent.get(lease.nextSeq - 1) ?? sentMs) + 8_000, work }];",
    faults: CUTS,
  },
  {
    name: "an agent that restarts has leases for its tasks",
    file: "workers/agent/session/lease-keeper.ts",
    find: "startLease(endsBootMs, confirmedBootMs));",
    replace: "startLease(endsBootMs, clock.bootMs() + 60_000));",
    faults: ["agent killed", "node isolated", "host loses power"],
  },
  {
    name: "a task whose lease is over runs on",
    file: "workers/agent/plan/plan-lease.ts",
    find: "if (leaseMs === undefined || input.leaseLeftMs(leaseMs) > 0) return [];",
    replace: "if (leaseMs === undefined || input.leaseLeftMs(leaseMs) > -3_600_000) return [];",
    faults: ["node isolated", "node cut from coordinator"],
  },
  {
    name: "what hangs for a task holds up the end of its lease",
    file: "workers/agent/plan/plan-lease.ts",
    find: "    .filter((container) => isUp(container) && !input.stopping.has(container.id))",
    replace:
      "    .filter((container) => isUp(container) && !input.stopping.has(container.id) && input.nowMs % 5_000 < 1)",
    faults: ["node isolated", "node cut from coordinator"],
  },
  {
    name: "a task is started without a lease",
    file: "workers/agent/plan/plan-lease.ts",
    find: "if (leaseMs === undefined || input.leaseLeftMs(leaseMs) > START_MARGIN_MS) return undefined;",
    replace: "if (leaseMs !== 0) return undefined;",
    faults: ["node isolated", "node cut from coordinator", "container dies", "agent killed"],
  },
  {
    name: "the next one is placed before the one before is given up durably",
    file: "src/core/reconcile/planning.ts",
    find: "if (world.routesGeneration < (task.endsFrom ?? 0)) return true;",
    replace: "",
    faults: [...CUTS, "coordinator's disk slow"],
  },
  {
    name: "a lost node's task counts as gone",
    file: "src/core/reconcile/planning.ts",
    find: "if (!hasOwnLease(world, task)) return !isOnLostNode(world, task);",
    replace: "if (isOnLostNode(world, task)) return false;",
    faults: CUTS,
  },
  {
    name: "what must never run twice is placed beside another of its slot",
    file: "src/core/reconcile/planning.ts",
    find: "if (task.slot === 0 || ownLeaseMs(template) === undefined) return undefined;",
    replace: "if (task.slot >= 0) return undefined;",
    faults: CUTS,
  },
  {
    name: "silence goes on counting over a stall of the coordinator",
    file: "src/core/lease/leases.ts",
    find: "Math.max(0, Math.min(bootMs, tickedMs + everyMs) - receivedMs)",
    replace: "(Math.min(bootMs, tickedMs + everyMs) - receivedMs) * 4",
    faults: CUTS,
  },
  {
    name: "nobody has patience with a lost node",
    file: "src/core/reconcile/slots.ts",
    find: "if (replaceAfterMs === undefined || nodeId === undefined || planning.isSilentFor(nodeId, replaceAfterMs))",
    replace: "if (nodeId !== undefined)",
    faults: CUTS,
  },
];
