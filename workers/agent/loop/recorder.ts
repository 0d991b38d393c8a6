// Writes down what became of tasks, and tells it. A last word about a task waits for the disk; a write that fails is tried again.

import { reasonOf } from "../../../src/core/model/errors.ts";
import type { TaskId } from "../../../src/core/model/ids.ts";
import type { TaskStatus } from "../../../src/core/model/records.ts";
import type { Clock, Timer } from "../../../src/ports/clock.ts";
import type { Log } from "../../../src/ports/log.ts";
import type { TaskRun } from "../plan/types.ts";
import type { RunStore } from "../state/run-store.ts";

export const WRITE_AGAIN_MS = 1_000;

export type RecorderContext = {
  readonly runs: RunStore;
  readonly clock: Clock;
  readonly log: Log;
  readonly serviceOf: (taskId: TaskId) => string | undefined;
  readonly onStatuses: (changed: readonly TaskStatus[], gone: readonly TaskId[]) => void;
};

export class Recorder {
  readonly #context: RecorderContext;
  /** Tasks whose last word is not durable yet. */
  readonly #untold = new Set<TaskId>();
  #again: Timer | undefined;

  constructor(context: RecorderContext) {
    this.#context = context;
  }

  record(changed: readonly TaskRun[], gone: readonly TaskId[]): void {
    if (changed.length === 0 && gone.length === 0) return;
    const { runs, onStatuses } = this.#context;
    for (const run of changed) {
      this.#logReason(run);
      runs.put(run);
      if (!runs.isKept(run)) this.#untold.add(run.status.id);
    }
    for (const taskId of gone) {
      runs.forget(taskId);
      this.#untold.delete(taskId);
    }
    onStatuses(
      changed.flatMap((run) => runs.told(run) ?? []),
      gone,
    );
    this.#write();
  }

  #logReason({ status }: TaskRun): void {
    const { runs, log, serviceOf } = this.#context;
    const { id: task, attempt, state, reason } = status;
    if (reason === "" || reason === runs.all.get(task)?.status.reason) return;
    log.info("task", { service: serviceOf(task), task, attempt, state, reason });
  }

  #write(): void {
    const { runs, clock, log } = this.#context;
    runs.flush().then(
      () => this.#tellRest(),
      (error: unknown) => {
        this.#tellRest();
        if (this.#again !== undefined) return;
        log.error("cannot keep attempts", { reason: reasonOf(error) });
        this.#again = clock.after(WRITE_AGAIN_MS, () => {
          this.#again = undefined;
          this.#write();
        });
      },
    );
  }

  #tellRest(): void {
    if (this.#untold.size === 0) return;
    const { runs, onStatuses } = this.#context;
    const rest = [...this.#untold].flatMap((taskId) => runs.all.get(taskId) ?? []);
    for (const run of rest) if (runs.isKept(run)) this.#untold.delete(run.status.id);
    onStatuses(
      rest.flatMap((run) => runs.told(run) ?? []),
      [],
    );
  }
}
