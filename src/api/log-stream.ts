// Logs of several tasks in one stream: every task's lines as they come from its node, tasks that appear later included. A node that cannot
// be reached is a note among the lines, never the end of the others.

import { reasonOf } from "../core/model/errors.ts";
import type { Task } from "../core/model/records.ts";
import type { World } from "../core/model/world.ts";
import { taskName } from "../core/reconcile/step.ts";
import type { TaskLogLine } from "./backend.ts";
import type { Actor, Parts } from "./context.ts";
import { aborted, type EventSink, eventStream } from "./event-stream.ts";
import { isPresent } from "./views/tasks.ts";

/** Logs come in bursts of megabytes from disks that are faster than the reader's line. */
const MAX_WAITING_BYTES = 16 * 1024 * 1024;
/** Logs that are read at once: each is a channel of an SSH connection. */
const MAX_PARALLEL = 200;

export type LogQuery = { readonly follow?: boolean; readonly tail?: number; readonly since?: string };

/** The logs of all tasks that are meant: those of now, or the last ended ones where nothing is present. */
export function logStream(parts: Parts, actor: Actor, query: LogQuery, isMeant: (task: Task) => boolean): Response {
  return eventStream(parts, actor, (sink) => new LogReader(parts, sink, query, isMeant).run(), MAX_WAITING_BYTES);
}

class LogReader {
  readonly #parts: Parts;
  readonly #sink: EventSink;
  readonly #query: LogQuery;
  readonly #isMeant: (task: Task) => boolean;
  /** The attempt up to which each task's log was read or is being read. */
  readonly #attempts = new Map<string, number>();
  /** When the last line of each task was written: where to go on after a new attempt. */
  readonly #lastAt = new Map<string, string>();
  readonly #reading = new Set<string>();

  constructor(parts: Parts, sink: EventSink, query: LogQuery, isMeant: (task: Task) => boolean) {
    this.#parts = parts;
    this.#sink = sink;
    this.#query = query;
    this.#isMeant = isMeant;
  }

  async run(): Promise<void> {
    const first = chosen(this.#parts.backend.world(), this.#isMeant);
    if (first.length === 0) this.#sink.send("note", { message: "no task has run yet" });
    const tooMany = first.length - MAX_PARALLEL;
    if (tooMany > 0)
      this.#sink.send("note", { message: `${tooMany} more tasks are left out: ask for one of them by name` });
    const readings = first.slice(0, MAX_PARALLEL).map((task) => this.#read(task));
    if (this.#query.follow !== true) {
      await Promise.all(readings);
      return;
    }
    const stop = this.#parts.backend.onChange(() => this.#readNew());
    await aborted(this.#sink.signal);
    stop();
  }

  /** Tasks and attempts that have come since. */
  #readNew(): void {
    const { state } = this.#parts.backend.world();
    for (const task of state.task.values()) {
      if (!this.#isMeant(task) || this.#reading.has(task.id) || this.#reading.size >= MAX_PARALLEL) continue;
      const status = state.taskStatus.get(task.id);
      if (status?.state !== "running" || status.attempt <= (this.#attempts.get(task.id) ?? 0)) continue;
      void this.#read(task);
    }
  }

  async #read(task: Task): Promise<void> {
    const { backend } = this.#parts;
    const world = backend.world();
    const name = taskName(task, world.state);
    const node = task.nodeId === undefined ? undefined : world.state.node.get(task.nodeId);
    this.#attempts.set(task.id, world.state.taskStatus.get(task.id)?.attempt ?? 1);
    this.#reading.add(task.id);
    const onLine = (line: TaskLogLine): void => {
      this.#lastAt.set(task.id, line.at);
      this.#sink.send("log", { task: name, node: node?.name ?? "", stream: line.stream, at: line.at, text: line.text });
    };
    const { follow = false, tail, since } = this.#query;
    const from = this.#lastAt.get(task.id);
    const options =
      from === undefined
        ? { follow, ...(tail === undefined ? {} : { tail }), ...(since === undefined ? {} : { since }) }
        : { follow, since: from };
    try {
      await backend.taskLogs(task.id, options, onLine, this.#sink.signal);
    } catch (error) {
      this.#sink.send("note", {
        message: `${name} on ${node?.name ?? "a node that is gone"}: no log: ${reasonOf(error)}`,
      });
    } finally {
      this.#reading.delete(task.id);
    }
  }
}

/** Present tasks that have a node; where there is none, the last one of each slot. */
function chosen(world: World, isMeant: (task: Task) => boolean): readonly Task[] {
  const placed = [...world.state.task.values()].filter(
    (task) => isMeant(task) && task.nodeId !== undefined && world.state.taskStatus.has(task.id),
  );
  const bySlot = Map.groupBy(placed, (task) => (task.slot === 0 ? `node ${task.nodeId}` : `slot ${task.slot}`));
  return [...bySlot.values()].flatMap((tasks) => {
    const present = tasks.filter((task) => isPresent(world.state, task));
    return present.length > 0 ? present : tasks.toSorted((a, b) => b.createdAtMs - a.createdAtMs).slice(0, 1);
  });
}
