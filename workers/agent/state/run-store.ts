// What is remembered of each task, in memory and on disk. Many changes share one write: whoever calls `flush` while a write is
// under way waits for the next one, which holds everything so far.

import type { TaskId } from "../../../src/core/model/ids.ts";
import type { TaskRun } from "../plan/types.ts";
import type { AgentDisk } from "./disk.ts";
import { readState } from "./read-state.ts";

const FILE = "attempts.json";

export class RunStore {
  readonly #disk: AgentDisk;
  readonly #runs: Map<TaskId, TaskRun>;
  #isDirty = false;
  #writing: Promise<void> | undefined;
  #next: Promise<void> | undefined;

  private constructor(disk: AgentDisk, runs: Map<TaskId, TaskRun>) {
    this.#disk = disk;
    this.#runs = runs;
  }

  /** Throws `storage_failed` when the file is damaged. */
  static async load(disk: AgentDisk): Promise<RunStore> {
    const runs = ((await readState(disk, FILE)) ?? []) as readonly TaskRun[];
    return new RunStore(disk, new Map(runs.map((run) => [run.status.id, run])));
  }

  get all(): ReadonlyMap<TaskId, TaskRun> {
    return this.#runs;
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
    const text = JSON.stringify([...this.#runs.values()]);
    const writing = this.#disk.write(FILE, text).then(
      () => void (this.#writing = undefined),
      (error: unknown) => {
        this.#writing = undefined;
        this.#isDirty = true;
        throw error;
      },
    );
    this.#writing = writing;
    return writing;
  }
}
