// Policies with a trial, for random services; and what a user asks of rollouts under way, at good and at bad moments.

import type { Command } from "../../../src/core/commands/command.ts";
import { abortRollout, pauseRollout, promoteRollout, resumeRollout } from "../../../src/core/commands/rollouts.ts";
import type { Rollout } from "../../../src/core/model/rollout.ts";
import type { ServiceMode, TaskTemplate } from "../../../src/core/model/service-spec.ts";
import type { UpdatePolicy, UpdateStrategy } from "../../../src/core/model/update-policy.ts";
import type { State } from "../../../src/core/model/world.ts";
import type { Chance } from "../kernel/chance.ts";

/** What a policy may have besides; only what such a service may run beside itself. */
export function drawExtras(
  chance: Chance,
  mode: ServiceMode,
  template: TaskTemplate,
): Pick<UpdatePolicy, "strategy" | "parallelismPercent" | "progressDeadlineMs"> {
  const strategy = mayRunBesideItself(mode, template) && chance.happens(0.4) ? drawStrategy(chance) : undefined;
  const parallelismPercent = chance.one(undefined, undefined, undefined, 34, 100);
  return {
    ...drawDeadline(chance),
    ...(strategy === undefined ? {} : { strategy }),
    ...(parallelismPercent === undefined ? {} : { parallelismPercent }),
  };
}

/** Soon enough for a run to see it. */
export function drawDeadline(chance: Chance): { readonly progressDeadlineMs: number } {
  return { progressDeadlineMs: chance.one(45_000, 90_000, 120_000) };
}

function drawStrategy(chance: Chance): UpdateStrategy {
  const holdMs = chance.one(undefined, 0, 5_000, 20_000);
  const hold = holdMs === undefined ? {} : { holdMs };
  if (chance.happens(0.5)) return { kind: "blue-green", keepMs: chance.one(0, 10_000, 40_000), ...hold };
  const canaries = chance.one({ tasks: 1 }, { tasks: 2 }, { percent: 50 });
  return { kind: "canary", canaries, weight: chance.one(0, 10, 100), ...hold };
}

function mayRunBesideItself(mode: ServiceMode, { container, ports, onLeaseLost }: TaskTemplate): boolean {
  if (onLeaseLost === "stop") return false;
  const isWriter = container.mounts.some((mount) => mount.kind === "volume" && !mount.readOnly);
  const isFixed = ports.some(({ published }) => published.from === published.to);
  return !isWriter && !(isFixed && mode.kind === "global");
}

/** Something to ask of a rollout that is under way; undefined when none is. */
export function drawWish(
  chance: Chance,
  state: State,
): { readonly what: string; readonly command: Command<unknown> } | undefined {
  const underWay = [...state.rollout.values()].filter(
    (rollout) =>
      state.service.has(rollout.id) && rollout.fromVersion !== undefined && rollout.completedAtMs === undefined,
  );
  const rollout = chance.pick(underWay);
  const verb = rollout === undefined ? undefined : chance.pick(verbsFor(rollout));
  if (rollout === undefined || verb === undefined) return undefined;
  const name = state.service.get(rollout.id)?.name ?? rollout.id;
  return { what: `${verb} the rollout of ${name}`, command: COMMANDS[verb]({ ref: rollout.id }) };
}

const COMMANDS = {
  pause: pauseRollout,
  resume: resumeRollout,
  abort: abortRollout,
  promote: promoteRollout,
} as const;

function verbsFor({ state }: Rollout): readonly (keyof typeof COMMANDS)[] {
  if (state === "trial") return ["promote", "promote", "promote", "pause", "abort"];
  if (state === "switched") return ["abort", "abort", "pause", "promote"];
  if (state === "paused" || state === "rollback_paused") return ["resume", "resume", "abort"];
  return ["pause", "pause", "abort", "promote"];
}
