// What is remembered of each task, in memory and on disk. Many changes share one write: whoever calls `flush` while a write is
// under way waits for the next one, which holds everything so far. A last word about a task is said once it is durable: an agent
// that forgot it would make the task once more.

import { reasonOf } from "../../../src/core/model/errors.ts";
import type { TaskId } from "../../../src/core/model/ids.ts";
import type { TaskStatus } from "../../../src/core/model/records.ts";
import type { TaskRun } from "../plan/types.ts";
import type { AgentDisk } from "./disk.ts";
import { readState } from "./read-state.ts";

const FILE = "attempts.json";

export class RunStore {
  readonly #disk: AgentDisk;
  readonly #runs: Map<TaskId, TaskRun>;
  /** What a start of the agent would find. */
  #durable: ReadonlyMap<TaskId, TaskRun>;
  /** Why the last write failed. */
  #trouble: string | undefined;
  #isDirty = false;
  #writing: Promise<void> | undefined;
  #next: Promise<void> | undefined;

  private constructor(disk: AgentDisk, runs: Map<TaskId, TaskRun>) {
    this.#disk = disk;
    this.#runs = runs;
    this.#durable = new Map(runs);
  }

  /** Throws `storage_failed` when the file is damaged. */
  static async load(disk: AgentDisk): Promise<RunStore> {
    const runs = ((await readState(disk, FILE)) ?? []) as readonly TaskRun[];
    return new RunStore(disk, new Map(runs.map((run) => [run.status.id, run])));
  }

  get all(): ReadonlyMap<TaskId, TaskRun> {
    return this.#runs;
  }

  /** What may be told of a task. Undefined while its last word is being written down. */
  told(run: TaskRun): TaskStatus | undefined {
    const { status } = run;
    if (!status.exhausted || this.isKept(run)) return status;
    return this.#trouble === undefined ? undefined : withoutLastWord(status, this.#trouble);
  }

  /** Whether its last word, if it has one, outlives the agent. */
  isKept({ status }: TaskRun): boolean {
    return !status.exhausted || this.#durable.get(status.id)?.status.exhausted === true;
  }

  /** What may be told of all tasks; for one whose last word is being written down, what a start of the agent would find. */
  get statuses(): readonly TaskStatus[] {
    return [...this.#runs.values()].flatMap((run) => this.told(run) ?? this.#durable.get(run.status.id)?.status ?? []);
  }

  put(run: TaskRun): void {
    this.#runs.set(run.status.id, run);
    this.#isDirty = true;
  }

  forget(taskId: TaskId): void {
    this.#isDirty = this.#runs.delete(taskId) || this.#isDirty;
  }

  /** Resolves when every change made before the call is durable. */
  flush(): Promise<void> {
    if (this.#writing === undefined) return this.#isDirty ? this.#write() : Promise.resolve();
    this.#next ??= this.#writing.then(
      () => this.#startNext(),
      () => this.#startNext(),
    );
    return this.#next;
  }

  #startNext(): Promise<void> {
    this.#next = undefined;
    return this.#isDirty ? this.#write() : Promise.resolve();
  }

  #write(): Promise<void> {
    this.#isDirty = false;
    const written = new Map(this.#runs);
    const text = JSON.stringify([...written.values()]);
    const writing = this.#disk.write(FILE, text).then(
      () => {
        this.#writing = undefined;
        this.#durable = written;
        this.#trouble = undefined;
      },
      (error: unknown) => {
        this.#writing = undefined;
        this.#trouble = reasonOf(error);
        this.#isDirty = true;
        throw error;
      },
    );
    this.#writing = writing;
    return writing;
  }
}

/** That its container ended is news; that nothing follows is not yet certain. */
function withoutLastWord(status: TaskStatus, trouble: string): TaskStatus {
  const ended = status.state === "complete" ? "it ended" : status.reason || `it is ${status.state}`;
  const reason = `${ended}; this node cannot write that down and tries again every second: ${trouble}`;
  const state = status.state === "complete" ? "running" : status.state;
  return { ...status, state, healthy: false, exhausted: false, reason };
}
