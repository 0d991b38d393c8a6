// Why a service's tasks are where they are, as the API shows it. Pure.

import type { Service } from "../../core/model/records.ts";
import type { ServiceExplainView } from "../../core/model/views.ts";
import type { World } from "../../core/model/world.ts";
import { explainService } from "../../core/reconcile/explain.ts";
import { taskName } from "../../core/reconcile/step.ts";
import { maybe } from "./time.ts";

/** Asks every node for one more task of the service, or for the one that waits. */
export function explainView(world: World, nowMs: number, service: Service): ServiceExplainView {
  const { about, waiting, nodes } = explainService(world, nowMs, service);
  const task = about === undefined ? undefined : taskName(about, world.state);
  const isEverywhere = service.mode.kind === "global" || service.mode.kind === "global-job";
  const takers = nodes.filter(({ takes }) => takes).map(({ node }) => node.name);
  const summary =
    about?.waiting !== undefined
      ? `${task} waits: ${about.waiting}`
      : takers.length === 0
        ? `no node would take one more task of ${service.name} now`
        : isEverywhere
          ? `${takers.length} of ${nodes.length} nodes would take a task of ${service.name}`
          : `one more task of ${service.name} would go to ${takers[0]}`;
  return {
    service: service.name,
    serviceId: service.id,
    ...maybe("task", task),
    summary,
    waiting,
    nodes: nodes.map(({ node, takes, reason, rank, scores, tasks }) => ({
      node: node.name,
      nodeId: node.id,
      takes,
      reason,
      ...maybe("rank", isEverywhere ? undefined : rank),
      scores,
      tasks,
    })),
  };
}
