// How quickly the API answers reads while a deploy is going on, beside a bare Bun.serve route that gives the same bytes, in the same run:
// fifty requests a second to each, one after the other in turns, over unix sockets.

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Cluster } from "../test/lab/cluster.ts";
import { median, percentile, type Row } from "./statistics.ts";

const PER_SECOND = 50;
const RUN_MS = 15_000;
const MAX_RATIO = 3;
const REPLICAS = 12;
const READS = ["/v1/nodes", "/v1/services", "/v1/tasks"] as const;

async function timed(unix: string, path: string): Promise<number> {
  const started = performance.now();
  const answer = await fetch(`http://api${path}`, { unix });
  await answer.arrayBuffer();
  if (!answer.ok) throw new Error(`GET ${path}: ${answer.status}`);
  return performance.now() - started;
}

/** Scales a service up and down until it is told to stop. */
async function keepDeploying(cluster: Cluster, isOver: () => boolean): Promise<void> {
  for (let round = 0; !isOver(); round++) {
    const replicas = round % 2 === 0 ? REPLICAS : 3;
    await cluster.coordinator.must(["service", "scale", `busy_web=${replicas}`, "--detach"]);
    await Bun.sleep(1_500);
  }
}

export async function measureApi(cluster: Cluster, runs: number): Promise<readonly Row[]> {
  const services = {
    web: { image: `${cluster.lab.registry}/web:v1`, stop_grace_period: "0s", deploy: { replicas: 3 } },
  };
  const stdin = JSON.stringify({ name: "busy", services });
  await cluster.coordinator.must(["deploy", "-f", "-", "--name", "busy"], { stdin });
  const folder = mkdtempSync(join(tmpdir(), "davit-bench-"));
  const bodies = new Map<string, string>();
  for (const path of READS) bodies.set(path, JSON.stringify(await cluster.coordinator.get(path)));
  const socket = join(folder, "bare.sock");
  const child = Bun.spawn([process.execPath, join(import.meta.dirname, "bare-server.ts"), socket], {
    stdin: new Blob([JSON.stringify([...bodies])]),
    stdout: "pipe",
  });
  // its first word says that it listens
  await child.stdout.getReader().read();
  const ours: number[] = [];
  const theirs: number[] = [];
  try {
    for (let run = 0; run < runs; run++) {
      const { api, bare } = await oneRun(cluster, socket);
      ours.push(percentile(api, 99));
      theirs.push(percentile(bare, 99));
    }
  } finally {
    child.kill();
    rmSync(folder, { recursive: true, force: true });
    await cluster.coordinator.must(["stack", "rm", "busy"]);
  }
  const ratio = median(ours) / median(theirs);
  return [
    {
      what: `API reads while deploying, ${PER_SECOND} a second, p99`,
      davit: `${median(ours).toFixed(2)} ms (× ${ratio.toFixed(2)})`,
      floor: `${median(theirs).toFixed(2)} ms by a bare Bun.serve`,
      target: `≤ ${MAX_RATIO} × the bare one`,
      holds: ratio <= MAX_RATIO,
    },
  ];
}

async function oneRun(
  cluster: Cluster,
  bareSocket: string,
): Promise<{ api: readonly number[]; bare: readonly number[] }> {
  const api: number[] = [];
  const bare: number[] = [];
  let isOver = false;
  const deploying = keepDeploying(cluster, () => isOver);
  const requests: Promise<unknown>[] = [];
  const started = performance.now();
  for (let at = 0; (at * 1000) / PER_SECOND < RUN_MS; at++) {
    const path = READS[at % READS.length] ?? READS[0];
    requests.push(
      timed(cluster.coordinator.socketPath, path).then((ms) => api.push(ms)),
      Bun.sleep(500 / PER_SECOND).then(async () => bare.push(await timed(bareSocket, path))),
    );
    await Bun.sleep(Math.max(0, started + ((at + 1) * 1000) / PER_SECOND - performance.now()));
  }
  await Promise.all(requests);
  isOver = true;
  await deploying;
  return { api, bare };
}
