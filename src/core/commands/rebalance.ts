// Evens out what runs where: the moves are stored with their services, and the control loop makes them one after the other. Pure.

import type { MoveView, RebalanceView } from "../model/rebalance-views.ts";
import { DavitError } from "../model/errors.ts";
import { asId } from "../model/ids.ts";
import type { Move, Service } from "../model/records.ts";
import type { State, World } from "../model/world.ts";
import { planRebalance } from "../schedule/rebalance.ts";
import { taskName } from "../reconcile/step.ts";
import type { Command } from "./command.ts";
import { Draft } from "./draft.ts";
import { serviceEvent } from "./services.ts";

export type RebalanceResult = Pick<RebalanceView, "moves" | "stays">;

/**
 * Stores the moves. `seen`: those that the user agreed to; absent: those of now. What an earlier rebalance had left to move is replaced.
 * Throws `out_of_sequence` when a move that was agreed to is none any more.
 */
export function rebalance(input: {
  readonly worldOf: (state: State) => World;
  readonly seen?: readonly { readonly taskId: string; readonly nodeId: string }[] | undefined;
}): Command<RebalanceResult> {
  return (state, { nowMs }) => {
    const { moves, stays } = planRebalance(input.worldOf(state), nowMs);
    const views = moves.map(({ task, nodeId, why }): MoveView => {
      const service = state.service.get(task.serviceId);
      return {
        service: service?.name ?? task.serviceId,
        serviceId: task.serviceId,
        task: taskName(task, state),
        taskId: task.id,
        from: state.node.get(task.nodeId ?? "")?.name ?? "",
        to: state.node.get(nodeId)?.name ?? nodeId,
        nodeId,
        why,
      };
    });
    const chosen = input.seen === undefined ? views : agreed(views, input.seen);
    const draft = new Draft();
    for (const [serviceId, those] of Map.groupBy(chosen, (move) => move.serviceId)) {
      const service = state.service.get(serviceId);
      if (service !== undefined) store(draft, service, those);
    }
    const result = { moves: chosen, stays: stays.map(({ service, reason }) => ({ service: service.name, reason })) };
    return draft.finish(result);
  };
}

function agreed(
  views: readonly MoveView[],
  seen: readonly { readonly taskId: string; readonly nodeId: string }[],
): readonly MoveView[] {
  return seen.map(({ taskId, nodeId }) => {
    const view = views.find((move) => move.taskId === taskId && move.nodeId === nodeId);
    if (view === undefined)
      throw new DavitError("out_of_sequence", "rebalance: what would move has changed since the plan was shown", {
        wayOut: "look at the plan again: davit rebalance --dry-run",
      });
    return view;
  });
}

function store(draft: Draft, service: Service, views: readonly MoveView[]): void {
  const moves = views.map(({ taskId, nodeId }): Move => ({ taskId: asId(taskId), nodeId: asId(nodeId) }));
  const next = draft.replace("service", service, { ...service, moves });
  const told = views.map(({ task, from, to }) => `${task} from ${from} to ${to}`).join(", ");
  draft.event(serviceEvent("service.rebalancing", next, told));
}
