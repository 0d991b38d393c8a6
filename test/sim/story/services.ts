// Random services: every shape that the planner and the agent tell apart, and programs that behave well, badly, or not at all.

import type { StackSpec, ServiceMode, ServiceSpec, TaskTemplate } from "../../../src/core/model/service-spec.ts";
import type { UpdatePolicy } from "../../../src/core/model/update-policy.ts";
import { stackOf } from "../../fakes/stacks.ts";
import { template } from "../../fakes/world-model.ts";
import type { Program } from "../fakes/machine-engine.ts";
import { drawErrand, drawJob } from "./jobs.ts";
import type { Chance } from "../kernel/chance.ts";
import type { Universe } from "../world/universe.ts";
import { ordered } from "./placement-acts.ts";
import { drawDeadline, drawExtras } from "./rollouts.ts";

export type Character = "good" | "slow" | "stubborn" | "exits" | "sick" | "missing";

/** Characters of images in a run without bad ones, and in any other. */
const GOOD: readonly Character[] = ["good", "good", "slow", "stubborn"];
const ANY: readonly Character[] = [...GOOD, "good", "good", "exits", "sick", "missing"];

/** Whether the program in an image works, by its name. */
export function isGood(image: string): boolean {
  return /^(good|slow|stubborn):/.test(image);
}

export class ServiceMaker {
  readonly #universe: Universe;
  readonly #chance: Chance;
  readonly #areBadImagesMade: boolean;
  #images = 0;
  readonly #jobCount: number | undefined;

  /** `jobs`: so many in each stack; undefined: none to two, at random. */
  constructor(universe: Universe, areBadImagesMade: boolean, jobs?: number) {
    this.#jobCount = jobs;
    this.#universe = universe;
    this.#chance = universe.chance.fork("services");
    this.#areBadImagesMade = areBadImagesMade;
  }

  /** A new image. Its name says how its program behaves. */
  image(character?: Character): string {
    const chosen = character ?? this.#chance.pick(this.#areBadImagesMade ? ANY : GOOD) ?? "good";
    const image = `${chosen}:v${++this.#images}`;
    this.#universe.programs.set(image, this.#program(chosen));
    return image;
  }

  /** A new image with a program that ends. */
  errand(): string {
    const { errand, program } = drawErrand(this.#chance);
    const image = `${errand}:v${++this.#images}`;
    this.#universe.programs.set(image, program);
    return image;
  }

  #program(character: Character): Program {
    const chance = this.#chance;
    const pullMs = chance.between(200, 8_000);
    switch (character) {
      case "good":
        return { pullMs, readyMs: chance.between(0, 1_500) };
      case "slow":
        return { pullMs: 20_000, readyMs: chance.between(2_000, 8_000) };
      case "stubborn":
        return { pullMs, readyMs: 500, isStubborn: true };
      case "exits":
        return {
          pullMs,
          readyMs: undefined,
          ends: { afterMs: chance.between(50, 3_000), exitCode: chance.one(0, 1, 2) },
        };
      case "sick":
        return { pullMs, readyMs: undefined };
      case "missing":
        return { pullMs: 300, readyMs: 0, isMissing: true };
    }
  }

  stack(name: string): StackSpec {
    const count = 1 + this.#chance.below(3);
    const services = Array.from({ length: count }, (_, at) => this.service(name, `s${at + 1}`));
    return stackOf(name, [...ordered(services, this.#chance), ...this.#jobs(name)]);
  }

  #jobs(stack: string): readonly ServiceSpec[] {
    const count = this.#jobCount ?? this.#chance.one(0, 0, 0, 1, 1, 2);
    const jobs: ServiceSpec[] = [];
    for (let at = 1; at <= count; at++) {
      const others = jobs.map(({ name }) => name);
      jobs.push(drawJob(this.#chance, stack, `j${at}`, this.errand(), others));
    }
    return jobs;
  }

  service(stack: string, name: string): ServiceSpec {
    const chance = this.#chance;
    const mode: ServiceMode = chance.happens(0.2)
      ? { kind: "global" }
      : { kind: "replicated", replicas: chance.one(1, 1, 2, 2, 3, 4, 6) };
    const made = this.#bounded(this.#template(`${stack}_${name}`, this.image(), stack.length + name.length));
    const replaceAfterMs = mode.kind === "replicated" ? chance.one(undefined, undefined, 10_000, 40_000) : undefined;
    return {
      name: `${stack}_${name}`,
      stack,
      labels: {},
      mode,
      template: made,
      update: { ...this.#policy(true), ...drawExtras(chance, mode, made) },
      rollback: { ...this.#policy(false), ...drawDeadline(chance) },
      ...(replaceAfterMs === undefined ? {} : { replaceAfterMs }),
    };
  }

  /** Some must never run twice. */
  #bounded(made: TaskTemplate): TaskTemplate {
    const leaseMs = this.#chance.one(10_000, 15_000, 30_000);
    return this.#chance.happens(0.3) ? { ...made, onLeaseLost: "stop", leaseMs } : made;
  }

  #policy(mayRollBack: boolean): UpdatePolicy {
    const chance = this.#chance;
    return {
      parallelism: chance.one(0, 1, 1, 1, 2, 3),
      delayMs: chance.one(0, 0, 0, 2_000),
      order: chance.one("start-first", "stop-first"),
      failureAction: mayRollBack
        ? chance.one("pause", "rollback", "rollback", "continue")
        : // whoever asks for a rollback of rollbacks gets a pause
          chance.one("pause", "pause", "rollback", "continue"),
      maxFailureRatio: chance.one(0, 0, 0.3),
      monitorMs: chance.one(0, 3_000, 5_000),
    };
  }

  #template(fullName: string, image: string, salt: number): TaskTemplate {
    const chance = this.#chance;
    const hasVolume = chance.happens(0.25);
    const base = template({ image, ...(hasVolume ? { volume: `${fullName}_data` } : {}) });
    const from = 8_000 + salt * 10 + this.#images * 20;
    const portWidth = chance.one(0, 0, 1, 3);
    const hasPort = chance.happens(0.25);
    const hasConstraint = chance.happens(0.2);
    return {
      ...base,
      container: { ...base.container, stopGraceMs: chance.one(1_000, 3_000, 10_000) },
      health: {
        ...base.health,
        probe:
          chance.happens(0.5) || image.startsWith("sick") ? { kind: "http", port: 80, path: "/" } : { kind: "none" },
        // a program may take eight seconds
        startPeriodMs: chance.one(12_000, 30_000),
      },
      resources: {
        ...base.resources,
        reservations: {
          cpus: chance.one(0, 0, 0, 0.25, 0.5, 1),
          memoryBytes: 0,
          generic: chance.happens(0.15) ? { gpu: chance.one(1, 1, 2) } : {},
        },
      },
      placement: {
        ...base.placement,
        constraints: hasConstraint
          ? [{ attribute: "node.labels.disk", operator: chance.one("==", "!="), value: "ssd" }]
          : [],
        spreadOver: chance.happens(0.2) ? ["node.labels.zone"] : [],
        maxPerNode: chance.one(0, 0, 0, 0, 2),
      },
      restart: {
        condition: chance.one("any", "any", "on-failure"),
        delayMs: chance.one(0, 500, 1_000, 5_000),
        maxAttempts: chance.one(0, 0, 3),
        windowMs: chance.one(0, 60_000),
      },
      ports: hasPort ? [{ target: 80, published: { from, to: from + portWidth }, protocol: "tcp", mode: "host" }] : [],
      settleMs: chance.one(500, 1_000, 3_000),
    };
  }
}
