// Handlers: jobs and their runs.

import { resolveJob, runJob, suspendJob } from "../../core/commands/jobs.ts";
import { runsOf } from "../../core/jobs/job-context.ts";
import { DavitError } from "../../core/model/errors.ts";
import type { JobView } from "../../core/model/views.ts";
import { type Api, bind, bindRaw, mutate, requireStack } from "../bind.ts";
import type { Actor, Parts } from "../context.ts";
import { logStream } from "../log-stream.ts";
import * as routes from "../routes/jobs.ts";
import { jobDetailView, jobView, jobViews } from "../views/jobs.ts";

const etag = ({ index }: JobView): number => index;

export function bindJobs(api: Api): void {
  const { parts } = api;
  const { backend } = parts;
  bind(api, routes.listJobs, ({ query }) => jobViews(backend.world(), query.stack), { isCached: true });
  bind(
    api,
    routes.getJob,
    ({ params }) => jobDetailView(backend.world(), resolveJob(backend.world().state, params.ref)),
    { isCached: true, etag },
  );
  bind(
    api,
    routes.runJob,
    async ({ params, actor, ifMatch }) => {
      const ref = allowed(parts, actor, "job.run", params.ref);
      return view(parts, (await mutate(parts, actor, "job.run", runJob({ ref, ifMatch }))).result.id);
    },
    { etag },
  );
  for (const [route, action, suspended] of [
    [routes.suspendJob, "job.suspend", true],
    [routes.resumeJob, "job.resume", false],
  ] as const) {
    bind(
      api,
      route,
      async ({ params, actor, ifMatch }) => {
        const ref = allowed(parts, actor, action, params.ref);
        return view(parts, (await mutate(parts, actor, action, suspendJob({ ref, ifMatch, suspended }))).result.id);
      },
      { etag },
    );
  }
  bindRaw(api, routes.getJobLogs, ({ params, query, actor }) => {
    const world = backend.world();
    const service = resolveJob(world.state, params.ref);
    const { run: wanted, ...lines } = query;
    const runs = runsOf(world, service);
    // a run that was skipped has no tasks
    const run = wanted ?? runs.findLast(({ state }) => state !== "skipped")?.number;
    if (wanted !== undefined && !runs.some(({ number }) => number === wanted))
      throw new DavitError("not_found", `read logs of ${service.name}: run ${wanted} is not kept`, {
        wayOut: `davit job history ${service.name} lists those that are`,
      });
    return logStream(parts, actor, lines, (task) => task.serviceId === service.id && task.run === run);
  });
}

function view({ backend }: Parts, id: string): JobView {
  const world = backend.world();
  return jobView(world, resolveJob(world.state, id));
}

/** The job's id, once it is known that the caller may change it. */
function allowed(parts: Parts, actor: Actor, action: string, ref: string): string {
  const service = resolveJob(parts.backend.world().state, ref);
  requireStack(parts, actor, action, service.stack);
  return service.id;
}
