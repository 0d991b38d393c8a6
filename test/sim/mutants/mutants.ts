// Bugs that others have had, or that this project had: each is one change of one file's text, made while the simulator's own process loads
// it. Nothing of it is in the code that is built. A change that fits nowhere any more is an error, so that none is lost silently.

import { AT_MOST_ONE_MUTANTS } from "./at-most-one-mutants.ts";
import { JOB_MUTANTS } from "./job-mutants.ts";
import { MOVES } from "./moves.ts";
import { ROUTE_MUTANTS } from "./route-mutants.ts";
import type { Mutant } from "./mutant.ts";
import { TRIAL_MUTANTS } from "./trial-mutants.ts";

const NODE_LOSS = ["host loses power", "node isolated", "node cut from coordinator", "node clogged"] as const;

const LEASES: readonly Mutant[] = [
  {
    name: "the agent's lease counts from the grant, not from the beat that it answers",
    file: "workers/agent/lease/lease.ts",
    find: "return { ...lease, unconfirmed, grantedSeq: seq, endsBootMs: Math.max(lease.endsBootMs, sentMs + leaseMs) };",
    replace:
      "return { ...lease, unconfirmed, grantedSeq: seq, endsBootMs: Math.max(lease.endsBootMs, (lease.sent.get(lease.nextSeq - 1) ?? sentMs) + leaseMs + 3_000) };",
    faults: NODE_LOSS,
  },
  {
    name: "hearing any frame renews the lease",
    file: "workers/agent/session/agent-session.ts",
    find: '    if (frame.type === "grant") return this.#takeGrant(frame);',
    replace:
      '    if (this.#isOpen) this.#shared.lease.granted(this.#shared.lease.beat(), 6_000);\n    if (frame.type === "grant") return this.#takeGrant(frame);',
    faults: ["node cut one way", "node clogged", "slow network"],
  },
  {
    name: "sending a beat renews the lease",
    file: "workers/agent/session/agent-session.ts",
    find: '    this.#stream.send({ type: "beat", seq });',
    replace: '    this.#shared.lease.granted(seq, 6_000);\n    this.#stream.send({ type: "beat", seq });',
    faults: ["node cut one way", "node isolated"],
  },
  {
    name: "an agent that restarts begins with a full lease",
    file: "workers/agent/session/lease-keeper.ts",
    find: "startLease(endsBootMs, confirmedBootMs));",
    replace: "startLease(endsBootMs + clock.bootMs() + 60_000, confirmedBootMs));",
    faults: ["agent killed", "node isolated", "host loses power"],
  },
  {
    name: "one missed beat loses a node",
    file: "src/core/lease/leases.ts",
    find: "if (silentMs < LEASE_MS) return lease.inContact",
    replace: "if (silentMs < 2_200) return lease.inContact",
    faults: ["slow network", "lossy network", "node clogged"],
  },
  {
    name: "one lost connection loses a node",
    file: "src/core/lease/leases.ts",
    find: "if (silentMs < LEASE_MS) return lease.inContact",
    replace: "if (lease.inContact && silentMs < LEASE_MS) return lease.inContact",
    faults: ["agent killed", "agent restarted", "node cut from coordinator"],
  },
  {
    name: "more than half of the nodes silent shuts no valve",
    file: "src/core/lease/leases.ts",
    find: "return silent * 2 > counted;",
    replace: "return silent > counted;",
    faults: ["coordinator isolated", "node isolated"],
  },
  {
    name: "a valve that opens renews nobody",
    file: "src/core/lease/leases.ts",
    find: "if (before.valveShut && !valveShut) renewSilent(nodes, bootMs);",
    replace: "",
    faults: ["coordinator isolated", "node isolated", "host loses power"],
  },
  {
    // all, and the valve would save them
    name: "a stalled coordinator renews all but one",
    file: "src/core/lease/leases.ts",
    find: "nodes.set(id, stalled ? fresh(bootMs) : lease);",
    replace: "nodes.set(id, stalled && nodes.size > 0 ? fresh(bootMs) : lease);",
    faults: ["coordinator paused", "node isolated", "node clogged"],
  },
  {
    name: "a coordinator that starts takes a node for lost",
    file: "src/core/lease/leases.ts",
    find: "for (const id of nodeIds) nodes.set(id, fresh(bootMs));",
    replace: "for (const id of nodeIds) nodes.set(id, fresh(nodes.size === 0 ? bootMs - 10_000 : bootMs));",
    faults: ["coordinator killed", "coordinator loses power", "node isolated"],
  },
];

const TRUST: readonly Mutant[] = [
  {
    name: "openings are judged side by side",
    file: "workers/agent/session/epoch-keeper.ts",
    find: "this.#turns.run(() => this.#obey(head, chain));",
    replace: "this.#obey(head, chain);",
    faults: ["host suspended", "agent paused", "coordinator killed", "agent's disk slow"],
  },
  {
    name: "work of two sessions is written side by side",
    file: "workers/agent/state/held-work.ts",
    find: "this.#turns.run(() => this.#receive(delta));",
    replace: "this.#receive(delta);",
    faults: ["agent paused", "host suspended", "agent's disk slow", "node isolated", "coordinator killed"],
  },
  {
    name: "an agent obeys any chain",
    file: "workers/agent/session/epoch-keeper.ts",
    find: "if (newest !== undefined && !chain.some((epoch) => isSame(epoch, newest))) {",
    replace: "if (newest !== undefined && chain.length === 0) {",
    faults: ["an old coordinator returns", "node isolated", "coordinator killed"],
  },
  {
    name: "an opening that was recorded opens another session",
    file: "workers/agent/trust/check-token.ts",
    find: 'checkClaims(claims, { audience: nodeId, scope: "agent:work", challenge });',
    replace: 'checkClaims(claims, { audience: nodeId, scope: "agent:work" });',
    faults: ["a stranger connects"],
  },
  {
    name: "work is acted on before it is durable",
    file: "workers/agent/state/held-work.ts",
    find: "    await this.#store(position, sections, known);\n    this.#adopt(position, sections, known);",
    replace: "    this.#adopt(position, sections, known);\n    await this.#store(position, sections, known);",
    faults: ["agent killed", "agent's disk slow", "host loses power", "container dies"],
  },
  {
    name: "memory changes before the disk has the commit",
    file: "src/coordinator/commit-door.ts",
    find: "      const guards = outerGuards(drafts);",
    replace:
      "      applyChanges(this.#state, changes);\n      this.#revision += 1;\n      for (const listener of this.#listeners) listener(changes, this.#revision, []);\n      const guards = outerGuards(drafts);",
    faults: ["coordinator killed", "coordinator's disk slow", "coordinator loses power"],
  },
  {
    name: "a change is acknowledged before the disk has it",
    file: "src/coordinator/commit-door.ts",
    find: "      const guards = outerGuards(drafts);",
    replace:
      "      for (const one of ready) one.resolve({ result: one.draft.result, revision: this.#revision + 1, events: [] });\n      const guards = outerGuards(drafts);",
    faults: ["coordinator killed", "coordinator's disk slow"],
  },
  {
    name: "a coordinator starts without a new epoch",
    file: "src/coordinator/begin.ts",
    find: "const next = { epoch: newest + 1, nonce",
    replace: "const next = { epoch: newest, nonce",
  },
];

const PLANS: readonly Mutant[] = [
  {
    name: "a service of which a task's state changed is not planned again",
    file: "src/coordinator/settled-services.ts",
    find: 'this.#settled.delete(this.#serviceOf.get(id) ?? "");\n          break;',
    replace: "break;",
  },
  {
    name: "a service whose node falls silent is not planned again",
    file: "src/coordinator/settled-services.ts",
    find: "#meet(ids: readonly NodeId[]): void {",
    replace: "#meet(ids: readonly NodeId[]): void {\n    if (ids.length > 0) return;",
    faults: NODE_LOSS,
  },
  {
    name: "parallelism is ignored by a second look",
    file: "src/core/rollout/batch.ts",
    find: "policy.parallelism - view.changing.length;",
    replace: "policy.parallelism;",
  },
  {
    name: "an update stops healthy tasks however few are left",
    file: "src/core/rollout/batch.ts",
    find: "if (stopsHealthy && mayStop <= 0) continue;",
    replace: "",
    faults: [...NODE_LOSS, "container dies"],
  },
  {
    name: "a rollback is rolled back",
    file: "src/core/rollout/failures.ts",
    find: 'policy.failureAction === "rollback" && !service.isRollback;',
    replace: 'policy.failureAction === "rollback";',
  },
  {
    name: "a rollback goes to the version before, stable or not",
    file: "src/core/rollout/last-good.ts",
    find: "if (kept?.stable === true) return kept;",
    replace: "if (kept !== undefined) return kept;",
  },
  {
    name: "a failed version gets further tasks",
    file: "src/core/reconcile/slots.ts",
    find: 'if (isHalted(rollout) && rollout.state === "paused") {',
    replace: 'if (isHalted(rollout) && rollout.state === "superseded") {',
  },
  {
    name: "failures do not end a rollout",
    file: "src/core/rollout/failures.ts",
    find: "if (canAct && counting > 0 && counting > policy.maxFailureRatio * slotCount) {",
    replace: "if (canAct && counting > 0 && counting > policy.maxFailureRatio * slotCount + 1_000) {",
  },
  {
    name: "a writer of a volume starts beside the one before it",
    file: "src/core/reconcile/slots.ts",
    find: 'return template.container.mounts.some((mount) => mount.kind === "volume" && !mount.readOnly);',
    replace: "return template.container.mounts.length < 0;",
  },
  {
    name: "a writer that waited for a node is placed beside one that still writes",
    file: "src/core/reconcile/slots.ts",
    find: "if (other !== undefined) planning.wait(",
    replace: "if (other !== undefined && task.slot < 0) planning.wait(",
  },
  {
    name: "a change taken back at once starts a second writer",
    file: "src/core/rollout/batch.ts",
    find: ": holdBehind(planning, slot.ending, version.spec.template),",
    replace: ": undefined,",
  },
  {
    name: "a task is stopped before it is out of the routes",
    file: "src/core/reconcile/planning.ts",
    find: 'this.steps.push({ kind: "withdraw", taskId: task.id, routesGeneration: this.#nextGeneration, atMs: nowMs, why });',
    replace: "this.#stop(task, why);",
  },
  {
    name: "a pinned volume's task starts anywhere",
    file: "src/core/schedule/filters.ts",
    find: "if (nodeIds.length === 0 || nodeIds.includes(node.id)) continue;",
    replace: "if (nodeIds.length >= 0) continue;",
  },
  {
    name: "a lost node's pinned task is replaced on an empty volume",
    file: "src/core/reconcile/slots.ts",
    find: "if (reason === undefined) return false;",
    replace: 'if (reason !== "") return false;',
    faults: NODE_LOSS,
  },
  {
    name: "a draining node still gets tasks",
    file: "src/core/schedule/filters.ts",
    find: 'if (node.availability === "drain") return lack("is draining", "are draining");',
    replace: "",
  },
  {
    name: "constraints are not looked at",
    file: "src/core/schedule/filters.ts",
    find: "constraints.find((constraint) => !meets(constraint, node, status));",
    replace: "constraints.find(() => false);",
  },
  {
    name: "what stops no longer counts on its node",
    file: "src/core/schedule/ledger.ts",
    find: 'return task.desired !== "running" && isEnded(state.taskStatus.get(task.id));',
    replace: 'return task.desired !== "running";',
  },
  {
    name: "what must move waits for a successor that does not work, though a newer one does",
    file: "src/core/reconcile/twins.ts",
    find: "winner !== undefined && !current.includes(task) && task.specVersion !== older;",
    replace: "winner !== undefined && pairs(present).length === 0 && !current.includes(task);",
  },
  {
    name: "a lost node's tasks are not replaced",
    file: "src/core/reconcile/slots.ts",
    find: "if (before === undefined || !planning.world.valveShut) refill",
    replace: "if (before === undefined) refill",
    faults: ["host loses power"],
  },
  {
    name: "history is kept for ever",
    file: "src/core/reconcile/history.ts",
    find: "oldestFirst.slice(0, Math.max(0, ended.length - keep))",
    replace: "oldestFirst.slice(0, Math.max(0, ended.length - keep - 20))",
  },
];

const AGENTS: readonly Mutant[] = [
  {
    name: "an ended container is started again",
    file: "workers/agent/plan/plan-task.ts",
    find: "      if (container.examined === undefined) return { run, operations: [examine(taskId, container)], settled: false };\n      return {",
    replace:
      '      if (container.examined !== undefined) return { run, operations: [{ kind: "start", pool: "start", subject: taskSubject(taskId), taskId, containerId: container.id }], settled: false };\n      if (container.examined === undefined) return { run, operations: [examine(taskId, container)], settled: false };\n      return {',
  },
  {
    name: "containers without work are left alone",
    file: "workers/agent/plan/plan-agent.ts",
    find: "return planRemoval(input, taskId, run, containers);",
    replace: "return planRemoval(input, taskId, run, []);",
    faults: ["host loses power", "node isolated"],
  },
  {
    name: "an exit that nobody told of is never looked for",
    file: "workers/agent/loop/engine-watch.ts",
    find: "const RELOOK_MS = 60_000;",
    replace: "const RELOOK_MS = 86_400_000;",
    faults: ["exit events lost", "container dies"],
  },
  {
    name: "a report that comes late takes a task back",
    file: "src/core/work/merge-status.ts",
    find: "if (reported.attempt !== known.attempt) return reported.attempt > known.attempt ? reported : undefined;",
    replace: "if (reported.attempt !== known.attempt) return undefined;",
  },
  {
    name: "a delta of any position is applied to whatever is held",
    file: "workers/agent/state/sections.ts",
    find: 'if (held !== undefined && comparePositions(delta, held) < 0) return { kind: "stale" };\n  if (delta.base !== undefined && (held === undefined || comparePositions(delta.base, held) !== 0))',
    replace: "if (held === undefined && delta.base !== undefined)",
    faults: ["agent paused", "host suspended", "coordinator killed", "agent's disk slow"],
  },
  {
    name: "a volume is looked for over and over after the clock was set back",
    file: "workers/agent/plan/plan-task.ts",
    find: "run.attemptAtMs > input.nowMs ? { ...run, attemptAtMs: input.nowMs } : run;",
    replace: "run;",
    faults: ["wall clock stepped", "network rules fail", "engine slow", "engine away for long", "container dies"],
  },
];

/** The one that takes longest to be caught is among the first: other workers do the rest meanwhile. */
export const MUTANTS: readonly Mutant[] = [
  ...AGENTS,
  ...LEASES,
  ...TRUST,
  ...PLANS,
  ...AT_MOST_ONE_MUTANTS,
  ...TRIAL_MUTANTS,
  ...JOB_MUTANTS,
  ...ROUTE_MUTANTS,
  ...MOVES,
];
