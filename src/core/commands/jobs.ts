// Commands on jobs: run now, suspend, resume. They write what is wanted; the control loop makes the runs. Pure.

import { DavitError } from "../model/errors.ts";
import type { Service } from "../model/records.ts";
import { isJobMode } from "../model/service-spec.ts";
import type { State } from "../model/world.ts";
import { type Command, unchanged } from "./command.ts";
import { checkIndex, Draft } from "./draft.ts";
import { resolveService } from "./resolve.ts";
import { type ServiceRef, serviceEvent } from "./services.ts";
import { currentVersion } from "./versions.ts";

/** A job by name, id or prefix. Throws `not_found`, or `conflict` for a service that is none. */
export function resolveJob(state: State, ref: string): Service {
  const service = resolveService(state, ref);
  if (isJobMode(service.mode)) return service;
  throw new DavitError("conflict", `${service.name} is no job: it is ${service.mode.kind}`, {
    wayOut: "list the jobs: davit job ls",
  });
}

/** Asks for a run. Throws `conflict` while one is under way that it may not run beside. */
export function runJob(input: ServiceRef): Command<Service> {
  return (state, { nowMs }) => {
    const service = find(state, "run", input);
    const overlap = currentVersion(state, service).spec.job?.overlap ?? "forbid";
    const active = [...state.run.values()].find((run) => run.serviceId === service.id && run.state === "running");
    if (active !== undefined && overlap === "forbid")
      throw new DavitError(
        "conflict",
        `run ${service.name}: run ${active.number} is under way, and its overlap is forbid`,
        {
          wayOut: `wait for it (davit job history ${service.name}), or set x-davit.job.overlap to allow or replace`,
        },
      );
    const job = service.job ?? { suspended: false, requested: 0 };
    const draft = new Draft();
    const next = draft.replace("service", service, {
      ...service,
      job: { ...job, requested: job.requested + 1 },
      updatedAtMs: nowMs,
    });
    draft.event(serviceEvent("service.run_requested", next, ""));
    return draft.finish(next);
  };
}

/** Whether a job starts runs by itself. One under way goes on. */
export function suspendJob(input: ServiceRef & { readonly suspended: boolean }): Command<Service> {
  return (state, { nowMs }) => {
    const service = find(state, input.suspended ? "suspend" : "resume", input);
    const job = service.job ?? { suspended: false, requested: 0 };
    if (job.suspended === input.suspended) return unchanged(service);
    const draft = new Draft();
    const next = draft.replace("service", service, {
      ...service,
      job: { ...job, suspended: input.suspended },
      updatedAtMs: nowMs,
    });
    draft.event(serviceEvent(input.suspended ? "service.suspended" : "service.resumed", next, ""));
    return draft.finish(next);
  };
}

function find(state: State, verb: string, { ref, ifMatch }: ServiceRef): Service {
  const service = resolveJob(state, ref);
  checkIndex(`${service.name} (${verb})`, service, ifMatch);
  return service;
}
