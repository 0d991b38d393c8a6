// What must hold while a change is on trial or has switched, at every step of every plan. S8: no more new tasks than were asked for. S10: nothing
// old goes for the update before the promotion, and nothing promotes itself before all new tasks were healthy for long enough. One set alone
// serves in a blue-green change, and no way back starts anything while the old set is whole.

import { expect } from "vitest";
import type { Service, Task } from "../../../src/core/model/records.ts";
import type { Rollout } from "../../../src/core/model/rollout.ts";
import type { UpdateStrategy } from "../../../src/core/model/update-policy.ts";
import { versionKey } from "../../../src/core/model/world.ts";
import { isFinished, isHealthy, isLost } from "../../../src/core/reconcile/health.ts";
import { describeStep, type Step } from "../../../src/core/reconcile/step.ts";
import type { WorldModel } from "../../fakes/world-model.ts";

export class TrialInvariants {
  readonly #model: WorldModel;
  /** By service and version: since when all its tasks on trial have been healthy. */
  readonly #healthySince = new Map<string, number>();

  constructor(model: WorldModel) {
    this.#model = model;
  }

  check(step: Step): void {
    if (step.kind === "withdraw" || step.kind === "stop") this.#oldStays(step);
    if (step.kind === "rollout") this.#isPromotedInTime(step, step.rollout);
  }

  /** S8 at rest, and who serves. */
  checkState(): void {
    for (const service of this.#model.state.service.values()) {
      const rollout = this.#rolloutOf(service.id);
      const strategy = this.#strategyOf(service);
      const key = `${service.id}/${service.version}/${service.force}`;
      if (rollout === undefined || strategy === undefined) continue;
      const live = this.#live(service.id);
      const fresh = live.filter((task) => this.#isFresh(rollout, task));
      if (rollout.state === "trial") {
        const { wanted, filled } = this.#counts(service, strategy, fresh);
        this.#holds(filled <= wanted, () => `${filled} slots of ${service.name} have new tasks, ${wanted} may`);
        const isWhole = (service.mode.kind === "global" || filled === wanted) && this.#areHealthy(fresh);
        if (!isWhole) this.#healthySince.delete(key);
        else if (!this.#healthySince.has(key)) this.#healthySince.set(key, this.#model.nowMs);
        const weight = strategy.kind === "canary" ? strategy.weight : 0;
        const isRight = live.every((task) => task.weight === (fresh.includes(task) ? weight : 100));
        this.#holds(isRight, () => `weights of ${service.name} on trial: ${live.map((task) => task.weight).join(" ")}`);
      } else if (rollout.state === "switched") {
        const isRight = live.every((task) => task.weight === (fresh.includes(task) ? 100 : 0));
        this.#holds(isRight, () => `weights of ${service.name} switched: ${live.map((task) => task.weight).join(" ")}`);
      }
    }
  }

  #holds(isTrue: boolean, sentence: () => string): void {
    if (!isTrue) expect.fail(`${sentence()}\nafter ${this.#model.told.slice(-15).join("\n      ")}`);
  }

  /** The rollout to what the service should be now. */
  #rolloutOf(id: string): Rollout | undefined {
    const rollout = this.#model.state.rollout.get(id);
    const service = this.#model.state.service.get(id);
    return rollout?.toVersion === service?.version && rollout?.force === service?.force ? rollout : undefined;
  }

  #strategyOf(service: Service): UpdateStrategy | undefined {
    return this.#model.state.serviceVersion.get(versionKey(service.id, service.version))?.spec.update.strategy;
  }

  #live(id: string): readonly Task[] {
    return this.#model.live(id);
  }

  #hashOf(id: string, version: number): string | undefined {
    return this.#model.state.serviceVersion.get(versionKey(id, version))?.templateHash;
  }

  #isFresh(rollout: Rollout, task: Task): boolean {
    if (task.force < rollout.force) return false;
    return this.#hashOf(rollout.id, task.specVersion) === this.#hashOf(rollout.id, rollout.toVersion);
  }

  #areHealthy(tasks: readonly Task[]): boolean {
    const world = this.#model.world();
    const counted = tasks.filter((task) => task.onlyNode === undefined || !isLost(world, task.onlyNode));
    const bySlot = Map.groupBy(counted, (task) => task.onlyNode ?? task.slot);
    return [...bySlot.values()].every((those) =>
      those.some((task) => isHealthy(world, task) || isFinished(world.state, task)),
    );
  }

  /** Slots that should have a task on trial, and those that have one; a global service has as many slots as nodes at the most. */
  #counts(service: Service, strategy: UpdateStrategy, fresh: readonly Task[]): { wanted: number; filled: number } {
    const world = this.#model.world();
    const isCounted = (task: Task): boolean => task.onlyNode === undefined || !isLost(world, task.onlyNode);
    const slotsOf = (tasks: readonly Task[]): number =>
      new Set(tasks.filter(isCounted).map((task) => task.onlyNode ?? task.slot)).size;
    const nodes = [...world.state.node.values()].filter((node) => !isLost(world, node.id));
    const total = service.mode.kind === "replicated" ? service.mode.replicas : nodes.length;
    const filled = slotsOf(fresh);
    if (strategy.kind === "blue-green") return { wanted: total, filled };
    const { canaries } = strategy;
    const share = "tasks" in canaries ? canaries.tasks : Math.max(1, Math.floor((total * canaries.percent) / 100));
    return { wanted: Math.min(total, share), filled };
  }

  /** S10, first half */
  #oldStays(step: Extract<Step, { kind: "withdraw" | "stop" }>): void {
    const task = this.#model.state.task.get(step.taskId);
    const rollout = task === undefined ? undefined : this.#rolloutOf(task.serviceId);
    // the second part of a stop was decided with the first
    if (task === undefined || rollout === undefined || task.withdrawal !== undefined) return;
    if (this.#isFresh(rollout, task)) return;
    const phase = rollout.paused?.from ?? rollout.state;
    if (phase !== "trial" && phase !== "switched") return;
    const isForUpdate = /^updated to version|^nothing goes back/.test(step.why);
    this.#holds(
      !isForUpdate,
      () => `an old task goes while version ${rollout.toVersion} is in ${phase}: ${this.#tell(step)}`,
    );
  }

  /** S10, second half */
  #isPromotedInTime(step: Step, next: Rollout): void {
    const before = this.#rolloutOf(next.id);
    const service = this.#model.state.service.get(next.id);
    if (service === undefined || before?.state !== "trial" || next.promotedAtMs === undefined) return;
    const strategy = this.#strategyOf(service);
    const isAsked = (service.asked?.promotions ?? 0) > (before.answered?.promotions ?? 0);
    const fresh = this.#live(service.id).filter((task) => this.#isFresh(before, task));
    if (strategy === undefined || fresh.length === 0) return;
    this.#holds(this.#areHealthy(fresh), () => `promoted though not all are healthy: ${this.#tell(step)}`);
    if (isAsked) return;
    const key = `${service.id}/${service.version}/${service.force}`;
    const forMs = this.#model.nowMs - (this.#healthySince.get(key) ?? this.#model.nowMs);
    this.#holds(
      strategy.holdMs !== undefined && forMs >= strategy.holdMs,
      () => `promoted after ${forMs} of ${strategy.holdMs} ms: ${this.#tell(step)}`,
    );
  }

  #tell(step: Step): string {
    return describeStep(step, this.#model.state);
  }
}
