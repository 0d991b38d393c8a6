// Properties are tried on the same values in each run, so that a change is judged by what it does and not by chance. To look further:
// PROPERTY_SEED=7 (any whole number), and PLANNER_RUNS=5000 for the planner's random worlds.

import fc from "fast-check";

fc.configureGlobal({ seed: Number(process.env["PROPERTY_SEED"] ?? 1) });
