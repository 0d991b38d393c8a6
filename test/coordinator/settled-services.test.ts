// The planner that looks only at what changed decides what one that looks at everything decides, whatever happens.

import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { SettledServices } from "../../src/coordinator/settled-services.ts";
import { asId, idSourceFrom, type NodeId } from "../../src/core/model/ids.ts";
import { copyState, type World } from "../../src/core/model/world.ts";
import { plan, type Settled } from "../../src/core/reconcile/plan.ts";
import { createCalendar } from "../../src/system/calendar.ts";
import { anyEvent, Story } from "../core/reconcile/story.ts";
import { difference } from "../fakes/difference.ts";
import { template, WorldModel } from "../fakes/world-model.ts";

const nextTick = createCalendar();

/** Plans a model's world both ways, and expects the same of both. */
class Twice {
  readonly #model: WorldModel;
  readonly #settled: SettledServices;
  #before: ReturnType<typeof copyState>;
  #progress = "";

  constructor(model: WorldModel) {
    this.#model = model;
    this.#settled = new SettledServices(model.state);
    this.#before = copyState(model.state);
  }

  /** How many services the second one skipped. */
  look(): number {
    const { state, nowMs } = this.#model;
    this.#settled.follow(difference(this.#before, state));
    this.#before = copyState(state);
    const progress = JSON.stringify([...this.#model.progress]);
    if (progress !== this.#progress) this.#settled.lookAround();
    this.#progress = progress;
    // a presence that changed is another map
    const world: World = { ...this.#model.world(), presence: new Map(this.#model.presence) };
    const isSettled = this.#settled.of(world, nowMs);
    const skipped = [...state.service.keys()].filter(isSettled).length;
    const all = plan(world, nowMs, idSourceFrom("new"), nextTick);
    const some = plan(world, nowMs, idSourceFrom("new"), nextTick, { isSettled });
    expect(some.steps).toEqual(all.steps);
    this.#settled.add(some.settled, nowMs);
    const wakesMs = [some.wakeAtMs, this.#settled.nextMs].filter((wakeAtMs) => wakeAtMs !== undefined);
    if (all.steps.length === 0) expect(Math.min(...wakesMs)).toBe(all.wakeAtMs ?? Number.POSITIVE_INFINITY);
    return skipped;
  }
}

describe("a plan of what changed", () => {
  test("has the steps of a plan of everything, and wakes at the same time", () => {
    let skipped = 0;
    fc.assert(
      fc.property(fc.array(anyEvent, { minLength: 5, maxLength: 30, size: "max" }), (events) => {
        const story = new Story();
        const twice = new Twice(story.model);
        for (const one of events) {
          story.tell(one);
          skipped += twice.look();
        }
      }),
      { numRuns: 100 },
    );
    expect(skipped).toBeGreaterThan(100);
  });

  test("does not look at a service again of which nothing changed, and looks at one whose node fell silent", () => {
    const model = new WorldModel();
    const [one] = ["n1", "n2"].map((name) => model.node(name));
    model.deploy("web", { kind: "replicated", replicas: 2 }, template());
    model.deploy("api", { kind: "global" }, template());
    model.run(60_000);
    const twice = new Twice(model);
    expect(twice.look()).toBe(0);
    expect(twice.look()).toBe(2);
    model.scale("web", 3);
    expect(twice.look()).toBe(1);
    if (one === undefined) expect.fail();
    model.rest();
    model.run(60_000);
    twice.look();
    expect(twice.look()).toBe(2);
    model.presence.set(one, "silent");
    expect(twice.look()).toBe(0);
  });

  test("looks at some services each time that were left alone for half a minute, the oldest first, and says of which nothing new may be found", () => {
    const settled = new SettledServices(new WorldModel().state);
    const rest = { wakeAtMs: undefined, nodes: new Set<NodeId>() };
    const one = (name: string, isByItself = true): Settled => ({ ...rest, id: asId(name), isByItself });
    settled.add([one("a"), one("b", false)], 0);
    settled.add(
      Array.from({ length: 25 }, (_, at) => one(`c${at}`)),
      1_000,
    );
    settled.add([one("a"), { ...one("due"), wakeAtMs: 0 }], 2_000);
    expect(settled.hasDoubts(29_999)).toBe(false);
    expect(settled.doubt(0, 29_999)).toEqual([]);
    // what hangs on others may well have something to do
    expect(settled.hasDoubts(30_000)).toBe(true);
    expect(settled.doubt(0, 30_000)).toEqual([]);
    const doubted = settled.doubt(0, 31_000);
    expect(doubted).toEqual(Array.from({ length: 20 }, (_, at) => `c${at}`));
    const isSettled = settled.of(new WorldModel().world(), 0);
    expect(["a", "b", "c0", "c24"].map(isSettled)).toEqual([true, false, false, true]);
    expect(settled.doubt(0, 31_000)).toHaveLength(5);
    expect(settled.hasDoubts(31_000)).toBe(false);
    // whose time has come has something to do
    expect(settled.doubt(0, 32_000)).toEqual(["a"]);
  });

  test("looks at everything after news of a task that it does not know", () => {
    const settled = new SettledServices(new WorldModel().state);
    settled.add([{ wakeAtMs: undefined, nodes: new Set(), id: asId("a"), isByItself: true }], 0);
    const status = {
      id: asId<"task">("t1"),
      attempt: 1,
      state: "running",
      stateAtMs: 0,
      reason: "",
      exhausted: false,
    } as const;
    settled.follow([{ op: "put", kind: "taskStatus", record: status }]);
    expect(settled.of(new WorldModel().world(), 0)("a")).toBe(false);
  });

  test("looks at every task of a service that was removed", () => {
    const model = new WorldModel();
    model.node("n1");
    model.deploy("web", { kind: "replicated", replicas: 1 }, template());
    model.run(60_000);
    model.state.service.delete("web");
    const { steps } = plan(model.world(), model.nowMs, idSourceFrom("new"), nextTick, { isSettled: () => true });
    expect(steps.map(({ kind }) => kind)).toEqual(["withdraw"]);
  });
});
