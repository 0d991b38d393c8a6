// Whole stories as the planner tells them, compared with files that a person can read. A change of them is a change of behaviour: read
// the difference, then `npx bun --bun run vitest run -u test/core/reconcile/golden.test.ts`.

import { expect, test } from "vitest";
import { rebalance } from "../../../src/core/commands/rebalance.ts";
import { asId } from "../../../src/core/model/ids.ts";
import { applyChanges } from "../../../src/core/model/world.ts";
import { commandContext } from "../../fakes/memory-backend.ts";
import { template, WorldModel } from "../../fakes/world-model.ts";

/** Three nodes with the shop on it: web, api on every node, store with its data. */
class Telling {
  readonly model = new WorldModel("golden");
  readonly #lines: string[] = [];
  #isTelling = false;
  readonly #startMs = this.model.nowMs;

  constructor() {
    for (const name of ["n1", "n2", "n3"]) this.model.node(name);
    this.model.volume("shop_data");
    this.web("web:v1");
    this.model.deploy("shop_api", { kind: "global" }, template({ image: "api:v1" }));
    this.model.deploy(
      "shop_store",
      { kind: "replicated", replicas: 1 },
      template({ image: "store:v1", volume: "shop_data" }),
    );
  }

  web(image: string, update: Parameters<WorldModel["deploy"]>[3] = {}): void {
    const published = { from: 8080, to: 8089 };
    const ports = [{ target: 80, published, protocol: "tcp", mode: "host" }] as const;
    this.model.deploy("shop_web", { kind: "replicated", replicas: 3 }, template({ image, ports }), update);
  }

  say(event: string): this {
    this.#isTelling = true;
    this.#lines.push(`\n${event}`);
    return this;
  }

  /** Lets time pass and, once something was said, writes down what the planner does meanwhile. */
  run(forMs: number): this {
    for (let passed = 0; passed < forMs; passed += 500) {
      const before = this.model.told.length;
      this.model.rest();
      const at = ((this.model.nowMs - this.#startMs) / 1_000).toFixed(1).padStart(6);
      if (this.#isTelling) for (const line of this.model.told.slice(before)) this.#lines.push(`${at} s  ${line}`);
      this.model.agents();
      this.model.nowMs += 500;
    }
    return this;
  }

  text(): string {
    expect(this.model.plan()).toEqual([]);
    return `${this.#lines.join("\n").trim()}\n`;
  }
}

test("the plan of a deploy reads as written", async () => {
  const telling = new Telling().say("the shop is deployed on n1, n2 and n3").run(10_000);
  await expect(telling.text()).toMatchFileSnapshot("../../golden/deploy.txt");
});

test("the plan of a rolling update reads as written", async () => {
  const telling = new Telling().run(10_000);
  telling.say("web:v2, one at a time, the new one first");
  telling.web("web:v2", { order: "start-first" });
  await expect(telling.run(20_000).text()).toMatchFileSnapshot("../../golden/rolling-update.txt");
});

test("the plan of a failed update that goes back reads as written", async () => {
  const telling = new Telling().run(10_000);
  telling.say("web:v2 exits at once; its failure action is rollback");
  telling.model.broken.add("web:v2");
  telling.web("web:v2", { failureAction: "rollback" });
  await expect(telling.run(20_000).text()).toMatchFileSnapshot("../../golden/rollback.txt");
});

test("the plan for a node that is lost and comes back reads as written", async () => {
  const telling = new Telling().run(10_000);
  telling.say("n1 is lost");
  telling.model.lose(asId("n1"));
  telling.run(5_000).say("n1 is back after five seconds");
  telling.model.comeBack(asId("n1"));
  telling.run(10_000).say("n2 is lost");
  telling.model.lose(asId("n2"));
  telling.run(90_000).say("n2 is back after a minute and a half");
  telling.model.comeBack(asId("n2"));
  await expect(telling.run(10_000).text()).toMatchFileSnapshot("../../golden/lost-node.txt");
});

test("the plan of draining a node reads as written", async () => {
  const telling = new Telling().run(10_000);
  telling.say("n3 is drained");
  telling.model.availability(asId("n3"), "drain");
  telling.run(10_000).say("n3 is active again");
  telling.model.availability(asId("n3"), "active");
  await expect(telling.run(5_000).text()).toMatchFileSnapshot("../../golden/drain.txt");
});

test("the plan of a stack with an order, changed together later, reads as written", async () => {
  const telling = new Telling();
  const { model } = telling;
  const deploy = (image: string): void => {
    model.deploy("shop_db", { kind: "replicated", replicas: 1 }, template({ image: `db:${image}`, settleMs: 2_000 }));
    const healthy = { service: "shop_db", condition: "service_healthy", required: true, restart: false } as const;
    model.deploy("shop_worker", { kind: "replicated", replicas: 2 }, template({ image: `worker:${image}` }), {}, {}, [
      healthy,
    ]);
  };
  telling.run(10_000).say("db and its workers are deployed");
  deploy("v1");
  telling.run(15_000).say("both get a new version");
  deploy("v2");
  telling.run(20_000).say("the workers get other limits");
  const limits = { cpus: 1, memoryBytes: 0, pids: 0 };
  const resources = { limits, reservations: { cpus: 0, memoryBytes: 0, generic: {} } };
  model.deploy("shop_worker", { kind: "replicated", replicas: 2 }, template({ image: "worker:v2", resources }));
  await expect(telling.run(10_000).text()).toMatchFileSnapshot("../../golden/order.txt");
});

test("the plan of a rebalance after a node joined reads as written", async () => {
  const telling = new Telling().run(10_000);
  const { model } = telling;
  model.scale("shop_web", 6);
  telling.run(10_000);
  model.node("n4");
  telling.run(5_000).say("n4 has joined; a rebalance is asked for");
  const { changes, result } = rebalance({ worldOf: (state) => ({ ...model.world(), state }) })(
    model.state,
    commandContext(model.nowMs),
  );
  applyChanges(model.state, changes);
  for (const { task, from, to, why } of result.moves) telling.say(`plan: ${task} from ${from} to ${to}: ${why}`);
  await expect(telling.run(10_000).text()).toMatchFileSnapshot("../../golden/rebalance.txt");
});

test("the plan of a canary update that somebody promotes reads as written", async () => {
  const telling = new Telling().run(10_000);
  telling.say("web:v2, a canary of weight 10 first, until it is promoted");
  telling.web("web:v2", {
    strategy: { kind: "canary", canaries: { percent: 34 }, weight: 10 },
    parallelismPercent: 67,
    order: "start-first",
  });
  telling.run(5_000).say("somebody promotes it");
  telling.model.wish("shop_web", "promote");
  await expect(telling.run(20_000).text()).toMatchFileSnapshot("../../golden/canary.txt");
});

test("the plan of a blue-green update that goes back while the old set is kept reads as written", async () => {
  const telling = new Telling().run(10_000);
  telling.say("web:v2 as a whole set beside web:v1, which is kept for ten minutes");
  telling.web("web:v2", { strategy: { kind: "blue-green", holdMs: 0, keepMs: 600_000 } });
  telling.run(10_000).say("somebody goes back");
  telling.model.goBack("shop_web", 1);
  await expect(telling.run(10_000).text()).toMatchFileSnapshot("../../golden/blue-green.txt");
});
