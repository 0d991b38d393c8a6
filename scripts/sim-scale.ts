// Measures the real coordinator with simulated agents, in real time, at a tenth of the size, the size, and so on, and prints one table.
// Usage: npm run sim:scale -- [--nodes 1000] [--tasks 30000] [--json]

import { join } from "node:path";
import { parseArgs } from "node:util";
import { type Measured, PARTS, type Reads } from "../test/sim/scale/messages.ts";

const { values } = parseArgs({
  options: {
    nodes: { type: "string", default: "1000" },
    tasks: { type: "string", default: "30000" },
    json: { type: "boolean", default: false },
  },
});

/** The size that was asked for, and those below it by tens, down to ten nodes. */
function sizesOf(nodes: number, tasks: number): readonly (readonly [number, number])[] {
  const sizes: [number, number][] = [];
  for (let part = 1; nodes / part >= 10; part *= 10)
    sizes.unshift([Math.round(nodes / part), Math.round(tasks / part)]);
  return sizes;
}

async function measure(nodes: number, tasks: number): Promise<Measured> {
  const script = join(import.meta.dirname, "../test/sim/scale/coordinator.ts");
  const child = Bun.spawn([process.execPath, script, `${nodes}`, `${tasks}`], { stdout: "pipe", stderr: "inherit" });
  const text = await new Response(child.stdout).text();
  await child.exited;
  const line = text.split("\n").find((one) => one.startsWith("{"));
  if (line === undefined) throw new Error(`${nodes} nodes and ${tasks} tasks: no figures`);
  return JSON.parse(line) as Measured;
}

function worst(reads: readonly Reads[]): string {
  return Math.max(...reads.map(({ p99 }) => p99)).toFixed(0);
}

type Row = readonly [string, (one: Measured) => string];

const ROWS: readonly Row[] = [
  ["nodes", (one) => `${one.nodes}`],
  ["tasks", (one) => `${one.tasks}`],
  ["all nodes in contact, s", (one) => one.connectedSeconds.toFixed(1)],
  ["all tasks placed, s", (one) => one.placedSeconds.toFixed(1)],
  ["placements a second", (one) => (one.tasks / one.placedSeconds).toFixed(0)],
  ["all tasks healthy, s", (one) => one.healthySeconds.toFixed(1)],
  ["API p99 while placing, ms", (one) => worst(one.whilePlacing)],
  ["API p99 at rest, ms", (one) => worst(one.atRest)],
  ...PARTS.map((part): Row => [`longest stall, ${part}, ms`, (one) => one.longestStallMs[part].toFixed(0)]),
  ["a beat, with all else at rest, µs", (one) => one.beatMicroseconds.toFixed(0)],
  ["at rest, % of a core", (one) => one.restPercent.toFixed(1)],
  ["memory, MB", (one) => one.rssMegabytes.toFixed(0)],
  ["nodes lost at once", (one) => `${one.lostNodes}`],
  ["tasks on them", (one) => `${one.replacedTasks}`],
  ["run elsewhere, s", (one) => one.replacedSeconds.toFixed(1)],
  ["back after all connections broke, s", (one) => one.stormSeconds.toFixed(1)],
  ["nodes lost in that, falsely", (one) => `${one.falseLosses}`],
];

const measured: Measured[] = [];
for (const [nodes, tasks] of sizesOf(Number(values.nodes), Number(values.tasks)))
  measured.push(await measure(nodes, tasks));
if (values.json) console.log(JSON.stringify(measured));
else
  for (const [name, of] of ROWS)
    console.log(`${name.padEnd(46)} ${measured.map((one) => of(one).padStart(10)).join(" ")}`);
