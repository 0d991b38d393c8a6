// Handlers: services.

import {
  removeService,
  restartService,
  rollbackService,
  scaleService,
  updateService,
} from "../../core/commands/services.ts";
import { resolveService } from "../../core/commands/resolve.ts";
import type { Service, Task } from "../../core/model/records.ts";
import type { ServiceView } from "../../core/model/views.ts";
import type { World } from "../../core/model/world.ts";
import { type Api, bind, bindRaw, mutate, requireStack } from "../bind.ts";
import type { Actor, Parts } from "../context.ts";
import { logStream } from "../log-stream.ts";
import * as routes from "../routes/services.ts";
import { endpointsView } from "../views/endpoints.ts";
import { explainView } from "../views/explain.ts";
import { countService, serviceDetailView, serviceView, serviceViews } from "../views/services.ts";
import { compareTasks, isPresent, taskView } from "../views/tasks.ts";

const etag = ({ index }: ServiceView): number => index;

export function bindServices(api: Api): void {
  bindReads(api);
  bindChanges(api);
}

function find({ backend }: Parts, ref: string): Service {
  return resolveService(backend.world().state, ref);
}

function view({ backend }: Parts, service: Service): ServiceView {
  const world = backend.world();
  return serviceView(world, countService(world, service, tasksOf(world, service.id)));
}

/** The service's id, once it is known that the caller may change it. */
function allowed(parts: Parts, actor: Actor, action: string, ref: string): string {
  const service = find(parts, ref);
  requireStack(parts, actor, action, service.stack);
  return service.id;
}

function bindReads(api: Api): void {
  const { parts } = api;
  const { backend } = parts;
  bind(api, routes.listServices, ({ query }) => serviceViews(backend.world(), query.stack), {
    isCached: true,
  });
  bind(
    api,
    routes.getService,
    ({ params }) => {
      const service = find(parts, params.ref);
      return serviceDetailView(backend.world(), service, tasksOf(backend.world(), service.id));
    },
    { isCached: true, etag },
  );
  bind(
    api,
    routes.listServiceTasks,
    ({ params, query }) => {
      const world = backend.world();
      const tasks = tasksOf(world, find(parts, params.ref).id).filter(
        (task) => query.all === true || isPresent(world.state, task),
      );
      return tasks.map((task) => taskView(world, task)).sort(compareTasks);
    },
    { isCached: true },
  );
  bind(api, routes.getEndpoints, ({ params }) => {
    const service = find(parts, params.ref);
    const { state } = backend.world();
    return endpointsView(state, service, tasksOf(backend.world(), service.id));
  });
  bind(api, routes.explainService, ({ params }) =>
    explainView(backend.world(), backend.nowMs(), find(parts, params.ref)),
  );
  bindRaw(api, routes.getServiceLogs, ({ params, query, actor }) => {
    const { id } = find(parts, params.ref);
    return logStream(parts, actor, query, (task) => task.serviceId === id);
  });
}

function bindChanges(api: Api): void {
  const { parts } = api;
  bind(
    api,
    routes.scaleService,
    async ({ params, body, actor, ifMatch }) => {
      const ref = allowed(parts, actor, "service.scale", params.ref);
      return view(
        parts,
        (await mutate(parts, actor, "service.scale", scaleService({ ref, ifMatch, replicas: body.replicas }))).result,
      );
    },
    { etag },
  );
  bind(
    api,
    routes.updateService,
    async ({ params, body, actor, ifMatch }) => {
      const ref = allowed(parts, actor, "service.update", params.ref);
      return view(
        parts,
        (await mutate(parts, actor, "service.update", updateService({ ref, ifMatch, patch: body }))).result,
      );
    },
    { etag },
  );
  bind(
    api,
    routes.rollbackService,
    async ({ params, body, actor, ifMatch }) => {
      const ref = allowed(parts, actor, "service.rollback", params.ref);
      return view(
        parts,
        (await mutate(parts, actor, "service.rollback", rollbackService({ ref, ifMatch, to: body.to }))).result,
      );
    },
    { etag },
  );
  bind(
    api,
    routes.restartService,
    async ({ params, actor, ifMatch }) => {
      const ref = allowed(parts, actor, "service.restart", params.ref);
      return view(parts, (await mutate(parts, actor, "service.restart", restartService({ ref, ifMatch }))).result);
    },
    { etag },
  );
  bind(api, routes.removeService, async ({ params, actor, ifMatch }) => {
    const ref = allowed(parts, actor, "service.remove", params.ref);
    const last = view(parts, find(parts, ref));
    await mutate(parts, actor, "service.remove", removeService({ ref, ifMatch }));
    return last;
  });
}

function tasksOf(world: World, serviceId: string): readonly Task[] {
  return [...world.state.task.values()].filter((task) => task.serviceId === serviceId);
}
