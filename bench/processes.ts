// What davit's processes cost when nothing happens: resident memory and processor time of an agent with ten containers and of the
// coordinator with its nodes, read from /proc.

import { readFileSync } from "node:fs";
import { type Cluster, waitUntil } from "../test/lab/cluster.ts";
import { median, type Row } from "./statistics.ts";

const WINDOW_MS = 20_000;
/** Clock ticks a second in /proc/…/stat. */
const TICKS = 100;
const MIB = 1024;
const CONTAINERS_PER_NODE = 10;
const LIMITS = { agent: { mib: 60, percent: 0.5 }, coordinator: { mib: 100, percent: 1 } } as const;

type Sample = { readonly mib: number; readonly ticks: number; readonly atMs: number };

/** The files of one process: its status, a line of its own, and its stat. */
function sampleOf(status: string, stat: string): Sample {
  const rss = Number(/^VmRSS:\s+(\d+) kB$/m.exec(status)?.[1]);
  // fields 14 and 15 of stat, counted after the name in parentheses
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  return { mib: rss / MIB, ticks: Number(fields[11]) + Number(fields[12]), atMs: performance.now() };
}

async function agentSample(cluster: Cluster, node: string): Promise<Sample> {
  const pid = "$(systemctl show -p MainPID --value davit-agent)";
  const text = await cluster.lab.on(node, `p=${pid}; cat /proc/$p/status; echo ---; cat /proc/$p/stat`);
  const [status = "", stat = ""] = text.split("---\n");
  return sampleOf(status, stat);
}

function coordinatorSample(cluster: Cluster): Promise<Sample> {
  const folder = `/proc/${cluster.coordinator.pid}`;
  return Promise.resolve(sampleOf(readFileSync(`${folder}/status`, "utf8"), readFileSync(`${folder}/stat`, "utf8")));
}

async function measure(runs: number, sample: () => Promise<Sample>): Promise<{ mib: number; percent: number }> {
  const mib: number[] = [];
  const percent: number[] = [];
  for (let run = 0; run < runs; run++) {
    const before = await sample();
    await Bun.sleep(WINDOW_MS);
    const after = await sample();
    mib.push(after.mib);
    percent.push(((after.ticks - before.ticks) / TICKS / ((after.atMs - before.atMs) / 1000)) * 100);
  }
  return { mib: median(mib), percent: median(percent) };
}

export async function measureIdle(cluster: Cluster, runs: number): Promise<readonly Row[]> {
  const replicas = CONTAINERS_PER_NODE * cluster.nodes.length;
  const services = { web: { image: `${cluster.lab.registry}/web:v1`, stop_grace_period: "0s", deploy: { replicas } } };
  const stdin = JSON.stringify({ name: "idle", services });
  await cluster.coordinator.must(["deploy", "-f", "-", "--name", "idle"], { stdin });
  const [node = ""] = cluster.nodes;
  // what starting left behind is gone by then
  await Bun.sleep(WINDOW_MS);
  const agent = await measure(runs, () => agentSample(cluster, node));
  const coordinator = await measure(runs, () => coordinatorSample(cluster));
  await cluster.coordinator.must(["stack", "rm", "idle"]);
  await waitUntil(
    "the stack is gone",
    60_000,
    async () => (await cluster.lab.containers(node, "davit.stack=idle")).length === 0,
  );
  return Object.entries({ agent, coordinator }).map(([name, { mib, percent }]) => {
    const limit = name === "agent" ? LIMITS.agent : LIMITS.coordinator;
    return {
      what: `${name}, idle, ${CONTAINERS_PER_NODE} containers a node`,
      davit: `${mib.toFixed(0)} MiB, ${percent.toFixed(2)} % of a core`,
      target: `≤ ${limit.mib} MiB, ≤ ${limit.percent} %`,
      holds: mib <= limit.mib && percent <= limit.percent,
    };
  });
}
