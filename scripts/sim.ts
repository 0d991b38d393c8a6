// Runs seeds of the simulator and says what they found. Exit code 1 when an invariant was violated.
// Usage: npm run sim -- [--seeds N] [--first SEED] [--seed SEED] [--trace] [--json] [--storm SECONDS] [--nodes N] [--faults a,b] [--stop]

import { parseArgs } from "node:util";
import { FAULTS } from "../test/sim/story/faults.ts";
import { PHASES } from "../test/sim/story/phases.ts";
import { runSeed, type RunOptions, type RunResult } from "../test/sim/run-seed.ts";

const { values } = parseArgs({
  options: {
    seeds: { type: "string" },
    first: { type: "string" },
    seed: { type: "string" },
    storm: { type: "string" },
    nodes: { type: "string" },
    faults: { type: "string" },
    stop: { type: "boolean", default: false },
    trace: { type: "boolean", default: false },
    json: { type: "boolean", default: false },
  },
});

function optionsOf(seed: number): RunOptions {
  return {
    seed,
    isTraced: values.trace,
    ...(values.storm === undefined ? {} : { stormMs: Number(values.storm) * 1_000 }),
    ...(values.nodes === undefined ? {} : { nodes: Number(values.nodes) }),
    ...(values.faults === undefined ? {} : { faults: values.faults.split(",") }),
  };
}

function tell({ seed, violation, lines, nodes, faults }: RunResult): void {
  if (violation === undefined) return;
  console.log(`\nseed ${seed} (${nodes} nodes; ${faults.join(", ")})`);
  if (!values.trace) for (const line of lines.slice(-30)) console.log(`  ${line}`);
  console.log(`VIOLATION ${violation.invariant} at ${(violation.atMs / 1_000).toFixed(3)} s: ${violation.sentence}`);
  console.log(`replay: npm run sim -- --seed ${seed} --trace`);
}

function printMatrix(matrix: ReadonlyMap<string, number>): void {
  const width = Math.max(...FAULTS.map(({ name }) => name.length));
  console.log(`\n${"".padEnd(width)} ${PHASES.map((phase) => phase.padStart(12)).join(" ")}`);
  for (const { name } of FAULTS) {
    const cells = PHASES.map((phase) => String(matrix.get(`${name}/${phase}`) ?? "-").padStart(12));
    console.log(`${name.padEnd(width)} ${cells.join(" ")}`);
  }
}

function main(): number {
  const first = Number(values.seed ?? values.first ?? 1);
  const count = values.seed === undefined ? Number(values.seeds ?? 100) : 1;
  const matrix = new Map<string, number>();
  const violations: RunResult[] = [];
  let simulatedMs = 0;
  let seeds = 0;
  let events = 0;
  const startedMs = performance.now();
  for (let seed = first; seed < first + count && !(values.stop && violations.length > 0); seed++) {
    const result = runSeed(optionsOf(seed));
    simulatedMs += result.simulatedMs;
    events += result.events;
    for (const [cell, hits] of result.matrix) matrix.set(cell, (matrix.get(cell) ?? 0) + hits);
    if (values.trace) for (const line of result.lines) console.log(line);
    if (result.violation !== undefined) violations.push(result);
    seeds += 1;
    if (!values.json) tell(result);
    if (values.seed !== undefined && !values.json) console.log(`hash ${result.hash}`);
  }
  const realMs = performance.now() - startedMs;
  const speed = Math.round(simulatedMs / realMs);
  const sum = {
    seeds: count,
    first,
    simulatedSeconds: Math.round(simulatedMs / 1_000),
    events,
    seconds: realMs / 1_000,
    speed,
  };
  const found = violations.map(({ seed, violation }) => ({ seed, ...violation }));
  if (values.json) console.log(JSON.stringify({ ...sum, violations: found, matrix: Object.fromEntries(matrix) }));
  else {
    if (values.seed === undefined) printMatrix(matrix);
    console.log(
      `\n${seeds} seeds, ${sum.simulatedSeconds} simulated seconds in ${sum.seconds.toFixed(1)} s: ${speed} × real time; ${violations.length} violations`,
    );
    for (const { seed, invariant, sentence } of found) console.log(`  ${seed}: ${invariant}: ${sentence}`);
  }
  return violations.length === 0 ? 0 : 1;
}

process.exitCode = main();
