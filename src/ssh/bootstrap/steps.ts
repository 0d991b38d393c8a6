// The steps of a bootstrap as they are told: started, then done or skipped or failed, each with a sentence and its time.

import { DavitError, reasonOf } from "../../core/model/errors.ts";

export type StepProgress = {
  readonly step: string;
  readonly state: "started" | "done" | "skipped" | "failed";
  readonly message: string;
  readonly elapsedMs: number;
};

/** What a step did. `skipped`: all was there already. */
export type StepOutcome<Value> = {
  readonly value: Value;
  readonly message: string;
  readonly skipped?: boolean;
};

export type Steps = {
  /** Runs a step and tells of it. `note` says what goes on in between. */
  run<Value>(
    step: string,
    intent: string,
    work: (note: (message: string) => void) => Promise<StepOutcome<Value>>,
  ): Promise<Value>;
};

/** `nowMs` is a clock for durations. Errors that are not DavitErrors become `bootstrap_failed` with the step's name. */
export function stepsOf(report: (progress: StepProgress) => void, nowMs: () => number): Steps {
  return {
    async run(step, intent, work) {
      const startMs = nowMs();
      const elapsed = (): number => Math.round(nowMs() - startMs);
      report({ step, state: "started", message: intent, elapsedMs: 0 });
      try {
        const outcome = await work((message) => report({ step, state: "started", message, elapsedMs: elapsed() }));
        report({
          step,
          state: outcome.skipped === true ? "skipped" : "done",
          message: outcome.message,
          elapsedMs: elapsed(),
        });
        return outcome.value;
      } catch (error) {
        report({ step, state: "failed", message: reasonOf(error), elapsedMs: elapsed() });
        if (error instanceof DavitError) throw error;
        throw new DavitError("bootstrap_failed", `${step}: ${reasonOf(error)}`, { cause: error });
      }
    },
  };
}
