// Which tasks may not stay where they are: their node is drained, does not fit any more, or is not that of the task that they follow. Pure.

import type { Task } from "../model/records.ts";
import { partnerOf } from "../schedule/company.ts";
import { meets, runsPlatform } from "../schedule/constraint.ts";
import { renderConstraint } from "../schedule/constraint-text.ts";
import { templateOf } from "./health.ts";
import type { Planning } from "./planning.ts";

/** Why a task may not stay where it is; undefined if it may. */
export function mustMove(planning: Planning, task: Task): string | undefined {
  const { state } = planning.world;
  const node = task.nodeId === undefined ? undefined : state.node.get(task.nodeId);
  const template = templateOf(state, task);
  if (node === undefined || template === undefined) return undefined;
  const { with: partner } = template.placement;
  const followed = partner === undefined ? undefined : partnerOf(planning.world, planning.ledger, partner, task.slot);
  if (typeof followed === "object" && followed.nodeId !== node.id)
    return `${partner}.${task.slot} is on ${planning.nodeName(followed.nodeId)} now`;
  // whom it follows goes first
  if (node.availability === "drain" && typeof followed !== "object") return `${node.name} is draining`;
  const status = state.nodeStatus.get(node.id);
  if (status === undefined) return undefined;
  const failed = template.placement.constraints.find((constraint) => !meets(constraint, node, status));
  if (failed !== undefined) return `${node.name} does not meet ${renderConstraint(failed)} any more`;
  return runsPlatform(template.placement.platforms, status) ? undefined : `${node.name} cannot run its platform`;
}
