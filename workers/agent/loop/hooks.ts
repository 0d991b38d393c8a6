// Hooks: commands that a service has run in its container once it has started, and before it is stopped. After a start the first failure
// ends the attempt; before a stop a failure is noted and the stop goes on.

import { reasonOf } from "../../../src/core/model/errors.ts";
import type { Hook } from "../../../src/core/model/service-spec.ts";
import type { Clock } from "../../../src/ports/clock.ts";
import { type ContainerEngine, EngineError } from "../../../src/ports/container-engine.ts";
import { describeEnd, runCommand } from "../engine/run-command.ts";

/** For each hook after the start: one that prepares data may take its time, one that hangs must not hold the task for ever. */
export const POST_START_TIMEOUT_MS = 60_000;
/** What a stop keeps of its grace for the container's own shutdown. */
const STOP_SHARE_MS = 1_000;

/** Runs hooks one after the other. Rejects with EngineError `failed` that says which one failed and how. */
export async function runPostStart(
  engine: ContainerEngine,
  clock: Clock,
  containerId: string,
  hooks: readonly Hook[],
): Promise<void> {
  for (const hook of hooks) {
    const end = await runCommand(engine, clock, containerId, hook, POST_START_TIMEOUT_MS);
    if (end.exitCode !== 0)
      throw new EngineError(
        "failed",
        `post_start hook ${describeEnd(hook.argv.join(" "), end, POST_START_TIMEOUT_MS)}`,
      );
  }
}

/** Runs hooks before a stop, for as long as the grace allows. Gives what is left of the grace for the stop itself, in ms. */
export async function runPreStop(
  engine: ContainerEngine,
  clock: Clock,
  containerId: string,
  hooks: readonly Hook[],
  graceMs: number,
  note: (text: string) => void,
): Promise<number> {
  const endMs = clock.bootMs() + graceMs;
  const stopMs = Math.min(STOP_SHARE_MS, graceMs / 2);
  for (const hook of hooks) {
    const leftMs = endMs - stopMs - clock.bootMs();
    const command = hook.argv.join(" ");
    if (leftMs <= 0) {
      note(`pre_stop hook ${command}: not run, no time is left of the grace of ${graceMs / 1_000} s`);
      continue;
    }
    try {
      const end = await runCommand(engine, clock, containerId, hook, leftMs);
      if (end.exitCode !== 0) note(`pre_stop hook ${describeEnd(command, end, leftMs)}`);
    } catch (error) {
      note(`pre_stop hook ${command}: ${reasonOf(error)}`);
    }
  }
  return Math.max(stopMs, endMs - clock.bootMs());
}
