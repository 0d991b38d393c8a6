import { defineConfig } from "vitest/config";
import { sqlText } from "./vitest.config.ts";

// Real hosts on a small machine: one file at a time, with time for engines to start.
export default defineConfig({
  plugins: [sqlText],
  test: {
    pool: "threads",
    isolate: false,
    maxWorkers: 1,
    fileParallelism: false,
    include: ["test/lab/**/*.test.ts"],
    globalSetup: ["test/lab/global-setup.ts"],
    testTimeout: 120_000,
    hookTimeout: 180_000,
    teardownTimeout: 60_000,
  },
});
