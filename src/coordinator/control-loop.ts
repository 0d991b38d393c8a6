// Looks at the world and commits what the planner says, until the planner says nothing more. It takes no arguments: a wake-up means
// "look again", so a lost wake-up costs time and nothing else. One look is under way at a time; time-based steps wake it exactly.

import { reasonOf } from "../core/model/errors.ts";
import { idFromBytes, ID_BYTES, idSourceFrom } from "../core/model/ids.ts";
import type { NextTick } from "../core/model/job.ts";
import type { Change, EventDraft } from "../core/model/records.ts";
import { applyChanges, copyState, type MutableState, type State, type World } from "../core/model/world.ts";
import { type Plan, plan } from "../core/reconcile/plan.ts";
import { changesOf, describeStep, eventOf, type Step } from "../core/reconcile/step.ts";
import { volumesMade } from "../core/work/volumes-made.ts";
import type { Clock, Timer } from "../ports/clock.ts";
import type { Log } from "../ports/log.ts";
import type { Random } from "../ports/random.ts";
import type { CommitDoor } from "./commit-door.ts";
import { SettledServices } from "./settled-services.ts";

/** Passes of the planner before a commit: each sees what the one before did. A plan that does not come to rest in so many is a bug, and is said to be one. */
const MAX_PASSES = 20;
/** Steps of one look: more are committed in several, so that beats and users get their turn in between. */
const MAX_STEPS = 500;
/** A look that took longer is followed by a rest as long as itself: observations that pour in must not keep the loop planning. */
const LONG_LOOK_MS = 20;
/** After a look that failed. A refused commit is rare, and an error that stays must not fill the log. */
const RETRY_MS = 1_000;
/** The longest sleep: "look again" now and then costs microseconds, and an overlooked wake-up then costs at most this. */
const MAX_SLEEP_MS = 30_000;
/** While services are left that nobody looked at for long: some at a time. */
const DOUBT_SLEEP_MS = 1_000;

export type ControlLoopInput = {
  readonly door: CommitDoor;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  /** The world around a state: presence, measurements, progress of nodes. */
  readonly worldOf: (state: State) => World;
  readonly nextTick: NextTick;
};

export type LoopReport = {
  readonly atMs: number;
  readonly passes: number;
  readonly steps: readonly string[];
  readonly error?: string;
};

/** What one look found: sentences of its steps, and the date of the next. */
type Look = {
  readonly steps: string[];
  readonly passes: number;
  readonly wakeAtMs: number | undefined;
  /** Not all that is to be done: look again at once. */
  readonly isCut: boolean;
  readonly tookMs: number;
};

type Done = { readonly changes: Change[]; readonly events: EventDraft[]; readonly steps: string[]; passes: number };

export class ControlLoop {
  readonly #input: ControlLoopInput;
  readonly #settled: SettledServices;
  #timer: Timer | undefined;
  #running = false;
  #again = false;
  #wakeAtMs: number | undefined;
  #stopped = false;
  #report: LoopReport = { atMs: 0, passes: 0, steps: [] };

  constructor(input: ControlLoopInput) {
    this.#input = input;
    this.#settled = new SettledServices(input.door.state);
  }

  /** Nothing is to be done until something changes, or until its time comes. */
  get isAtRest(): boolean {
    return !this.#running && (this.#wakeAtMs ?? Number.POSITIVE_INFINITY) > this.#input.clock.nowMs();
  }

  /** Nodes are further with their routes. */
  lookAround(): void {
    this.#settled.lookAround();
    this.wake();
  }

  /** Call it with each commit, in order, and wake the loop. */
  follow(changes: readonly Change[]): void {
    this.#settled.follow(changes);
  }

  /** What the last look that did something did. */
  get report(): LoopReport {
    return this.#report;
  }

  wake(): void {
    if (this.#stopped) return;
    if (this.#running) {
      this.#again = true;
      return;
    }
    this.#running = true;
    void this.#look();
  }

  stop(): void {
    this.#stopped = true;
    this.#timer?.cancel();
  }

  async #look(): Promise<void> {
    const { door, clock, log } = this.#input;
    this.#timer?.cancel();
    do {
      this.#again = false;
      try {
        const outcome = await door.commit((state) => this.#draft(state));
        const { steps, passes, wakeAtMs, isCut, tookMs } = outcome.result;
        this.#wakeAtMs = wakeAtMs;
        this.#again ||= isCut;
        if (steps.length > 0) {
          this.#report = { atMs: clock.nowMs(), passes, steps };
          for (const step of steps) log.info(step);
        }
        if (this.#again && tookMs > LONG_LOOK_MS) await clock.sleep(tookMs);
      } catch (error) {
        // what was planned on may never have come to be
        this.#settled.forget();
        this.#report = { atMs: clock.nowMs(), passes: 0, steps: [], error: reasonOf(error) };
        log.error("control loop", { reason: reasonOf(error) });
        this.#wakeAtMs = clock.nowMs() + RETRY_MS;
      }
    } while (this.#again && !this.#stopped);
    this.#running = false;
    this.#sleep();
  }

  #draft(state: State): { changes: Change[]; events: EventDraft[]; result: Look } {
    const { clock, random, worldOf, nextTick } = this.#input;
    const newId = idSourceFrom(idFromBytes(random.bytes(ID_BYTES)));
    const nowMs = clock.nowMs();
    const startedMs = clock.bootMs();
    let doubted: readonly string[] | undefined;
    const planOf = (on: State): Plan => {
      const world = worldOf(on);
      const isSettled = this.#settled.of(world, nowMs);
      const isFirst = doubted === undefined;
      doubted ??= this.#settled.doubt(nowMs, startedMs);
      const found = plan(world, nowMs, newId, nextTick, { limit: MAX_STEPS, isSettled });
      this.#settled.add(found.settled, startedMs);
      // what another change of its group makes is not followed yet
      if (isFirst && on === this.#input.door.state) this.#checkDoubted(doubted, found, on);
      return found;
    };
    const found = volumesMade(state);
    const done: Done = { changes: [...found], events: [], steps: [], passes: 0 };
    const scratch = found.length === 0 ? undefined : copyState(state);
    if (scratch !== undefined) applyChanges(scratch, found);
    this.#settled.follow(found);
    let next = planOf(scratch ?? state);
    if (next.steps.length > 0) next = this.#untilRest(scratch ?? copyState(state), next, planOf, done);
    const isCut = done.steps.length >= MAX_STEPS;
    const { changes, events, steps, passes } = done;
    const tookMs = clock.bootMs() - startedMs;
    const wakeAtMs = earlier(next.wakeAtMs, this.#settled.nextMs);
    return { changes, events, result: { steps, passes, wakeAtMs, isCut, tookMs } };
  }

  /** Work of a service of which nothing was heard: it is done now, and late. */
  #checkDoubted(doubted: readonly string[], { steps, settled }: Plan, state: State): void {
    if (doubted.length === 0 || steps.length >= MAX_STEPS) return;
    const found = new Set<string>(settled.map(({ id }) => id));
    for (const id of doubted.filter((one) => !found.has(one)))
      this.#input.log.error("a service was overlooked: please report this as a bug of davit", {
        service: state.service.get(id)?.name ?? id,
        first: describe(steps, state),
      });
  }

  /** Applies plans to a copy until nothing is left, or until there is enough for one commit. Gives the last plan. */
  #untilRest(scratch: MutableState, first: Plan, planOf: (on: State) => Plan, done: Done): Plan {
    let next = first;
    while (next.steps.length > 0) {
      done.passes += 1;
      if (done.passes > MAX_PASSES) {
        const step = describe(next.steps, scratch);
        this.#input.log.error("the plan does not come to rest; going on with what there is", { step });
        break;
      }
      for (const step of next.steps) {
        done.steps.push(describeStep(step, scratch));
        const event = eventOf(step, scratch);
        if (event !== undefined) done.events.push(event);
        const made = changesOf(step, scratch);
        applyChanges(scratch, made);
        this.#settled.follow(made);
        done.changes.push(...made);
      }
      if (done.steps.length >= MAX_STEPS) break;
      next = planOf(scratch);
    }
    return next;
  }

  /** Until the date that the last plan named, the one that found nothing left to do. */
  #sleep(): void {
    if (this.#stopped) return;
    const { clock } = this.#input;
    const delayMs = (this.#wakeAtMs ?? Number.POSITIVE_INFINITY) - clock.nowMs();
    const longestMs = this.#settled.hasDoubts(clock.bootMs()) ? DOUBT_SLEEP_MS : MAX_SLEEP_MS;
    this.#timer = clock.after(Math.min(Math.max(delayMs, 1), longestMs), () => this.wake());
  }
}

function earlier(one: number | undefined, other: number | undefined): number | undefined {
  return one === undefined || other === undefined ? (one ?? other) : Math.min(one, other);
}

function describe(steps: readonly Step[], state: State): string {
  const [first] = steps;
  return first === undefined ? "" : describeStep(first, state);
}
