import { defineConfig } from "vitest/config";
import { TEST_LABS } from "./test/lab/lab.ts";
import { sqlText } from "./vitest.config.ts";

// Real hosts on a small machine: as many files at a time as there are labs, with time for engines to start.
export default defineConfig({
  plugins: [sqlText],
  test: {
    pool: "threads",
    isolate: false,
    maxWorkers: TEST_LABS,
    include: ["test/lab/**/*.test.ts"],
    globalSetup: ["test/lab/global-setup.ts"],
    setupFiles: ["test/properties.ts"],
    // no test is timed: only one that hangs takes so long, however busy the machine is
    testTimeout: 300_000,
    hookTimeout: 600_000,
    teardownTimeout: 120_000,
  },
});
