// Candidates are kept from one task to the next: whatever was booked and given back in between, the first is the one that asking every node
// would find.

import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { asId } from "../../../src/core/model/ids.ts";
import { versionKey } from "../../../src/core/model/world.ts";
import { wantedOf } from "../../../src/core/schedule/asking.ts";
import { Ledger } from "../../../src/core/schedule/ledger.ts";
import { explain, place } from "../../../src/core/schedule/place.ts";
import type { Task } from "../../../src/core/model/records.ts";
import { template, WorldModel } from "../../fakes/world-model.ts";

const move = fc.record({
  service: fc.constantFrom("a", "b", "c"),
  what: fc.constantFrom("place", "place", "place", "without"),
  pick: fc.nat({ max: 50 }),
});

function world(): WorldModel {
  const model = new WorldModel();
  for (let number = 1; number <= 7; number++) model.node(`n${number}`, { zone: `z${number % 2}` });
  model.availability(asId("n7"), "drain");
  const reserving = (cpus: number) => ({
    ...template().resources,
    reservations: { cpus, memoryBytes: 0, generic: {} },
  });
  model.deploy("a", { kind: "replicated", replicas: 3 }, template({ resources: reserving(0.5) }));
  model.deploy("b", { kind: "replicated", replicas: 3 }, template({ resources: reserving(1.5) }));
  const port = { target: 80, published: { from: 8000, to: 8001 }, protocol: "tcp", mode: "host" } as const;
  model.deploy("c", { kind: "replicated", replicas: 3 }, template({ ports: [port] }));
  return model;
}

describe("candidates", () => {
  test("give the node that is best of all, after any bookings", () => {
    fc.assert(
      fc.property(fc.array(move, { maxLength: 40 }), (moves) => {
        const model = world();
        const ledger = new Ledger(model.state, false);
        const placed: Task[] = [];
        for (const { service: name, what, pick } of moves) {
          const service = model.state.service.get(name);
          const version = model.state.serviceVersion.get(versionKey(name, 1));
          if (service === undefined || version === undefined) return expect.fail("it was deployed");
          const wanted = wantedOf(service, version, { force: 0, slot: placed.length + 1 }, new Set());
          const one = placed[pick % Math.max(1, placed.length)];
          const ask = () => {
            const best = explain(model.world(), ledger, model.nowMs, wanted).find(({ rank }) => rank === 1);
            const answer = place(model.world(), ledger, model.nowMs, wanted);
            expect("placed" in answer ? answer.placed.nodeId : undefined).toBe(best?.node.id);
            return answer;
          };
          if (what === "without" && one !== undefined) ledger.without(one, ask);
          else {
            const answer = ask();
            if (!("placed" in answer)) continue;
            const task: Task = {
              id: asId(`t${placed.length}`),
              serviceId: service.id,
              slot: placed.length + 1,
              specVersion: 1,
              force: 0,
              desired: "running",
              desiredReason: "",
              createdAtMs: placed.length,
              volumes: [],
              weight: 100,
              ...answer.placed,
            };
            ledger.take(task, answer.placed.nodeId);
            placed.push(task);
          }
        }
      }),
    );
  });
});
