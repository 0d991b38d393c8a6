// Room for a task that waits, at the cost of tasks of lower priority: on which node, and which of them end. Only what a node lacks of room
// is made; what its constraints say stays. Each victim has a lower priority than the task that it gives way to, so that no chain of
// such decisions comes back to where it began. Pure.

import type { NodeId } from "../model/ids.ts";
import type { Task } from "../model/records.ts";
import type { TaskTemplate } from "../model/service-spec.ts";
import { versionKey, type World } from "../model/world.ts";
import type { Asking } from "./asking.ts";
import { couldTake, refusal } from "./filters.ts";
import { isOver, type Ledger, type NodeUse } from "./ledger.ts";
import { ranking, scoresOf } from "./ranking.ts";

export type Room = {
  readonly nodeId: NodeId;
  /** To end now; none when what ends there anyway is enough. */
  readonly victims: readonly Task[];
};

type Offer = Room & { readonly use: NodeUse; readonly highest: number };

/** Priority of the version that a task runs. */
function priorityOf(world: World, task: Task): number {
  return templateOf(world, task)?.placement.priority ?? 0;
}

function templateOf(world: World, task: Task): TaskTemplate | undefined {
  return world.state.serviceVersion.get(versionKey(task.serviceId, task.specVersion))?.spec.template;
}

/**
 * The node that has room for the task once tasks on it have ended, with the least important and then the fewest victims. Undefined
 * when none would do.
 */
export function findRoom(asking: Asking, uses: Iterable<NodeUse>): Room | undefined {
  const isBetterNode = ranking(scoresOf(asking));
  let best: Offer | undefined;
  for (const use of uses) {
    if (!couldTake(asking, use)) continue;
    const offer = offerOf(asking, use);
    if (offer !== undefined && (best === undefined || isBetter(offer, best, isBetterNode))) best = offer;
  }
  return best;
}

function isBetter(a: Offer, b: Offer, isBetterNode: (a: NodeUse, b: NodeUse) => boolean): boolean {
  const difference = a.highest - b.highest || a.victims.length - b.victims.length;
  return difference === 0 ? isBetterNode(a.use, b.use) : difference < 0;
}

function offerOf(asking: Asking, use: NodeUse): Offer | undefined {
  const { world, ledger } = asking;
  const present = ledger.tasksOn(use.node.id);
  const going = present.filter((task) => isGoing(asking, task));
  const fitsWithout = (tasks: readonly Task[]): boolean => fits(asking, ledger, use, tasks);
  if (going.length > 0 && fitsWithout(going)) return { nodeId: use.node.id, use, victims: [], highest: -1 };
  const lower = present.filter((task) => !going.includes(task) && givesWay(asking, task));
  if (lower.length === 0 || !fitsWithout([...going, ...lower])) return undefined;
  const victims = fewest(world, lower, (chosen) => fitsWithout([...going, ...chosen]));
  const highest = Math.max(...victims.map((task) => priorityOf(world, task)));
  return { nodeId: use.node.id, use, victims, highest };
}

function fits(asking: Asking, ledger: Ledger, use: NodeUse, without: readonly Task[]): boolean {
  return ledger.withoutAll(without, () => refusal(asking, use) === undefined);
}

function isGoing({ world, ledger }: Asking, task: Task): boolean {
  if (isOver(world.state, task)) return false;
  return task.desired !== "running" || ledger.isEnding(task);
}

/** Never one that writes to a volume, nor one of a job's run: what they have done so far would be lost or half. */
function givesWay({ world, wanted }: Asking, task: Task): boolean {
  const template = templateOf(world, task);
  if (template === undefined || task.run !== undefined) return false;
  if (template.container.mounts.some((mount) => mount.kind === "volume" && !mount.readOnly)) return false;
  return (template.placement.priority ?? 0) < (wanted.template.placement.priority ?? 0);
}

/** Puts back whoever need not go: the most important first, of equals the smaller, of those the older. */
function fewest(
  world: World,
  lower: readonly Task[],
  isEnough: (victims: readonly Task[]) => boolean,
): readonly Task[] {
  const order = lower.toSorted(
    (a, b) =>
      priorityOf(world, b) - priorityOf(world, a) ||
      sizeOf(world, a) - sizeOf(world, b) ||
      a.createdAtMs - b.createdAtMs ||
      (a.id < b.id ? -1 : 1),
  );
  let victims: readonly Task[] = order;
  for (const task of order) {
    const others = victims.filter((other) => other !== task);
    if (isEnough(others)) victims = others;
  }
  return victims;
}

/** Reserved processors, and memory by the gigabyte: only to compare. */
function sizeOf(world: World, task: Task): number {
  const { cpus = 0, memoryBytes = 0 } = templateOf(world, task)?.resources.reservations ?? {};
  return cpus + memoryBytes / 1e9;
}
