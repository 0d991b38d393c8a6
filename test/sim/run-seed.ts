// One run: a cluster of a random size, an operator and some kinds of faults for a while, then none; and everything is watched.

import { AtMostOne } from "./checks/at-most-one.ts";
import { EngineChecks, NEIGHBOUR } from "./checks/engine-checks.ts";
import { HistoryChecks } from "./checks/history-checks.ts";
import { JobChecks, overdueJobs } from "./checks/job-checks.ts";
import { LeaseChecks } from "./checks/lease-checks.ts";
import { LossChecks } from "./checks/loss-checks.ts";
import { MoveChecks } from "./checks/move-checks.ts";
import { NetworkChecks } from "./checks/network-checks.ts";
import { PlanChecks } from "./checks/plan-checks.ts";
import { overlooked, shortfalls } from "./checks/rest-checks.ts";
import { Findings, type Violation } from "./checks/violation.ts";
import { type Fault, FaultMaker, FAULTS, type Matrix } from "./story/faults.ts";
import { Operator } from "./story/operator.ts";
import { Strangers } from "./story/strangers.ts";
import { ServiceMaker } from "./story/services.ts";
import type { Chance } from "./kernel/chance.ts";
import { Cluster } from "./world/cluster.ts";

const STORM_MS = 240_000;
/** A coordinator whose time to look has come has looked by then. */
const WAKE_MS = 50;
/** The longest that a run may take to come to rest after its faults, in simulated time: backoffs are capped at a minute. */
const REST_DEADLINE_MS = 180_000;
/** And for each node: updates may go one by one, with a slow pull on each. */
const REST_PER_NODE_MS = 60_000;
/** A node that was lost twice is left alone for so long. */
const FLAPPING_MS = 600_000;
/** Jobs run on after the faults for so long: the longest schedule comes round every two minutes, most in seconds. */
const JOBS_MS = 30_000;
const OVERDUE_MS = 4_000;
/** Rest that is no accident: nothing may change in it. */
const STILL_MS = 12_000;
/** Mean time between looks whether the planner, that looks at what changed, overlooks anything. */
const LOOK_MS = 10_000;

export type RunOptions = {
  readonly seed: number;
  /** Simulated time with faults; the healing comes after it. Default: so long that a run is of 300 s on average. */
  readonly stormMs?: number;
  readonly nodes?: number;
  readonly isTraced?: boolean;
  /** Only these kinds of faults, all of them; absent: a random part of all kinds. */
  readonly faults?: readonly string[];
  /** So many jobs in each stack; absent: few, at random. */
  readonly jobs?: number;
};

/** How often a task with a lease of its own came to another host, a fence ended one, and two ran while a machine stood still. */
export type Leased = { readonly handovers: number; readonly fences: number; readonly frozen: number };

export type RunResult = {
  readonly seed: number;
  readonly violation: Violation | undefined;
  readonly hash: string;
  readonly nodes: number;
  readonly simulatedMs: number;
  readonly events: number;
  readonly faults: readonly string[];
  readonly matrix: Matrix;
  /** Of services that must never run twice. */
  readonly leased: Leased;
  readonly lines: readonly string[];
};

/** Runs one seed. The same options give the same result, to the last event. */
export function runSeed(options: RunOptions): RunResult {
  const run = new Run(options);
  run.storm(options.stormMs ?? STORM_MS);
  run.heal();
  return run.result();
}

class Run {
  readonly cluster: Cluster;
  readonly #seed: number;
  readonly #findings: Findings;
  readonly #engines: EngineChecks;
  readonly #atMostOne: AtMostOne;
  readonly #operator: Operator;
  readonly #faults: FaultMaker;
  readonly #strangers: Strangers;
  #isActing = true;

  constructor(options: RunOptions) {
    this.#seed = options.seed;
    const drawn = new Draw(options);
    this.cluster = drawn.cluster;
    const { universe } = this.cluster;
    this.#findings = new Findings(() => universe.nowMs);
    this.#engines = new EngineChecks(this.#findings, universe, () => this.cluster.state);
    this.#atMostOne = new AtMostOne(this.#findings, this.cluster, this.#engines);
    const history = new HistoryChecks(this.#findings, universe);
    const leases = new LeaseChecks(this.#findings, this.cluster);
    const jobs = new JobChecks(this.#findings, this.cluster);
    this.#strangers = new Strangers(this.#findings, this.cluster);
    const network = new NetworkChecks(this.#findings, this.cluster);
    universe.witnesses.push(
      history,
      leases,
      this.#engines,
      this.#atMostOne,
      new PlanChecks(this.#findings, this.cluster.machine),
      jobs,
      network,
      this.#strangers,
      new MoveChecks(this.#findings),
    );
    universe.scheduler.afterEach = () => {
      leases.look();
      history.look();
      network.look();
    };
    universe.journal.onError = (who, message, { reason = "", service = "", first = "" } = {}) => {
      if (/^the plan does not come to rest|^a service was overlooked/.test(message))
        this.#findings.report("L3", `${who}: ${message}: ${service}: ${first}`);
      if (String(reason).includes("invariant broken")) this.#findings.report("broken", `${who}: ${message}: ${reason}`);
    };
    const maker = new ServiceMaker(universe, drawn.areBadImagesMade, options.jobs);
    this.#operator = new Operator(this.cluster, maker, history, this.#engines);
    this.#faults = new FaultMaker(this.cluster, drawn.faults, this.#strangers);
    for (const host of this.cluster.nodes) {
      const neighbour = host.engine.put(`${NEIGHBOUR}-${host.name}`, {}, undefined);
      host.engine.start(neighbour);
    }
    this.#actLater(drawn.actEveryMs);
    this.#lookLater(universe.chance.fork("looks"), new LossChecks(this.#findings, this.cluster));
  }

  #lookLater(chance: Chance, losses: LossChecks): void {
    const { scheduler } = this.cluster.universe;
    scheduler.after(chance.around(LOOK_MS), undefined, () => {
      losses.look();
      // what is due in this very millisecond is done in the next
      const before = overlooked(this.cluster);
      if (before.length > 0)
        scheduler.after(WAKE_MS, undefined, () => {
          for (const { invariant, sentence } of overlooked(this.cluster))
            if (before.some((one) => one.sentence === sentence)) this.#findings.report(invariant, sentence);
        });
      this.#lookLater(chance, losses);
    });
  }

  #actLater(everyMs: number): void {
    const { universe } = this.cluster;
    const chance = universe.chance.fork(`acts ${universe.scheduler.count}`);
    universe.scheduler.after(chance.around(everyMs), undefined, () => {
      if (!this.#isActing) return;
      this.#operator.act();
      this.#actLater(everyMs);
    });
  }

  get #isOver(): () => boolean {
    return () => this.#findings.first !== undefined;
  }

  storm(forMs: number): void {
    this.cluster.start();
    this.cluster.run(3_000, this.#isOver);
    this.#operator.equip();
    this.#operator.deployNew();
    this.cluster.run(5_000, this.#isOver);
    this.#faults.start();
    if (this.#findings.first === undefined) this.cluster.run(forMs, this.#isOver);
  }

  heal(): void {
    const { universe, state, nodes } = this.cluster;
    this.#isActing = false;
    if (this.#findings.first !== undefined) return;
    this.#faults.stop();
    // a user sees to it that what is left can run at all
    if (!this.cluster.run(10_000, this.#isOver)) return;
    for (const host of nodes)
      if (state.node.get(host.id)?.confirmedDeadAtMs !== undefined) this.#operator.availability(host, "active");
    if (nodes.every((host) => state.node.get(host.id)?.availability !== "active"))
      for (const host of nodes) this.#operator.availability(host, "active");
    if (universe.chance.happens(0.7)) this.#operator.mendImages();
    this.#strangers.checkOldOnes();
    this.#jobsGoOn();
    this.#operator.suspendAll();
    this.#settle();
  }

  /** What is due begins, now that nothing is in the way. Where there are jobs there is never rest: then they are suspended. */
  #jobsGoOn(): void {
    if (this.cluster.state.job.size === 0 || !this.cluster.run(JOBS_MS, this.#isOver)) return;
    const before = overdueJobs(this.cluster);
    if (before.size === 0 || !this.cluster.run(OVERDUE_MS, this.#isOver)) return;
    for (const [key, sentence] of overdueJobs(this.cluster))
      if (before.has(key)) this.#findings.report("S16", sentence);
  }

  /** Until all is at rest, and then some time in which nothing may happen. */
  #settle(): void {
    const { universe } = this.cluster;
    const begunMs = universe.nowMs;
    let wanting = this.#shortfalls();
    let stillSinceMs = universe.nowMs;
    let starts = this.#engines.starts;
    for (;;) {
      if (!this.cluster.run(1_000, this.#isOver)) return;
      wanting = this.#shortfalls();
      if (wanting.length > 0 || this.#engines.starts !== starts) stillSinceMs = universe.nowMs;
      starts = this.#engines.starts;
      if (universe.nowMs - stillSinceMs >= STILL_MS) return;
      if (universe.nowMs - begunMs > this.#deadlineMs()) break;
    }
    const [first] = wanting;
    if (first === undefined) this.#findings.report("L1", "containers are started again and again");
    else this.#findings.report(first.invariant, first.sentence);
  }

  #shortfalls(): ReturnType<typeof shortfalls> {
    return shortfalls(this.cluster, this.#engines.givenUp);
  }

  #deadlineMs(): number {
    const isFlapping = [...this.cluster.state.nodeStatus.values()].some(({ lostAtMs }) => lostAtMs.length > 1);
    return REST_DEADLINE_MS + this.cluster.nodes.length * REST_PER_NODE_MS + (isFlapping ? FLAPPING_MS : 0);
  }

  result(): RunResult {
    const { universe, nodes } = this.cluster;
    return {
      seed: this.#seed,
      violation: this.#findings.first,
      hash: universe.journal.hash,
      nodes: nodes.length,
      simulatedMs: universe.nowMs,
      events: universe.scheduler.count,
      faults: this.#faults.kinds.map((kind) => kind.name),
      matrix: this.#faults.matrix,
      leased: {
        handovers: this.#atMostOne.handovers,
        fences: this.#atMostOne.fences,
        frozen: this.#atMostOne.frozen,
      },
      lines: universe.journal.lines,
    };
  }
}

/** What a seed decides before anything happens. */
class Draw {
  readonly cluster: Cluster;
  readonly faults: readonly Fault[];
  readonly areBadImagesMade: boolean;
  readonly actEveryMs: number;

  constructor({ seed, nodes, isTraced, faults }: RunOptions) {
    const first = new Cluster({ seed: `${seed}`, nodes: 0 }).universe.chance.fork("draw");
    this.cluster = new Cluster({
      seed: `${seed}`,
      nodes: nodes ?? 1 + first.below(12),
      isTraced: isTraced ?? false,
      drift: first.one(0, 0.0005, 0.002),
    });
    const part = first.one(0.05, 0.2, 0.4, 0.7);
    this.areBadImagesMade = first.happens(0.5);
    this.actEveryMs = first.one(3_000, 8_000, 20_000, 60_000);
    this.faults =
      faults === undefined
        ? FAULTS.filter(() => first.happens(part))
        : FAULTS.filter((kind) => faults.includes(kind.name));
  }
}
