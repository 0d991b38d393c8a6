// Gathers what agents report and commits it in batches of at most BATCH_MS, so that a burst of thirty starting containers is a few
// commits and not a hundred. Reports about tasks of another node are dropped: an agent speaks for its own tasks only.

import { DavitError } from "../core/model/errors.ts";
import type { NodeId, TaskId } from "../core/model/ids.ts";
import type { Change, EventDraft, NodeStatus, Task, TaskStatus } from "../core/model/records.ts";
import type { State } from "../core/model/world.ts";
import { forgetTask } from "../core/reconcile/step.ts";
import { mergeStatus } from "../core/work/merge-status.ts";
import type { Clock, Timer } from "../ports/clock.ts";
import type { Log } from "../ports/log.ts";
import type { CommitDoor, Draft } from "./commit-door.ts";

export const BATCH_MS = 100;
/** The first report after a quiet time waits only this long: it is most often the one that somebody waits for. */
export const FIRST_BATCH_MS = 10;
/** Reports that may wait: more than that come from an agent gone wrong; the newest per task is kept anyway. */
const MAX_TEXT_BYTES = 4_096;

type Facts = Omit<NodeStatus, "id" | "unseenSinceMs" | "lostAtMs">;

export class Observations {
  readonly #door: CommitDoor;
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #tasks = new Map<TaskId, { readonly nodeId: NodeId; readonly status: TaskStatus }>();
  readonly #gone = new Map<TaskId, NodeId>();
  readonly #facts = new Map<NodeId, Facts>();
  #timer: Timer | undefined;
  #flushedMs = 0;

  constructor(door: CommitDoor, clock: Clock, log: Log) {
    this.#door = door;
    this.#clock = clock;
    this.#log = log;
  }

  tasks(nodeId: NodeId, statuses: readonly TaskStatus[], gone: readonly string[]): void {
    for (const status of statuses) {
      const waiting = this.#tasks.get(status.id);
      const newer = mergeStatus(waiting?.nodeId === nodeId ? waiting.status : undefined, bounded(status));
      if (newer !== undefined) this.#tasks.set(status.id, { nodeId, status: newer });
    }
    for (const id of gone) this.#gone.set(id as TaskId, nodeId);
    this.#schedule();
  }

  facts(nodeId: NodeId, facts: Facts): void {
    this.#facts.set(nodeId, facts);
    this.#schedule();
  }

  #schedule(): void {
    if (this.#timer !== undefined) return;
    const quietMs = this.#clock.bootMs() - this.#flushedMs;
    this.#timer = this.#clock.after(quietMs > BATCH_MS ? FIRST_BATCH_MS : BATCH_MS, () => {
      this.#timer = undefined;
      this.#flush();
    });
  }

  #flush(): void {
    this.#flushedMs = this.#clock.bootMs();
    const tasks = [...this.#tasks.values()];
    const gone = [...this.#gone];
    const facts = [...this.#facts];
    const again = (): void => this.#queueAgain(tasks, gone, facts);
    this.#tasks.clear();
    this.#gone.clear();
    this.#facts.clear();
    this.#door
      .commit((state) => ({ ...observe(state, tasks, gone, facts), result: undefined }))
      .catch((error: unknown) => {
        this.#log.error("observations not committed", { reason: String(error) });
        // the group was refused for another change in it: agents say what they saw once
        if (error instanceof DavitError && error.code === "out_of_sequence") again();
      });
  }

  /** What was told since is newer. */
  #queueAgain(
    tasks: readonly { readonly nodeId: NodeId; readonly status: TaskStatus }[],
    gone: readonly (readonly [TaskId, NodeId])[],
    facts: readonly (readonly [NodeId, Facts])[],
  ): void {
    for (const one of tasks) if (!this.#tasks.has(one.status.id)) this.#tasks.set(one.status.id, one);
    for (const [id, nodeId] of gone) this.#gone.set(id, nodeId);
    for (const [id, told] of facts) if (!this.#facts.has(id)) this.#facts.set(id, told);
    this.#schedule();
  }
}

/** What the reports change in the state: pure, so that the door can run it on the state of its turn. */
function observe(
  state: State,
  tasks: readonly { readonly nodeId: NodeId; readonly status: TaskStatus }[],
  gone: readonly (readonly [TaskId, NodeId])[],
  facts: readonly (readonly [NodeId, Facts])[],
): Draft {
  const changes: Change[] = [];
  const events: EventDraft[] = [];
  for (const { nodeId, status } of tasks) {
    const task = state.task.get(status.id);
    if (task?.nodeId !== nodeId) continue;
    const known = state.taskStatus.get(status.id);
    const merged = mergeStatus(known, status);
    if (merged === undefined) continue;
    changes.push({ op: "put", kind: "taskStatus", record: merged });
    const event =
      known?.state === merged.state && known.attempt === merged.attempt && known.healthy === merged.healthy
        ? undefined
        : taskEvent(state, task, merged);
    if (event !== undefined) events.push(event);
  }
  for (const [id, nodeId] of gone) {
    const task = state.task.get(id);
    if (task?.nodeId !== nodeId || task.desired !== "remove") continue;
    changes.push(...forgetTask(state, id));
  }
  for (const [id, told] of facts) {
    if (!state.node.has(id)) continue;
    const known = state.nodeStatus.get(id);
    // what is left out now is over
    const { networkTrouble: _trouble, ...before } = known ?? {};
    const record: NodeStatus = { lostAtMs: [], ...before, ...told, id };
    if (JSON.stringify(record) !== JSON.stringify(known)) changes.push({ op: "put", kind: "nodeStatus", record });
    if (known !== undefined && known.bootId !== told.bootId)
      events.push(nodeEvent(state, id, "node.rebooted", "came back with a new boot id"));
  }
  return { changes, events };
}

function taskEvent(state: State, task: Task, status: TaskStatus): EventDraft {
  const service = state.service.get(task.serviceId);
  const node = task.nodeId === undefined ? undefined : state.node.get(task.nodeId);
  const verdict = status.healthy === undefined ? "" : status.healthy ? ", healthy" : ", unhealthy";
  const why = status.reason === "" ? "" : `: ${status.reason}`;
  const name = `${service?.name ?? "?"}.${task.slot === 0 ? (node?.name ?? "?") : task.slot}`;
  return {
    type: `task.${status.state}`,
    subject: { kind: "task", id: task.id, name },
    message: `${name} on ${node?.name ?? "?"}: ${status.state}${verdict}${status.attempt > 1 ? `, attempt ${status.attempt}` : ""}${why}`,
    data: { service: service?.name ?? "", node: node?.name ?? "", attempt: status.attempt },
  };
}

/** An event about a node. */
export function nodeEvent(state: State, id: NodeId, type: string, what: string): EventDraft {
  const name = state.node.get(id)?.name ?? id;
  return { type, subject: { kind: "node", id, name }, message: `${name} ${what}` };
}

function bounded(status: TaskStatus): TaskStatus {
  const cut = (text: string): string => (text.length > MAX_TEXT_BYTES ? `${text.slice(0, MAX_TEXT_BYTES)}…` : text);
  return {
    ...status,
    reason: cut(status.reason),
    ...(status.lastOutput === undefined ? {} : { lastOutput: cut(status.lastOutput) }),
    ...(status.probeAnswer === undefined ? {} : { probeAnswer: cut(status.probeAnswer) }),
  };
}
