// Runs the suites and adds up what they counted. The last line is the sum alone: "N passed, N failed, N skipped".
// A tool counts as one check. A suite that ran nothing, or that ended without a report, is a failure; a missing lab too.
// Usage: node scripts/test.mjs check|all [file…]   (files: only these of the tests, no tools)

import { spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join, relative } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { stripVTControlCharacters } from "node:util";

const ROOT = dirname(dirname(fileURLToPath(import.meta.url)));
const BIN = join(ROOT, "node_modules", ".bin");
const scratch = mkdtempSync(join(tmpdir(), "davit-test-"));

const TOOLS = [
  { name: "format", argv: ["oxfmt", "--check"] },
  { name: "lint", argv: ["oxlint"] },
  { name: "types", argv: ["tsc", "--noEmit"] },
  { name: "unused", argv: ["knip", "--no-progress"] },
];
const UNIT = { name: "unit", config: "vitest.config.ts" };
const LAB = { name: "lab", config: "vitest.lab.config.ts" };

let running;
let interrupted = false;
for (const signal of ["SIGINT", "SIGTERM"])
  process.on(signal, () => {
    interrupted = true;
    // children of a terminal have their own SIGINT already
    if (signal === "SIGTERM") running?.kill(signal);
  });

/** Runs a command to its end; its output goes through. */
function run(argv, env = {}) {
  return new Promise((resolve) => {
    running = spawn(join(BIN, argv[0]), argv.slice(1), {
      cwd: ROOT,
      stdio: ["ignore", "inherit", "inherit"],
      env: { ...process.env, ...env },
    });
    running.on("error", (error) => resolve(error.message));
    running.on("close", (code, signal) => resolve(code ?? signal));
  });
}

async function runTool({ name, argv }) {
  const status = await run(argv);
  return status === 0 ? { name, passed: 1, failed: 0, skipped: 0 } : { name, passed: 0, failed: 1, skipped: 0 };
}

async function runVitest({ name, config }, files) {
  const report = join(scratch, `${name}.json`);
  const argv = ["bun", "--bun", "run", "vitest", "run", "--config", config, "--passWithNoTests=false"];
  const status = await run([...argv, "--reporter=default", "--reporter=json", `--outputFile.json=${report}`, ...files]);
  return { name, ...countOf(report, status) };
}

/** Counts of a vitest report. A file that failed outside its tests counts as one failure; so does a report without tests. */
function countOf(report, status) {
  let json;
  try {
    json = JSON.parse(readFileSync(report, "utf8"));
  } catch {
    return { passed: 0, failed: 1, skipped: 0, note: `it ended with ${status} and without a report` };
  }
  const skipped = json.numPendingTests + json.numTodoTests;
  const brokenFiles = json.testResults.filter(
    (file) => file.status === "failed" && !file.assertionResults.some((test) => test.status === "failed"),
  );
  const failed = json.numFailedTests + brokenFiles.length;
  const counts = { passed: json.numPassedTests, failed, skipped, failures: failuresOf(json) };
  if (counts.passed + failed === 0) return { ...counts, failed: 1, note: "it ran nothing" };
  if (status !== 0 && failed === 0) return { ...counts, failed: 1, note: `it ended with ${status}` };
  if (brokenFiles.length === 0) return counts;
  return { ...counts, note: `outside of tests: ${brokenFiles.map((file) => relative(ROOT, file.name)).join(", ")}` };
}

/** What failed, a line each with the start of its reason: said once more at the end, where the last screen of a long output shows it. */
function failuresOf(json) {
  return json.testResults.flatMap((file) => {
    const name = relative(ROOT, file.name);
    const failed = file.assertionResults.filter((test) => test.status === "failed");
    if (file.status === "failed" && failed.length === 0)
      return [`${name}: outside of its tests: ${startOf(file.message)}`];
    return failed.map((test) => `${name}: ${test.fullName}: ${startOf(test.failureMessages.join(" "))}`);
  });
}

function startOf(text) {
  return stripVTControlCharacters(text ?? "")
    .replaceAll(/\s+/g, " ")
    .slice(0, 600);
}

async function main() {
  const [what = "all", ...files] = process.argv.slice(2);
  if (what !== "check" && what !== "all") {
    process.stderr.write("usage: node scripts/test.mjs check|all [file…]\n");
    return 2;
  }
  const suites = [];
  const isPartOf = (folder) => files.length === 0 || files.some((file) => file.startsWith("test/lab") === folder);
  if (files.length === 0) suites.push(...TOOLS.map((tool) => () => runTool(tool)));
  if (isPartOf(false)) suites.push(() => runVitest(UNIT, files));
  if (what === "all" && isPartOf(true)) suites.push(() => runVitest(LAB, files));
  const results = [];
  for (const suite of suites) {
    if (interrupted) break;
    const started = Date.now();
    const result = await suite();
    results.push({ ...result, seconds: (Date.now() - started) / 1000 });
  }
  return summarise(results);
}

function summarise(results) {
  const sum = { passed: 0, failed: 0, skipped: 0 };
  process.stdout.write("\n");
  for (const failure of results.flatMap((result) => result.failures ?? []))
    process.stdout.write(`failed: ${failure}\n`);
  for (const { name, passed, failed, skipped, seconds, note } of results) {
    sum.passed += passed;
    sum.failed += failed;
    sum.skipped += skipped;
    const line = `${name.padEnd(8)} ${passed} passed, ${failed} failed, ${skipped} skipped in ${seconds.toFixed(1)} s`;
    process.stdout.write(`${line}${note === undefined ? "" : `: ${note}`}\n`);
  }
  if (interrupted) {
    sum.failed += 1;
    process.stdout.write("interrupted\n");
  }
  process.stdout.write(`${sum.passed} passed, ${sum.failed} failed, ${sum.skipped} skipped\n`);
  return sum.failed === 0 && sum.passed > 0 ? 0 : 1;
}

process.exitCode = await main();
rmSync(scratch, { recursive: true, force: true });
