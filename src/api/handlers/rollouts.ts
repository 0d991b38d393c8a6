// Handlers: rollouts.

import { resolveService } from "../../core/commands/resolve.ts";
import { abortRollout, pauseRollout, promoteRollout, resumeRollout } from "../../core/commands/rollouts.ts";
import { type Api, bind, mutate, requireStack } from "../bind.ts";
import * as routes from "../routes/rollouts.ts";
import { rolloutDetailView, rolloutViews } from "../views/rollouts.ts";
import { countService, serviceView } from "../views/services.ts";

const CHANGES = [
  [routes.pauseRollout, "rollout.pause", pauseRollout],
  [routes.resumeRollout, "rollout.resume", resumeRollout],
  [routes.abortRollout, "rollout.abort", abortRollout],
  [routes.promoteRollout, "rollout.promote", promoteRollout],
] as const;

export function bindRollouts(api: Api): void {
  const { parts } = api;
  const { backend } = parts;
  bind(api, routes.listRollouts, ({ query }) => rolloutViews(backend.world(), query.stack), { isCached: true });
  bind(
    api,
    routes.getRollout,
    ({ params }) => rolloutDetailView(backend.world(), resolveService(backend.world().state, params.ref)),
    { isCached: true },
  );
  for (const [route, action, command] of CHANGES) {
    bind(
      api,
      route,
      async ({ params, actor, ifMatch }) => {
        const { id, stack } = resolveService(backend.world().state, params.ref);
        requireStack(parts, actor, action, stack);
        const service = (await mutate(parts, actor, action, command({ ref: id, ifMatch }))).result;
        const world = backend.world();
        const tasks = [...world.state.task.values()].filter((task) => task.serviceId === id);
        return serviceView(world, countService(world, service, tasks));
      },
      { etag: ({ index }) => index },
    );
  }
}
