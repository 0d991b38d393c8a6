// Changes on trial, decision by decision. S8: no more new tasks than were asked for. S10: nothing old goes before the promotion, and nothing is
// promoted that was not healthy for long enough. S11: a rollback goes straight, and the way back ends nothing that it leads to. L2: a rollout ends
// for want of progress no sooner than its deadline, pauses apart.

import type { Service, Task, TaskStatus } from "../../../src/core/model/records.ts";
import type { Rollout } from "../../../src/core/model/rollout.ts";
import type { UpdateStrategy } from "../../../src/core/model/update-policy.ts";
import { type State, versionKey } from "../../../src/core/model/world.ts";
import type { Findings } from "./violation.ts";

/** What is asked of whoever knows more: the coordinator's own clock, and which nodes it takes for lost. */
export type Knowledge = {
  readonly nowMs: number;
  readonly isHealthy: (task: Task) => boolean;
  readonly isLost: (task: Task) => boolean;
};

/** A step of the wall clock is told by two clocks that show whole milliseconds. */
const ROUNDING_MS = 5;

type Clock = { readonly key: string; readonly sinceMs: number; readonly pausedAtMs?: number };
/** A time in which a task was healthy; open while it is. */
type Span = { readonly fromMs: number; readonly toMs?: number };

export class TrialChecks {
  readonly #findings: Findings;
  /** By task: when its agent has called it healthy, as the coordinator heard it, oldest first. */
  #healthy = new Map<string, readonly Span[]>();
  readonly #tasks = new Map<string, Task>();
  /** By service: the last progress of its rollout. */
  #progress = new Map<string, Clock>();
  /** Both, as of the last transaction that is durable: what a coordinator decided and lost is not known to the next. */
  #durable = { healthy: this.#healthy, progress: this.#progress };

  constructor(findings: Findings) {
    this.#findings = findings;
  }

  /** What was decided so far is durable. */
  settle(): void {
    this.#durable = { healthy: new Map(this.#healthy), progress: new Map(this.#progress) };
  }

  /** A coordinator starts with what is durable. */
  restart(): void {
    this.#healthy = new Map(this.#durable.healthy);
    this.#progress = new Map(this.#durable.progress);
  }

  status(status: TaskStatus, nowMs: number): void {
    const spans = this.#healthy.get(status.id) ?? [];
    const last = spans.at(-1);
    const isHealthy = status.state === "running" && status.healthy === true;
    const wasHealthy = last !== undefined && last.toMs === undefined;
    if (isHealthy && !wasHealthy) this.#healthy.set(status.id, [...spans, { fromMs: nowMs }]);
    if (!isHealthy && wasHealthy) this.#healthy.set(status.id, [...spans.slice(0, -1), { ...last, toMs: nowMs }]);
  }

  /** `before`: undefined for a new task. */
  task(state: State, before: Task | undefined, task: Task): void {
    this.#tasks.set(task.id, task);
    const service = state.service.get(task.serviceId);
    const rollout = service === undefined ? undefined : oursOf(state, service);
    if (service === undefined) return;
    const isLeaving = before !== undefined && before.withdrawal === undefined && task.withdrawal !== undefined;
    if (isLeaving && /^nothing goes back|is not tried any more$/.test(task.desiredReason))
      this.#findings.check(
        "S11",
        hashOf(state, task) !== hashOf(state, { ...task, specVersion: service.version }) || task.force < service.force,
        () => `${service.name}.${task.slot} ends (${task.desiredReason}), and is what the service goes back to`,
      );
    if (rollout === undefined) return;
    const phase = rollout.paused?.from ?? rollout.state;
    if (isLeaving && (phase === "trial" || phase === "switched") && !isFresh(state, rollout, task))
      this.#findings.check(
        "S10",
        !task.desiredReason.startsWith("updated to version"),
        () =>
          `${service.name}.${task.slot} of version ${task.specVersion} goes while ${rollout.toVersion} is in ${phase}`,
      );
    if (before === undefined && phase === "trial" && isFresh(state, rollout, task))
      this.#isWithinShare(state, service, task);
  }

  #isWithinShare(state: State, service: Service, task: Task): void {
    const rollout = oursOf(state, service);
    const strategy = strategyOf(state, service);
    if (rollout === undefined || strategy?.kind !== "canary" || service.mode.kind !== "replicated") return;
    const slots = new Set(freshOf(state, rollout).map(({ slot }) => slot)).add(task.slot);
    const total = service.mode.replicas;
    const { canaries } = strategy;
    const share = "tasks" in canaries ? canaries.tasks : Math.max(1, Math.floor((total * canaries.percent) / 100));
    this.#findings.check("S8", slots.size <= share, () => `${slots.size} canaries of ${service.name}, ${share} may be`);
  }

  rollout(state: State, next: Rollout, knowledge: Knowledge): void {
    const service = state.service.get(next.id);
    const before = state.rollout.get(next.id);
    if (service === undefined) return;
    // a user may go back to what is on trial before anything of the change between began: the trial goes on
    const goesOn = before?.toVersion === next.toVersion && (before.paused?.from ?? before.state) === "trial";
    this.#findings.check(
      "S11",
      // a trial that is given up is put once more when its times move with a stepped clock
      goesOn || !(next.state === "trial" && service.isRollback && next.toVersion === service.version),
      () => `${service.name} goes back by a trial`,
    );
    if (before !== undefined && before.toVersion === next.toVersion)
      this.#isPromotedRightly(state, service, before, next, knowledge);
    this.#isLateRightly(state, service, before, next, knowledge.nowMs);
  }

  #isPromotedRightly(state: State, service: Service, before: Rollout, next: Rollout, knowledge: Knowledge): void {
    if (before.state !== "trial" || next.promotedAtMs === undefined || before.promotedAtMs !== undefined) return;
    const strategy = strategyOf(state, service);
    if (strategy === undefined) return;
    // a global service does not wait for a node that is down
    const fresh = freshOf(state, before).filter((task) => task.onlyNode === undefined || !knowledge.isLost(task));
    const slots = [...Map.groupBy(fresh, (task) => task.onlyNode ?? task.slot).values()];
    const isWorking = slots.every((slot) => slot.some((task) => knowledge.isHealthy(task) || isOver(state, task)));
    this.#findings.check("S10", isWorking, () => `${service.name} is promoted, and not every new task is healthy`);
    if ((service.asked?.promotions ?? 0) > (before.answered?.promotions ?? 0)) return;
    const holdMs = strategy.holdMs ?? Number.POSITIVE_INFINITY;
    const heldMs = slots.map((slot) => this.#heldMs(state, before, slot, knowledge.nowMs));
    const least = Math.min(...heldMs, Number.POSITIVE_INFINITY);
    this.#findings.check(
      "S10",
      slots.length === 0 || least >= holdMs - ROUNDING_MS,
      () => `${service.name} is promoted after ${least} ms of healthy tasks, and ${holdMs} were asked for`,
    );
  }

  /** For how long one new task or another has worked in this slot without a break: one may have come for another meanwhile. */
  #heldMs(state: State, rollout: Rollout, slot: readonly Task[], nowMs: number): number {
    if (slot.some((task) => isOver(state, task))) return Number.POSITIVE_INFINITY;
    const [first] = slot;
    // the record of one that has ended may be gone
    const tried = [...this.#tasks.values()].filter(
      (task) =>
        task.serviceId === first?.serviceId &&
        task.slot === first.slot &&
        task.onlyNode === first.onlyNode &&
        isFresh(state, rollout, task),
    );
    const spans = tried.flatMap((task) => this.#healthy.get(task.id) ?? []);
    let sinceMs = nowMs;
    for (const { fromMs, toMs } of spans.toSorted((one, other) => other.fromMs - one.fromMs))
      if ((toMs ?? nowMs) >= sinceMs) sinceMs = Math.min(sinceMs, fromMs);
    return nowMs - sinceMs;
  }

  #isLateRightly(state: State, service: Service, before: Rollout | undefined, next: Rollout, nowMs: number): void {
    const key = `${next.toVersion}/${next.force}`;
    const known = this.#progress.get(next.id);
    const isSame = known?.key === key && before !== undefined;
    if (isSame && next.state.endsWith("paused") && next.paused?.byHand === true) {
      this.#progress.set(next.id, { ...known, pausedAtMs: known.pausedAtMs ?? nowMs });
      return;
    }
    if (isSame && known.pausedAtMs !== undefined) {
      const { pausedAtMs, ...rest } = known;
      this.#progress.set(next.id, { ...rest, sinceMs: rest.sinceMs + nowMs - pausedAtMs });
      return;
    }
    if (isSame && before.state !== next.state && next.message.startsWith("paused: no progress")) {
      // a user may go back to what is being changed to before anything of the change between began: it goes on as the change that it is
      const policy = specOf(state, service)?.[before.state === "rolling_back" ? "rollback" : "update"];
      const deadlineMs = policy?.progressDeadlineMs ?? 0;
      this.#findings.check(
        "L2",
        nowMs - known.sinceMs >= deadlineMs - ROUNDING_MS,
        () => `${service.name} ends for want of progress after ${nowMs - known.sinceMs} ms of ${deadlineMs}`,
      );
    }
    const isProgress = before?.state !== next.state || before.progress?.done !== next.progress?.done;
    if (!isSame || isProgress) this.#progress.set(next.id, { key, sinceMs: nowMs });
  }
}

function oursOf(state: State, service: Service): Rollout | undefined {
  const rollout = state.rollout.get(service.id);
  return rollout?.toVersion === service.version && rollout.force === service.force ? rollout : undefined;
}

function specOf(state: State, service: Service) {
  return state.serviceVersion.get(versionKey(service.id, service.version))?.spec;
}

function strategyOf(state: State, service: Service): UpdateStrategy | undefined {
  return specOf(state, service)?.update.strategy;
}

function hashOf(state: State, { serviceId, specVersion }: Pick<Task, "serviceId" | "specVersion">): string | undefined {
  return state.serviceVersion.get(versionKey(serviceId, specVersion))?.templateHash;
}

function isFresh(state: State, rollout: Rollout, task: Task): boolean {
  const target = { serviceId: task.serviceId, specVersion: rollout.toVersion };
  return task.force >= rollout.force && hashOf(state, task) === hashOf(state, target);
}

function freshOf(state: State, rollout: Rollout): readonly Task[] {
  return [...state.task.values()].filter(
    (task) =>
      task.serviceId === rollout.id &&
      task.desired === "running" &&
      task.withdrawal === undefined &&
      isFresh(state, rollout, task),
  );
}

/** It ended as its restart policy lets it end. */
function isOver(state: State, task: Task): boolean {
  const status = state.taskStatus.get(task.id);
  return status?.state === "complete" && status.exhausted;
}
