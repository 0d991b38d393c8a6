// Services that fall asleep and are woken. Both are done for a service that may be another by now: what no longer applies changes nothing. Pure.

import type { ServiceId } from "../model/ids.ts";
import type { Service } from "../model/records.ts";
import { awake } from "../model/scale.ts";
import type { State } from "../model/world.ts";
import { type CommandOutcome, unchanged } from "./command.ts";
import { Draft } from "./draft.ts";
import { serviceEvent } from "./services.ts";
import { currentVersion } from "./versions.ts";

/** Whether it would have fewer tasks asleep: what is being changed stays awake until that is over. */
export function mayFallAsleep(state: State, service: Service): boolean {
  const { scale } = currentVersion(state, service).spec;
  const rollout = state.rollout.get(service.id)?.state;
  const isAtRest = rollout === undefined || rollout === "completed" || rollout === "rolled_back";
  const { mode, asleep } = service;
  return (
    scale !== undefined && asleep === undefined && isAtRest && mode.kind === "replicated" && mode.replicas > scale.min
  );
}

/** Nobody called these for as long as their specification says. */
export function fallAsleep(state: State, ids: readonly ServiceId[]): CommandOutcome<void> {
  const draft = new Draft();
  for (const id of ids) {
    const service = state.service.get(id);
    if (service === undefined || !mayFallAsleep(state, service)) continue;
    const min = currentVersion(state, service).spec.scale?.min ?? 0;
    const next = draft.replace("service", service, { ...service, asleep: min });
    draft.event(serviceEvent("service.asleep", next, `nobody called it; ${tasks(min)} until somebody does`));
  }
  return draft.finish(undefined);
}

/** Somebody called these, on the node of this name. */
export function wakeUp(state: State, ids: readonly ServiceId[], nodeName: string): CommandOutcome<void> {
  const asleep = ids.flatMap((id) => state.service.get(id) ?? []).filter((service) => service.asleep !== undefined);
  if (asleep.length === 0) return unchanged(undefined);
  const draft = new Draft();
  for (const service of asleep) {
    draft.event(
      serviceEvent("service.woken", draft.replace("service", service, awake(service)), `called on ${nodeName}`),
    );
  }
  return draft.finish(undefined);
}

function tasks(count: number): string {
  return count === 0 ? "no task" : count === 1 ? "one task" : `${count} tasks`;
}
