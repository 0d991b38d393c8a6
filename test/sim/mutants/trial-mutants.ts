// Known bugs of changes on trial: see mutants.ts.

import type { Mutant } from "./mutant.ts";

export const TRIAL_MUTANTS: readonly Mutant[] = [
  {
    name: "a wall clock that is set counts as time",
    file: "src/core/reconcile/clock-steps.ts",
    find: "if (isStep) return [note, ...moved(state, stepMs)];",
    replace: "if (isStep) return [note];",
    faults: ["coordinator's wall clock stepped"],
  },
  {
    name: "canaries take over before they are promoted",
    file: "src/core/rollout/tracks.ts",
    find: "    if (isSwitched || !hasFrom) endUnfit(planning, slot);",
    replace:
      "    if (workingIn(planning, tracks.fresh).some((one) => one.slot === slot.slot && one.onlyNode === slot.onlyNode))\n      for (const task of slot.live) planning.end(task, `updated to version ${context.service.version}`);\n    else if (isSwitched || !hasFrom) endUnfit(planning, slot);",
  },
  {
    name: "a promotion by itself counts the time in which a canary was not healthy",
    file: "src/core/rollout/trial.ts",
    find: "if (rollout.healthySinceMs !== undefined) interrupt(planning, rollout, working, fresh.length);",
    replace: "if (rollout.healthySinceMs !== undefined) return;",
    faults: ["container dies", "host loses power", "node isolated", "engine restarted"],
  },
  {
    name: "a rollback goes on trial first",
    file: "src/core/rollout/begin.ts",
    find: 'if (service.isRollback) return "rolling_back";',
    replace: "",
  },
  {
    name: "the progress deadline counts the time of a pause",
    file: "src/core/rollout/wishes.ts",
    find: "const atMs = isByHand ? countedSinceMs + pausedMs : nowMs;",
    replace: "const atMs = isByHand ? countedSinceMs : nowMs;",
  },
  {
    name: "a blue-green update switches before its new tasks are healthy",
    file: "src/core/rollout/trial.ts",
    find: "if (working < fresh.length || (fresh.length === 0 && isOnLostOnes)) {",
    replace: "if (fresh.length === 0 && isOnLostOnes) {",
  },
  {
    name: "going back to a set that is still there ends it and starts it anew",
    file: "src/core/rollout/tracks.ts",
    find: "if (isFresh(task) || isWanted(task)) continue;",
    replace: "if (isFresh(task)) continue;",
  },
  {
    name: "more canaries are started than were asked for",
    file: "src/core/rollout/tracks.ts",
    find: 'phaseOf(rollout) === "switched" ? counted.length : trialCount(strategy, counted.length);',
    replace: 'phaseOf(rollout) === "switched" ? counted.length : trialCount(strategy, counted.length) + 1;',
  },
  {
    name: "a rollout that makes no progress never ends",
    file: "src/core/rollout/progress.ts",
    find: "if (rollout.fromVersion === undefined) return false;",
    replace: "if (rollout.toVersion > 0) return false;",
  },
];
