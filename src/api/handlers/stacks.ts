// Handlers: stacks.

import { deployStack, type DeployResult, removeStack } from "../../core/commands/deploy-stack.ts";
import { DavitError } from "../../core/model/errors.ts";
import type { DeployView } from "../../core/model/views.ts";
import { type Api, bind, mutate, requireStack } from "../bind.ts";
import * as routes from "../routes/stacks.ts";
import { serviceViews, stackView, stackViews } from "../views/services.ts";
import { compareTasks, isPresent, taskView } from "../views/tasks.ts";

export function bindStacks(api: Api): void {
  const { parts } = api;
  const { backend } = parts;

  bind(api, routes.listStacks, () => stackViews(serviceViews(backend.world())), { isCached: true });
  bind(
    api,
    routes.getStack,
    ({ params: { name } }) => {
      const world = backend.world();
      const services = serviceViews(world, name);
      if (services.length === 0)
        throw new DavitError("not_found", `find stack: there is no stack '${name}'`, {
          wayOut: "list what there is: davit stack ls",
        });
      const ids = new Set(services.map((service) => service.id));
      const tasks = [...world.state.task.values()].filter(
        (task) => ids.has(task.serviceId) && isPresent(world.state, task),
      );
      return {
        stack: stackView(name, services),
        services,
        tasks: tasks.map((task) => taskView(world, task)).sort(compareTasks),
      };
    },
    { isCached: true },
  );
  bind(api, routes.deployStack, async ({ params, query, body, actor }) => {
    if (body.name !== params.name)
      throw new DavitError("invalid_input", `deploy ${params.name}: the specification is of stack '${body.name}'`);
    requireStack(parts, actor, "stack.deploy", body.name);
    if (query.dryRun === true) return deployView(backend.dryRun(deployStack(body)), backend.revision(), true);
    const { result, revision } = await mutate(parts, actor, "stack.deploy", deployStack(body));
    return deployView(result, revision, false);
  });
  bind(api, routes.removeStack, async ({ params, query, actor }) => {
    requireStack(parts, actor, "stack.remove", params.name);
    const { result, revision } = await mutate(
      parts,
      actor,
      "stack.remove",
      removeStack({ name: params.name, volumes: query.volumes ?? false }),
    );
    return deployView(result, revision, false);
  });
}

function deployView(result: DeployResult, revision: number, dryRun: boolean): DeployView {
  return { ...result, revision, dryRun };
}
