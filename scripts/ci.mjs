#!/usr/bin/env node
// All that must hold before a change is taken: the tests, then the demo. The last line is the sum over all suites, alone.

import { spawn } from "node:child_process";
import { dirname } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";

const ROOT = dirname(dirname(fileURLToPath(import.meta.url)));
const SUITES = [["test"], ["run", "demo", "--", "--once"]];
/** Characters of a suite's end that are looked at. */
const TAIL = 32_768;
const SUM = /^(\d+) passed, (\d+) failed, (\d+) skipped$/;

/** What a suite said failed: said once more at the very end, so that it is not above the output of the next one. */
const FAILURE = /^failed: .*$/gm;
const failures = [];

/** Runs an npm command, shows its output, and takes the counts from its last line. */
function run(argv) {
  return new Promise((resolve) => {
    const child = spawn("npm", argv, { cwd: ROOT, stdio: ["ignore", "pipe", "inherit"] });
    let tail = "";
    child.stdout.on("data", (data) => {
      process.stdout.write(data);
      tail = (tail + data).slice(-TAIL);
    });
    child.on("error", () => resolve([0, 1, 0]));
    child.on("close", (code) => {
      const counts = SUM.exec(tail.trim().split("\n").at(-1) ?? "")
        ?.slice(1)
        .map(Number) ?? [0, 0, 0];
      failures.push(...(tail.match(FAILURE) ?? []));
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
if (failures.length > 0) process.stdout.write(`\n${failures.join("\n")}\n`);
process.stdout.write(`\n${sum[0]} passed, ${sum[1]} failed, ${sum[2]} skipped\n`);
process.exitCode = sum[1] === 0 ? 0 : 1;
