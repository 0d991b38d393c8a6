// Lets services fall asleep that nobody calls, and wakes them. When each was called last is kept in memory: a new start of the coordinator counts
// as a call of all.

import { fallAsleep, mayFallAsleep, wakeUp } from "../core/commands/asleep.ts";
import { reasonOf } from "../core/model/errors.ts";
import type { NodeId, ServiceId } from "../core/model/ids.ts";
import type { State, World } from "../core/model/world.ts";
import type { Called } from "../core/protocol/frames.ts";
import { planScale } from "../core/scale/plan-scale.ts";
import type { Clock, Timer } from "../ports/clock.ts";
import type { Log } from "../ports/log.ts";
import type { CommitDoor, Draft } from "./commit-door.ts";

/** A node that was out of touch may be back. */
const LOOK_MS = 5_000;

export type ScaleLoopContext = {
  readonly door: CommitDoor;
  readonly clock: Clock;
  readonly log: Log;
  readonly worldOf: (state: State) => World;
};

export class ScaleLoop {
  readonly #context: ScaleLoopContext;
  readonly #calledAtMs = new Map<ServiceId, number>();
  #timer: Timer | undefined;
  #isStopped = false;

  constructor(context: ScaleLoopContext) {
    this.#context = context;
    context.door.onCommit((changes) => {
      const kinds = new Set(changes.map(({ kind }) => kind));
      if (kinds.has("service") || kinds.has("rollout")) this.look();
    });
  }

  stop(): void {
    this.#isStopped = true;
    this.#timer?.cancel();
  }

  /** A node's agent says what is called there. */
  called(nodeId: NodeId, { waiting, active }: Pick<Called, "waiting" | "active">): void {
    const { door, clock } = this.#context;
    const nowMs = clock.bootMs();
    for (const id of [...waiting, ...active]) if (door.state.service.has(id)) this.#calledAtMs.set(id, nowMs);
    const asleep = waiting.filter((id) => door.state.service.get(id)?.asleep !== undefined);
    const nodeName = door.state.node.get(nodeId)?.name ?? nodeId;
    if (asleep.length > 0) this.#commit((state) => wakeUp(state, asleep, nodeName));
  }

  look(): void {
    if (this.#isStopped) return;
    const { door, clock, worldOf } = this.#context;
    const nowMs = clock.bootMs();
    for (const id of this.#calledAtMs.keys()) {
      const service = door.state.service.get(id);
      if (service === undefined || !mayFallAsleep(door.state, service)) this.#calledAtMs.delete(id);
    }
    const calledAtMs = (id: ServiceId): number => {
      // one that has just been woken, deployed or changed counts as called
      const atMs = this.#calledAtMs.get(id) ?? nowMs;
      this.#calledAtMs.set(id, atMs);
      return atMs;
    };
    const { asleep, nextMs } = planScale(worldOf(door.state), calledAtMs, nowMs);
    if (asleep.length > 0) this.#commit((state) => fallAsleep(state, asleep));
    this.#timer?.cancel();
    this.#timer = undefined;
    if (this.#calledAtMs.size === 0) return;
    this.#timer = clock.after(Math.max(LOOK_MS, (nextMs ?? 0) - nowMs), () => this.look());
  }

  #commit(draft: (state: State) => Draft & { readonly result: void }): void {
    const { door, log } = this.#context;
    door.commit(draft).catch((error: unknown) => log.error("services that nobody calls", { reason: reasonOf(error) }));
  }
}
