// `npm run bench`: davit's numbers on three lab hosts, each beside what it is compared with in the same run. Prints a table, writes it as
// JSON, and ends with 1 if a target is missed.
// Usage: npm run bench [-- [--runs N] [replicas] [healing] [idle] [api] [joins] [compose] [names] [packets] [routes] [ingress] [waking]]

import { mkdirSync, writeFileSync } from "node:fs";
import { cpus, totalmem } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { cleanLab, type Cluster, startCluster } from "../test/lab/cluster.ts";
import { BENCH_PLACE, Lab, placeFrom } from "../test/lab/lab.ts";
import { mustRun } from "../test/lab/run-command.ts";
import { measureApi } from "./api.ts";
import { measureCompose } from "./compose.ts";
import { measureIngress } from "./ingress.ts";
import { measureJoins } from "./joins.ts";
import { measureNames } from "./names.ts";
import { measurePackets } from "./packets.ts";
import { measureIdle } from "./processes.ts";
import { measureRoutes } from "./routes.ts";
import { measureHealing, measureReplicas } from "./services.ts";
import { measureWaking } from "./waking.ts";
import { renderTable, type Row } from "./statistics.ts";

const ROOT = join(import.meta.dirname, "..");
const NODES = 3;
const FEWEST_RUNS = 3;

type Part = (lab: Lab, runs: number) => Promise<readonly Row[]>;

const PARTS: Readonly<Record<string, Part>> = {
  replicas: inCluster(measureReplicas),
  idle: inCluster(measureIdle),
  api: inCluster(measureApi),
  joins: inCluster((cluster, runs) => measureJoins(cluster.lab, cluster.coordinator, runs), 0),
  healing: measureHealing,
  compose: (_lab, runs) => measureCompose(runs),
  names: (_lab, runs) => measureNames(runs),
  packets: measurePackets,
  routes: inCluster(measureRoutes),
  ingress: inCluster(measureIngress),
  waking: inCluster(measureWaking),
};

/** Each part has a cluster of its own: what one leaves behind is not the next one's load. */
function inCluster(measure: (cluster: Cluster, runs: number) => Promise<readonly Row[]>, nodes = NODES): Part {
  return async (lab, runs) => {
    const cluster = await startCluster({ lab, nodes });
    try {
      return await measure(cluster, runs);
    } finally {
      await cluster.down();
    }
  };
}

async function main(): Promise<number> {
  const { values, positionals } = parseArgs({ options: { runs: { type: "string" } }, allowPositionals: true });
  const runs = Math.max(1, Number(values.runs ?? FEWEST_RUNS));
  const wanted = positionals.length === 0 ? Object.keys(PARTS) : positionals;
  const unknown = wanted.filter((name) => PARTS[name] === undefined);
  if (unknown.length > 0) {
    console.error(`bench: no part ${unknown.join(", ")}; there are ${Object.keys(PARTS).join(", ")}`);
    return 2;
  }
  await mustRun([process.execPath, join(ROOT, "scripts", "build.ts"), "--target", "linux-x64"], { cwd: ROOT });
  const lab = new Lab(placeFrom(process.env, BENCH_PLACE));
  await lab.prepare();
  process.on("SIGINT", () => void cleanLab(lab).finally(() => process.exit(130)));
  const rows: Row[] = [];
  const broken: string[] = [];
  for (const name of wanted) {
    console.log(`bench: ${name}, ${runs} runs …`);
    try {
      rows.push(...((await PARTS[name]?.(lab, runs)) ?? []));
    } catch (error) {
      broken.push(name);
      console.error(`bench: ${name}: ${error instanceof Error ? error.message : String(error)}`);
    }
  }
  console.log(`\n${renderTable(rows)}\n`);
  writeResults(rows, runs);
  if (broken.length > 0) console.error(`bench: not measured: ${broken.join(", ")}`);
  return broken.length === 0 && rows.length > 0 && rows.every(({ holds }) => holds) ? 0 : 1;
}

function writeResults(rows: readonly Row[], runs: number): void {
  const folder = join(ROOT, "bench", "results");
  mkdirSync(folder, { recursive: true });
  const machine = { cpus: cpus().length, cpu: cpus()[0]?.model ?? "", memoryBytes: totalmem() };
  const path = join(folder, "latest.json");
  writeFileSync(path, `${JSON.stringify({ at: new Date().toISOString(), runs, machine, rows }, null, 2)}\n`);
  console.log(`bench: written to ${path}`);
}

process.exitCode = await main();
