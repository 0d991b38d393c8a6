// How long after a container's first good answer to its probe every node leads to it: a service has no task, gets one, and each node's published
// port is asked until it answers. The container says when it was asked first, by the clock that all lab hosts share.

import { type Cluster, waitUntil } from "../test/lab/cluster.ts";
import type { Lab } from "../test/lab/lab.ts";
import { pushTalker } from "../test/lab/talker-image.ts";
import { median, percentile, type Row } from "./statistics.ts";

const PORT = 8_080;
const WITHIN_MS = 300;
/** Of a new task, in a run. */
const STARTS_PER_RUN = 6;
const LOOK_MS = 5;
const ANSWERS_WITHIN_MS = 30_000;

export async function measureRoutes(cluster: Cluster, runs: number): Promise<readonly Row[]> {
  const { lab, coordinator, nodes } = cluster;
  const image = await pushTalker(lab, ["v1"]);
  const health = { http: { port: PORT, path: "/" }, interval: "5s", start_interval: "100ms" };
  const web = {
    image: `${image}:v1`,
    stop_grace_period: "1s",
    ports: [`${PORT}:${PORT}`],
    deploy: { replicas: 1 },
    "x-davit": { health, drain: "0s" },
  };
  await coordinator.must(["deploy", "-f", "-", "--name", "door"], { stdin: JSON.stringify({ services: { web } }) });
  const slowest: number[] = [];
  for (let start = 0; start < runs * STARTS_PER_RUN; start++) {
    await coordinator.must(["service", "scale", "door_web=0"]);
    await waitUntil("no node answers", ANSWERS_WITHIN_MS, async () => {
      const answers = await Promise.all(nodes.map((node) => ask(lab, node)));
      return answers.every((answer) => answer === undefined);
    });
    const scaled = coordinator.must(["service", "scale", "door_web=1"]);
    slowest.push(Math.max(...(await Promise.all(nodes.map((node) => untilLed(lab, node))))));
    await scaled;
  }
  await coordinator.must(["stack", "rm", "door"]);
  const worst = percentile(slowest, 95);
  return [
    {
      what: `a new task led to by all ${nodes.length} nodes, after its readiness`,
      davit: `${median(slowest).toFixed(0)} ms, p95 ${worst.toFixed(0)} ms of ${slowest.length}`,
      target: `p95 ≤ ${WITHIN_MS} ms`,
      holds: worst <= WITHIN_MS,
    },
  ];
}

/** Milliseconds from the task's readiness to this node's first answer from it. */
async function untilLed(lab: Lab, node: string): Promise<number> {
  const deadlineMs = Date.now() + ANSWERS_WITHIN_MS;
  while (Date.now() < deadlineMs) {
    const readyAtMs = await ask(lab, node);
    if (readyAtMs !== undefined) return Date.now() - readyAtMs;
    await Bun.sleep(LOOK_MS);
  }
  throw new Error(`${node} does not lead to the new task within ${ANSWERS_WITHIN_MS / 1_000} s`);
}

/** When the task behind this node's port was asked first; undefined while the port refuses. */
async function ask(lab: Lab, node: string): Promise<number | undefined> {
  const request = { signal: AbortSignal.timeout(2_000), headers: { connection: "close" } };
  try {
    const answer = await fetch(`http://${lab.ip(node)}:${PORT}/`, request);
    return ((await answer.json()) as { readonly askedFirstMs: number }).askedFirstMs;
  } catch {
    return undefined;
  }
}
