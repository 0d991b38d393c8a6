// What a machine's kernel would route to: the endpoints of the last view that was put in force, in the time that a kernel takes. It outlives
// the agent, as rules do, and not the machine's power. Now and then it fails, as rules do on a host that others change too.

import type { Standing } from "../../../src/core/model/routes.ts";
import type { NetworkPart } from "../../../src/ports/node-network.ts";
import type { Chance } from "../kernel/chance.ts";
import type { Life, Scheduler } from "../kernel/scheduler.ts";

/** A kernel takes a dozen milliseconds for a small change of its rules. */
const APPLY_MS = 15;

export type Rule = {
  readonly taskId: string;
  readonly serviceId: string;
  readonly name: string;
  readonly standing: Standing;
};

export class MachineRules {
  /** By the endpoints' addresses. */
  table: ReadonlyMap<string, Rule> = new Map();
  /** Part of the changes that fail. */
  trouble = 0;
  onChange: () => void = () => undefined;
  readonly #scheduler: Scheduler;
  readonly #chance: Chance;

  constructor(scheduler: Scheduler, chance: Chance) {
    this.#scheduler = scheduler;
    this.#chance = chance;
  }

  /** As one agent's process drives them: the mesh, which is always there, and the rules. */
  partsOf(life: Life): readonly NetworkPart[] {
    return [{ name: "mesh", apply: async () => {}, remove: async () => {} }, this.#partOf(life)];
  }

  #partOf(life: Life): NetworkPart {
    return {
      name: "rules",
      apply: ({ services }) =>
        this.#scheduler.later(this.#chance.around(APPLY_MS), life, () => {
          if (this.#chance.happens(this.trouble)) throw new Error("the kernel says no");
          this.table = new Map(
            services.flatMap(({ serviceId, name, endpoints }) =>
              endpoints.map(
                ({ address, taskId, standing }) => [address, { taskId, serviceId, name, standing }] as const,
              ),
            ),
          );
          this.onChange();
        }),
      remove: async () => void (this.table = new Map()),
    };
  }

  powerLost(): void {
    this.table = new Map();
  }
}
