// Many seeds: what each found, added up. A seed in which the simulated code throws is a finding like any other, and does not end the rest.

import { FAULTS, type Matrix } from "./story/faults.ts";
import { PHASES } from "./story/phases.ts";
import { type Leased, runSeed, type RunOptions, type RunResult } from "./run-seed.ts";

/** Lines of the journal that are shown with a violation. */
const SHOWN_LINES = 30;

export type Found = {
  readonly seed: number;
  readonly invariant: string;
  readonly sentence: string;
  readonly atMs: number;
  readonly nodes: number;
  readonly faults: readonly string[];
  /** The last events in words. */
  readonly lines: readonly string[];
};

export type Sweep = {
  seeds: number;
  simulatedMs: number;
  events: number;
  leased: Leased;
  readonly violations: Found[];
  readonly matrix: Matrix;
};

export function emptySweep(): Sweep {
  return {
    seeds: 0,
    simulatedMs: 0,
    events: 0,
    leased: { handovers: 0, fences: 0, frozen: 0 },
    violations: [],
    matrix: new Map(),
  };
}

/** Runs one seed and adds what it found; gives the result unless the run broke. */
export function addSeed(sweep: Sweep, options: RunOptions): RunResult | undefined {
  sweep.seeds += 1;
  let result: RunResult;
  try {
    result = runSeed(options);
  } catch (error) {
    const sentence = error instanceof Error ? (error.stack ?? error.message) : String(error);
    sweep.violations.push({
      seed: options.seed,
      invariant: "broken",
      sentence,
      atMs: 0,
      nodes: 0,
      faults: [],
      lines: [],
    });
    return undefined;
  }
  const { seed, violation, nodes, faults, lines } = result;
  sweep.simulatedMs += result.simulatedMs;
  sweep.events += result.events;
  sweep.leased = sum(sweep.leased, result.leased);
  addMatrix(sweep.matrix, result.matrix);
  if (violation !== undefined)
    sweep.violations.push({ seed, ...violation, nodes, faults, lines: lines.slice(-SHOWN_LINES) });
  return result;
}

/** Adds what another sweep found. */
export function addSweep(sweep: Sweep, other: Sweep): void {
  sweep.seeds += other.seeds;
  sweep.simulatedMs += other.simulatedMs;
  sweep.events += other.events;
  sweep.leased = sum(sweep.leased, other.leased);
  sweep.violations.push(...other.violations);
  addMatrix(sweep.matrix, other.matrix);
}

function sum(a: Leased, b: Leased): Leased {
  return { handovers: a.handovers + b.handovers, fences: a.fences + b.fences, frozen: a.frozen + b.frozen };
}

function addMatrix(matrix: Matrix, other: ReadonlyMap<string, number>): void {
  for (const [cell, hits] of other) matrix.set(cell, (matrix.get(cell) ?? 0) + hits);
}

/** A sweep as one line of JSON, as `readSweep` reads it. */
export function renderSweep(sweep: Sweep): string {
  return JSON.stringify({ ...sweep, matrix: Object.fromEntries(sweep.matrix), emptyCells: emptyCells(sweep.matrix) });
}

export function readSweep(line: string): Sweep {
  const { matrix, ...rest } = JSON.parse(line) as Omit<Sweep, "matrix"> & { matrix: Record<string, number> };
  return { ...rest, matrix: new Map(Object.entries(matrix)) };
}

/** Pairs of fault and phase that never met. */
export function emptyCells(matrix: ReadonlyMap<string, number>): readonly string[] {
  return FAULTS.flatMap(({ name }) => PHASES.map((phase) => `${name}/${phase}`)).filter((cell) => !matrix.has(cell));
}

/** How often each fault met each phase, as a table. */
export function renderMatrix(matrix: ReadonlyMap<string, number>): string {
  const width = Math.max(...FAULTS.map(({ name }) => name.length));
  const row = (name: string, cells: readonly string[]): string =>
    `${name.padEnd(width)} ${cells.map((cell) => cell.padStart(12)).join(" ")}`;
  const rows = FAULTS.map(({ name }) =>
    row(
      name,
      PHASES.map((phase) => String(matrix.get(`${name}/${phase}`) ?? "-")),
    ),
  );
  return [row("", PHASES), ...rows].join("\n");
}

/** What a violation is, how it came about, and how to see it again. */
export function renderFound({ seed, invariant, sentence, atMs, nodes, faults, lines }: Found): string {
  return [
    `seed ${seed} (${nodes} nodes; ${faults.join(", ")})`,
    ...lines.map((line) => `  ${line}`),
    `VIOLATION ${invariant} at ${(atMs / 1_000).toFixed(3)} s: ${sentence}`,
    `replay: npm run sim -- --seed ${seed} --trace`,
  ].join("\n");
}
