// Commands on the rollout that a service has under way: pause, go on, give up, promote. They write what is wanted of it; the control loop does
// it. What makes no sense now is refused with what stands in the way. Pure.

import { DavitError } from "../model/errors.ts";
import type { Service } from "../model/records.ts";
import type { Rollout, RolloutWish } from "../model/rollout.ts";
import type { State } from "../model/world.ts";
import { versionBefore } from "../rollout/last-good.ts";
import { isPaused, isUnderWay, phaseOf } from "../rollout/phase.ts";
import { isPausable } from "../rollout/wishes.ts";
import { type Command, unchanged } from "./command.ts";
import { checkIndex, Draft } from "./draft.ts";
import { resolveService } from "./resolve.ts";
import { goBack, serviceEvent, type ServiceRef } from "./services.ts";

/** Begins nothing more of the rollout; what it has begun is finished. Throws `conflict` when there is nothing to pause. */
export function pauseRollout(input: ServiceRef): Command<Service> {
  return (state, { nowMs }) => {
    const { service, rollout } = find(state, "pause", input);
    if (service.asked?.paused === true) return unchanged(service);
    if (isPaused(rollout))
      throw refused("pause", service, `it is paused already: ${rollout.message}`, goOnOrBack(service));
    if (!isPausable(rollout)) throw nothing("pause", service, rollout);
    return wish(service, { paused: true }, "service.rollout_paused", nowMs);
  };
}

/** Lets a paused rollout go on; failures so far are forgiven. Throws `conflict` when it is not paused. */
export function resumeRollout(input: ServiceRef): Command<Service> {
  return (state, { nowMs }) => {
    const { service, rollout } = find(state, "resume", input);
    if (!isPaused(rollout) && service.asked?.paused !== true)
      throw refused("resume", service, `it is not paused: it is ${told(rollout)}`, look());
    const resumes = (service.asked?.resumes ?? 0) + 1;
    return wish(service, { paused: false, resumes }, "service.rollout_resumed", nowMs);
  };
}

/** Gives a change up: the service goes back to where it came from. Throws `conflict` when there is nothing to give up. */
export function abortRollout(input: ServiceRef): Command<Service> {
  return (state, context) => {
    const { service, rollout } = find(state, "abort", input);
    if (service.isRollback)
      throw refused("abort", service, "it goes back to an earlier version already", "deploy what it should run");
    if (!isUnderWay(rollout) && rollout.state !== "watching") throw nothing("abort", service, rollout);
    const target = versionBefore(state, service.id, rollout);
    if (target === undefined) {
      const why =
        rollout.fromVersion === undefined
          ? "it is its first deploy, so there is nothing to go back to"
          : `it makes version ${rollout.toVersion} anew, so there is nothing to go back to`;
      const wayOut =
        rollout.fromVersion === undefined
          ? `remove it: davit service rm ${service.name}`
          : `pause it: davit rollout pause ${service.name}`;
      throw refused("abort", service, why, wayOut);
    }
    return goBack(state, service, target.version, " (given up)", context);
  };
}

/** Ends the trial of a canary or blue-green change, or the time that an old set is kept. Throws `conflict` when none waits for it. */
export function promoteRollout(input: ServiceRef): Command<Service> {
  return (state, { nowMs }) => {
    const { service, rollout } = find(state, "promote", input);
    const phase = phaseOf(rollout);
    if (phase !== "trial" && phase !== "switched")
      throw refused("promote", service, `nothing of it is on trial: it is ${told(rollout)}`, look());
    if (isPaused(rollout) || service.asked?.paused === true)
      throw refused("promote", service, `it is paused: ${rollout.message}`, goOnOrBack(service));
    if (phase === "trial" && rollout.healthySinceMs === undefined) {
      const { done = 0, of } = rollout.progress ?? {};
      const how = of === undefined ? "none" : `${done} of ${of}`;
      throw refused(
        "promote",
        service,
        `its new tasks are not all healthy yet (${how})`,
        `wait for them: davit service ps ${service.name}`,
      );
    }
    const promotions = (rollout.answered?.promotions ?? 0) + 1;
    if ((service.asked?.promotions ?? 0) >= promotions) return unchanged(service);
    return wish(service, { promotions }, "service.rollout_promoted", nowMs);
  };
}

function find(state: State, verb: string, { ref, ifMatch }: ServiceRef): { service: Service; rollout: Rollout } {
  const service = resolveService(state, ref);
  checkIndex(`${service.name} (${verb} its rollout)`, service, ifMatch);
  const rollout = state.rollout.get(service.id);
  if (rollout === undefined)
    throw refused(verb, service, service.job === undefined ? "none has begun yet" : "a job has none", look());
  if (rollout.toVersion !== service.version || rollout.force !== service.force)
    throw refused(verb, service, `the one to version ${service.version} has not begun yet`, "try again in a moment");
  return { service, rollout };
}

function wish(
  service: Service,
  changed: Partial<RolloutWish>,
  event: string,
  nowMs: number,
): ReturnType<Command<Service>> {
  const asked = { ...(service.asked ?? { paused: false, promotions: 0, resumes: 0 }), ...changed };
  const draft = new Draft();
  const next = draft.replace("service", service, { ...service, asked, updatedAtMs: nowMs });
  draft.event(serviceEvent(event, next, ""));
  return draft.finish(next);
}

function nothing(verb: string, service: Service, rollout: Rollout): DavitError {
  const why =
    rollout.fromVersion === undefined && isUnderWay(rollout)
      ? "it is its first deploy, which has begun all that it begins"
      : `there is nothing to ${verb}: it is ${told(rollout)}`;
  const wayOut = verb === "abort" ? `to go back all the same: davit service rollback ${service.name}` : look();
  return refused(verb, service, why, wayOut);
}

function refused(verb: string, { name }: Service, why: string, wayOut: string): DavitError {
  return new DavitError("conflict", `${verb} the rollout of ${name}: ${why}`, { wayOut });
}

function look(): string {
  return "see how rollouts stand: davit rollout ls";
}

function goOnOrBack({ name }: Service): string {
  return `davit rollout resume ${name} lets it go on, davit rollout abort ${name} goes back`;
}

/** A state as people say it. */
function told({ state }: Rollout): string {
  return state.replaceAll("_", " ");
}
