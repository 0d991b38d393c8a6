// Runs seeds of the simulator and says what they found. Exit code 1 when an invariant was violated, 2 when it was asked wrongly.
// Usage: npm run sim -- [--seeds N] [--seed SEED] [--trace] [--json] [--workers N] [--storm SECONDS] [--nodes N] [--faults a,b] [--jobs N] [--stop] [--progress]
// --seed alone runs that one; with --seeds it is the first.

import { parseArgs } from "node:util";
import { runSeed, type RunOptions } from "../test/sim/run-seed.ts";
import { FAULTS } from "../test/sim/story/faults.ts";
import { addSeed, addSweep, emptySweep, readSweep, renderFound, renderMatrix, renderSweep } from "../test/sim/sweep.ts";
import type { Sweep } from "../test/sim/sweep.ts";

const DEFAULT_SEEDS = 100;
/** A worker's process takes so many seeds, then another takes over: memory stays small, and the last ones end together. */
const SEEDS_PER_PROCESS = 50;

const { values } = parseArgs({
  options: {
    seeds: { type: "string" },
    seed: { type: "string" },
    storm: { type: "string" },
    nodes: { type: "string" },
    faults: { type: "string" },
    jobs: { type: "string" },
    workers: { type: "string", default: "1" },
    stop: { type: "boolean", default: false },
    trace: { type: "boolean", default: false },
    json: { type: "boolean", default: false },
    progress: { type: "boolean", default: false },
  },
});

function whole(name: "seeds" | "seed" | "storm" | "nodes" | "jobs" | "workers", least: number): number {
  const value = Number(values[name]);
  if (Number.isInteger(value) && value >= least) return value;
  console.error(`sim: --${name} must be a whole number from ${least}, not "${values[name]}"`);
  process.exit(2);
}

function optionsOf(seed: number): RunOptions {
  return {
    seed,
    isTraced: values.trace,
    ...(values.storm === undefined ? {} : { stormMs: whole("storm", 1) * 1_000 }),
    ...(values.nodes === undefined ? {} : { nodes: whole("nodes", 1) }),
    ...(values.jobs === undefined ? {} : { jobs: whole("jobs", 0) }),
    ...(values.faults === undefined ? {} : { faults: faultsOf(values.faults) }),
  };
}

function faultsOf(text: string): readonly string[] {
  const names = text.split(",");
  const unknown = names.find((name) => !FAULTS.some((fault) => fault.name === name));
  if (unknown === undefined) return names;
  console.error(`sim: there is no fault "${unknown}"; there are: ${FAULTS.map((fault) => fault.name).join(", ")}`);
  process.exit(2);
}

/** One seed, with all that happened in it if asked for. */
function replay(seed: number): number {
  const { violation, lines, hash, nodes, faults } = runSeed(optionsOf(seed));
  if (values.trace) for (const line of lines) console.log(line);
  if (violation !== undefined) console.log(renderFound({ seed, ...violation, nodes, faults, lines: lines.slice(-30) }));
  console.log(`hash ${hash}`);
  return violation === undefined ? 0 : 1;
}

function sweepHere(first: number, count: number): Sweep {
  const sweep = emptySweep();
  for (let seed = first; seed < first + count; seed++) {
    if (values.progress) console.error(`seed ${seed}`);
    addSeed(sweep, optionsOf(seed));
    if (values.stop && sweep.violations.length > 0) break;
  }
  return sweep;
}

async function sweepInProcesses(first: number, count: number, workers: number): Promise<Sweep> {
  const sweep = emptySweep();
  let next = first;
  const work = async (): Promise<void> => {
    while (next < first + count && !(values.stop && sweep.violations.length > 0)) {
      const from = next;
      next = Math.min(from + SEEDS_PER_PROCESS, first + count);
      const part = await sweepThere(from, next - from);
      addSweep(sweep, part);
      if (!values.progress) continue;
      // what was found need not be waited for until the last seed has run
      for (const { seed, invariant, sentence } of part.violations)
        console.error(`seed ${seed} violates ${invariant}: ${sentence}`);
      console.error(`${sweep.seeds} of ${count} seeds, ${sweep.violations.length} violations`);
    }
  };
  await Promise.all(Array.from({ length: workers }, work));
  sweep.violations.sort((a, b) => a.seed - b.seed);
  return sweep;
}

async function sweepThere(first: number, count: number): Promise<Sweep> {
  const passed = (["storm", "nodes", "faults", "jobs"] as const).flatMap((name) =>
    values[name] === undefined ? [] : [`--${name}`, values[name]],
  );
  const argv = ["--seeds", `${count}`, "--seed", `${first}`, "--json", ...passed, ...(values.stop ? ["--stop"] : [])];
  const child = Bun.spawn([process.execPath, import.meta.filename, ...argv], { stdout: "pipe", stderr: "inherit" });
  const text = await new Response(child.stdout).text();
  await child.exited;
  const line = text.split("\n").find((one) => one.startsWith("{"));
  if (line === undefined) throw new Error(`the process for seeds from ${first} ended without a word`);
  return readSweep(line);
}

async function main(): Promise<number> {
  if (values.seed !== undefined && values.seeds === undefined && !values.json) return replay(whole("seed", 0));
  const first = values.seed === undefined ? 1 : whole("seed", 0);
  const isOne = values.seed !== undefined && values.seeds === undefined;
  const count = values.seeds === undefined ? (isOne ? 1 : DEFAULT_SEEDS) : whole("seeds", 1);
  const workers = whole("workers", 1);
  const startedMs = performance.now();
  const sweep = workers === 1 ? sweepHere(first, count) : await sweepInProcesses(first, count, workers);
  if (values.json) console.log(renderSweep(sweep));
  else {
    const seconds = (performance.now() - startedMs) / 1_000;
    for (const found of sweep.violations) console.log(`${renderFound(found)}\n`);
    console.log(renderMatrix(sweep.matrix));
    const speed = Math.round(sweep.simulatedMs / 1_000 / seconds);
    console.log(
      `\n${sweep.seeds} seeds from ${first}, ${Math.round(sweep.simulatedMs / 1_000)} simulated seconds in ${seconds.toFixed(1)} s: ` +
        `${speed} × real time; ${sweep.violations.length} violations`,
    );
    const { handovers, fences, frozen } = sweep.leased;
    console.log(
      `tasks that must never run twice: ${handovers} went to another host, ${fences} were ended by a fence; ` +
        `${frozen} ran twice while a machine stood still`,
    );
    for (const { seed, invariant, sentence } of sweep.violations)
      console.log(`  ${seed}: ${invariant}: ${sentence.split("\n")[0]}`);
  }
  return sweep.violations.length === 0 ? 0 : 1;
}

process.exitCode = await main();
