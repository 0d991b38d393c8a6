// Runs the simulator with each known bug put in, and says which invariant caught it and with which seed. Exit code 1 when one survives, or
// when something is found without any. Usage: npm run sim:mutants [-- --seeds N] [--workers N] [--only words of a name]

import { join } from "node:path";
import { parseArgs } from "node:util";
import { MUTANTS } from "../test/sim/mutants/mutants.ts";
import type { Mutant } from "../test/sim/mutants/mutant.ts";
import { readSweep } from "../test/sim/sweep.ts";

const ROOT = join(import.meta.dirname, "..");
/** A seed takes a second; one that takes so long spins, which is a way to be caught. */
const STANDSTILL_MS = 90_000;

type Outcome = { readonly isCaught: boolean; readonly words: string };

const { values } = parseArgs({
  options: {
    seeds: { type: "string", default: "2000" },
    workers: { type: "string", default: "2" },
    only: { type: "string", default: "" },
  },
});

/** First seeds in which little but what triggers it happens, then any. */
async function run(mutant: Mutant): Promise<Outcome> {
  const all = Number(values.seeds);
  const trigger = [
    ...(mutant.faults === undefined ? [] : ["--faults", mutant.faults.join(",")]),
    ...(mutant.jobs === undefined ? [] : ["--jobs", `${mutant.jobs}`]),
  ];
  const rounds = trigger.length === 0 ? [[]] : [trigger, []];

  for (const more of rounds) {
    const outcome = await simulate(mutant, ["--seeds", `${Math.ceil(all / rounds.length)}`, ...more]);
    if (outcome.isCaught) return outcome;
  }
  return { isCaught: false, words: `survived ${all} seeds` };
}

async function simulate(mutant: Mutant | undefined, more: readonly string[]): Promise<Outcome> {
  const preload = mutant === undefined ? [] : ["--preload", "./test/sim/mutants/preload.ts"];
  const argv = [...preload, "scripts/sim.ts", "--json", "--stop", "--progress", ...more];
  const child = Bun.spawn([process.execPath, ...argv], {
    cwd: ROOT,
    env: { ...process.env, SIM_MUTANT: mutant?.name },
    stdout: "pipe",
    stderr: "pipe",
  });
  const output = new Response(child.stdout).text();
  const { lastSeed, errors } = await watch(child);
  await child.exited;
  if (errors.includes("does not fit")) throw new Error(/error: .*does not fit.*/.exec(errors)?.[0] ?? errors);
  if (child.signalCode !== null)
    return {
      isCaught: true,
      words: `standstill with seed ${lastSeed}: it simulates nothing further within ${STANDSTILL_MS / 1_000} s`,
    };
  const line = (await output).split("\n").find((one) => one.startsWith("{"));
  if (line === undefined) throw new Error(`${mutant?.name ?? "no mutant"}: ended without a word: ${errors}`);
  const [first] = readSweep(line).violations;
  if (first === undefined) return { isCaught: false, words: "" };
  // the first two say how many seeds
  const how = ["--seed", first.seed, ...more.slice(2)].join(" ");
  return { isCaught: true, words: `${first.invariant} with ${how}: ${first.sentence}` };
}

/** Reads which seed a run has come to, and ends a run that comes to no other. */
async function watch(child: {
  readonly stderr: ReadableStream<Uint8Array>;
  kill(): void;
}): Promise<{ lastSeed: string; errors: string }> {
  const decoder = new TextDecoder();
  let errors = "";
  let timer = setTimeout(() => child.kill(), STANDSTILL_MS);
  for await (const bytes of child.stderr) {
    errors += decoder.decode(bytes, { stream: true });
    clearTimeout(timer);
    timer = setTimeout(() => child.kill(), STANDSTILL_MS);
  }
  clearTimeout(timer);
  const seeds = [...errors.matchAll(/^seed (\d+)$/gm)];
  return { lastSeed: seeds.at(-1)?.[1] ?? "?", errors: errors.replaceAll(/^seed \d+\n/gm, "") };
}

async function main(): Promise<number> {
  const startedMs = performance.now();
  const sound = await simulate(undefined, ["--seeds", "20"]);
  if (sound.isCaught) {
    console.log(`the simulator finds something without any mutant: ${sound.words}`);
    return 1;
  }
  const chosen = MUTANTS.filter(({ name }) => name.includes(values.only));
  const waiting = [...chosen];
  const survivors: string[] = [];
  const work = async (): Promise<void> => {
    for (let mutant = waiting.shift(); mutant !== undefined; mutant = waiting.shift()) {
      const begunMs = performance.now();
      const { isCaught, words } = await run(mutant);
      if (!isCaught) survivors.push(mutant.name);
      const seconds = ((performance.now() - begunMs) / 1_000).toFixed(1);
      const text = words.replaceAll(/\s+/g, " ").slice(0, 200);
      console.log(`${isCaught ? "caught  " : "SURVIVED"} ${mutant.name} (${seconds} s)\n         ${text}`);
    }
  };
  await Promise.all(Array.from({ length: Number(values.workers) }, work));
  const minutes = ((performance.now() - startedMs) / 60_000).toFixed(1);
  console.log(`\n${chosen.length - survivors.length} of ${chosen.length} mutants caught in ${minutes} minutes`);
  for (const name of survivors) console.log(`survived: ${name}`);
  return survivors.length === 0 ? 0 : 1;
}

process.exitCode = await main();
