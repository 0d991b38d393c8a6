// The planner that looks only at what changed decides what one that looks at everything decides, whatever happens.

import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { SettledServices } from "../../src/coordinator/settled-services.ts";
import { idSourceFrom } from "../../src/core/model/ids.ts";
import { copyState, type World } from "../../src/core/model/world.ts";
import { plan } from "../../src/core/reconcile/plan.ts";
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
    this.#settled.add(some.settled);
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
