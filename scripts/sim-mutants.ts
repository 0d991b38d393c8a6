// Runs the simulator with each known bug put in, one at a time, and says which invariant caught it and with which seed. Exit code 1 when one
// survives. Usage: npm run sim:mutants [-- --seeds N] [--only words of a name]

import { join } from "node:path";
import { parseArgs } from "node:util";
import { MUTANTS, type Mutant } from "../test/sim/mutants/mutants.ts";

const ROOT = join(import.meta.dirname, "..");
/** A mutant that stops the simulation itself is given up after so long, and counts as caught. */
const TIMEOUT_MS = 120_000;

type Report = {
  readonly seeds: number;
  readonly violations: readonly { seed: number; invariant: string; sentence: string }[];
};
type Outcome = { readonly isCaught: boolean; readonly words: string };

const { values } = parseArgs({
  options: { seeds: { type: "string", default: "300" }, only: { type: "string", default: "" } },
});

async function run(mutant: Mutant): Promise<Outcome> {
  // first the seeds in which the fault that triggers it happens, then any
  const rounds = mutant.faults === undefined ? [[]] : [["--faults", mutant.faults.join(",")], []];
  let last: Outcome = { isCaught: false, words: "it was not run" };
  for (const more of rounds) {
    last = await simulate(mutant, more);
    if (last.isCaught) return last;
  }
  return last;
}

async function simulate(mutant: Mutant | undefined, more: readonly string[]): Promise<Outcome> {
  const preload = mutant === undefined ? [] : ["--preload", "./test/sim/mutants/preload.ts"];
  const argv = [...preload, "scripts/sim.ts", "--json", "--stop", "--seeds", values.seeds, ...more];
  const child = Bun.spawn([process.execPath, ...argv], {
    cwd: ROOT,
    env: { ...process.env, SIM_MUTANT: mutant?.name },
    stdout: "pipe",
    stderr: "pipe",
  });
  const timer = setTimeout(() => child.kill(), TIMEOUT_MS);
  const [text, errors] = await Promise.all([new Response(child.stdout).text(), new Response(child.stderr).text()]);
  await child.exited;
  clearTimeout(timer);
  if (errors.includes("does not fit"))
    throw new Error(errors.split("\n").find((line) => line.includes("does not fit")));
  if (child.signalCode !== null)
    return { isCaught: true, words: `the simulation stood still for ${TIMEOUT_MS / 1_000} s` };
  const line = text.split("\n").find((one) => one.startsWith("{"));
  if (line === undefined)
    return { isCaught: true, words: `it broke: ${/error: .*/i.exec(errors)?.[0] ?? "without a word"}` };
  const [first] = (JSON.parse(line) as Report).violations;
  if (first === undefined) return { isCaught: false, words: `survived ${values.seeds} seeds` };
  return { isCaught: true, words: `${first.invariant} with seed ${first.seed}: ${first.sentence}` };
}

async function main(): Promise<number> {
  const sound = await simulate(undefined, ["--seeds", "3"]);
  if (sound.isCaught) {
    console.log(`the simulator finds something without any mutant: ${sound.words}`);
    return 1;
  }
  const chosen = MUTANTS.filter(({ name }) => name.includes(values.only));
  let survivors = 0;
  for (const mutant of chosen) {
    const startedMs = performance.now();
    const { isCaught, words } = await run(mutant);
    if (!isCaught) survivors += 1;
    const seconds = ((performance.now() - startedMs) / 1_000).toFixed(1);
    console.log(`${isCaught ? "caught  " : "SURVIVED"} ${mutant.name} (${seconds} s)\n         ${words.slice(0, 200)}`);
  }
  console.log(`\n${chosen.length - survivors} of ${chosen.length} mutants caught`);
  return survivors === 0 ? 0 : 1;
}

process.exitCode = await main();
