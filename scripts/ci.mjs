#!/usr/bin/env node
// All that must hold before a change is taken: the tests, then the demo. The last line is the sum over all suites, alone.

import { spawn } from "node:child_process";
import { dirname } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";

const ROOT = dirname(dirname(fileURLToPath(import.meta.url)));
const SUITES = [["test"], ["run", "demo", "--", "--once"]];
const SUM = /^(\d+) passed, (\d+) failed, (\d+) skipped$/;

/** Runs an npm command, shows its output, and takes the counts from its last line. */
function run(argv) {
  return new Promise((resolve) => {
    const child = spawn("npm", argv, { cwd: ROOT, stdio: ["ignore", "pipe", "inherit"] });
    let tail = "";
    child.stdout.on("data", (data) => {
      process.stdout.write(data);
      tail = (tail + data).slice(-4096);
    });
    child.on("error", () => resolve([0, 1, 0]));
    child.on("close", (code) => {
      const counts = SUM.exec(tail.trim().split("\n").at(-1) ?? "")
        ?.slice(1)
        .map(Number) ?? [0, 0, 0];
      const ranNothing = counts[0] + counts[1] === 0;
      if (counts[1] === 0 && (code !== 0 || ranNothing)) counts[1] = 1;
      resolve(counts);
    });
  });
}

const sum = [0, 0, 0];
for (const argv of SUITES) {
  const counts = await run(argv);
  counts.forEach((count, at) => (sum[at] += count));
}
process.stdout.write(`\n${sum[0]} passed, ${sum[1]} failed, ${sum[2]} skipped\n`);
process.exitCode = sum[1] === 0 ? 0 : 1;
