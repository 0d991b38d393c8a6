// Why a service's tasks are where they are, or nowhere: the planner's own filters and scores, asked of every node for the task that waits, or
// for one more task of a service that runs. Pure.

import type { NodeId } from "../model/ids.ts";
import { invariant } from "../model/invariant.ts";
import type { Service, Task } from "../model/records.ts";
import { versionKey, type World } from "../model/world.ts";
import { wantedOf } from "../schedule/asking.ts";
import { Ledger } from "../schedule/ledger.ts";
import { explain, type Explanation } from "../schedule/place.ts";
import { taskName } from "./step.ts";

export type ServiceExplanation = {
  /** The waiting task that the answer is about; absent: one more task of the service. */
  readonly about: Task | undefined;
  /** Reasons of all tasks that wait, the most frequent first, with their names. */
  readonly waiting: readonly { readonly reason: string; readonly tasks: readonly string[] }[];
  /** Takers by rank, then the others by name. */
  readonly nodes: readonly (Explanation & { readonly tasks: number })[];
};

/** Asks every node. A task that waits for a node of its own is judged there only. */
export function explainService(world: World, nowMs: number, service: Service): ServiceExplanation {
  const { state } = world;
  const tasks = [...state.task.values()].filter((task) => task.serviceId === service.id && task.desired === "running");
  const waiting = tasks.filter((task) => task.waiting !== undefined && task.withdrawal === undefined);
  const about = waiting.filter((task) => task.nodeId === undefined).sort(bySlot)[0];
  const counts = Map.groupBy(tasks, (task) => task.nodeId);
  return {
    about,
    waiting: reasonsOf(world, waiting),
    nodes: explanations(world, nowMs, service, about).map((explanation) => ({
      ...explanation,
      tasks: counts.get(explanation.node.id)?.length ?? 0,
    })),
  };
}

function bySlot(a: Task, b: Task): number {
  return a.slot - b.slot || a.createdAtMs - b.createdAtMs || (a.id < b.id ? -1 : 1);
}

function reasonsOf({ state }: World, waiting: readonly Task[]): ServiceExplanation["waiting"] {
  const byReason = Map.groupBy(waiting.toSorted(bySlot), (task) => task.waiting ?? "");
  return [...byReason]
    .map(([reason, those]) => ({ reason, tasks: those.map((task) => taskName(task, state)) }))
    .sort((a, b) => b.tasks.length - a.tasks.length || (a.reason < b.reason ? -1 : 1));
}

function explanations(world: World, nowMs: number, service: Service, about: Task | undefined): readonly Explanation[] {
  const version = world.state.serviceVersion.get(versionKey(service.id, about?.specVersion ?? service.version));
  invariant(version !== undefined, `service ${service.name} has no version ${service.version}`);
  const ledger = new Ledger(world.state, world.routesGeneration > 0);
  const ask = (onlyNode: NodeId | undefined): readonly Explanation[] => {
    const task = { force: service.force, slot: about?.slot, onlyNode };
    return explain(world, ledger, nowMs, wantedOf(service, version, task, new Set()));
  };
  const isEverywhere = service.mode.kind === "global" || service.mode.kind === "global-job";
  if (!isEverywhere) return ask(about?.onlyNode);
  // each node has a slot of its own: it is asked for that one
  return [...world.state.node.values()]
    .sort((a, b) => (a.name < b.name ? -1 : 1))
    .flatMap((node) => ask(node.id).filter((told) => told.node.id === node.id));
}
