// What nodes route to for a service, as the API shows it: the section of the routes that they are given, with names. Pure.

import type { Service, Task } from "../../core/model/records.ts";
import type { EndpointsView } from "../../core/model/endpoint-views.ts";
import type { State } from "../../core/model/world.ts";
import { taskName } from "../../core/reconcile/step.ts";
import { serviceRoutes } from "../../core/routes/service-routes.ts";
import { maybe } from "./time.ts";

export function endpointsView(state: State, service: Service, tasks: readonly Task[]): EndpointsView {
  const routes = serviceRoutes(state, service.id, tasks);
  const names = new Map(tasks.map((task) => [task.id, taskName(task, state)]));
  return {
    service: service.name,
    ...maybe("address", routes?.address),
    ports: routes?.ports ?? [],
    endpoints: (routes?.endpoints ?? []).map(({ taskId, nodeId, address, weight, standing }) => ({
      task: names.get(taskId) ?? taskId,
      taskId,
      node: state.node.get(nodeId)?.name ?? nodeId,
      address,
      weight,
      standing,
    })),
  };
}
