// How long the first caller of a service that is asleep waits for its answer, beside the engine's own time to make and start the same container.

import { type Cluster, waitUntil } from "../test/lab/cluster.ts";
import type { ServiceDetailView } from "../src/core/model/views.ts";
import { DirectEngine, untilRunning } from "./engine.ts";
import { median, type Row } from "./statistics.ts";

const PORT = 8_080;
const MAX_MORE_MS = 60;
const NETWORK = "davit0";
const ASLEEP_WITHIN_MS = 60_000;

/** Runs alternate. The probe looks as often as it may, so that being ready is not what is measured. */
export async function measureWaking(cluster: Cluster, runs: number): Promise<readonly Row[]> {
  const { lab, coordinator, nodes } = cluster;
  const engines = await Promise.all(nodes.map((node) => DirectEngine.open(lab, node)));
  const [engine] = engines;
  if (engine === undefined) throw new Error("no node");
  const image = `${lab.registry}/web:v1`;
  const health = { http: { port: PORT, path: "/" }, interval: "1s", start_interval: "100ms" };
  const web = {
    image,
    stop_grace_period: "0s",
    ports: [`${PORT}:${PORT}`],
    deploy: { placement: { constraints: [`node.hostname == ${nodes[0]}`] } },
    "x-davit": { health, drain: "0s", scale: { min: 0, idle: "10s" } },
  };
  await coordinator.must(["deploy", "-f", "-", "--name", "nap"], { stdin: JSON.stringify({ services: { web } }) });
  const ours: number[] = [];
  const floors: number[] = [];
  try {
    for (let run = 0; run < runs; run++) {
      await waitUntil("the service is asleep", ASLEEP_WITHIN_MS, async () => {
        const { desired } = await coordinator.json<ServiceDetailView>(["service", "inspect", "nap_web"]);
        return desired === 0;
      });
      await untilRunning(engines, "davit.stack=nap", 0);
      const started = performance.now();
      const id = await engine.run(`floor-${run}`, image, NETWORK);
      floors.push(performance.now() - started);
      await engine.remove(id);
      ours.push(await call(`http://${lab.ip(nodes[0] ?? "")}:${PORT}/`));
    }
  } finally {
    for (const each of engines) each.close();
  }
  const more = median(ours) - median(floors);
  return [
    {
      what: "first answer of a service that was asleep",
      davit: `${Math.round(median(ours))} ms (+ ${Math.round(more)} ms)`,
      floor: `${Math.round(median(floors))} ms to make and start its container`,
      target: `≤ the engine's own start + ${MAX_MORE_MS} ms`,
      holds: more <= MAX_MORE_MS,
    },
  ];
}

async function call(url: string): Promise<number> {
  const started = performance.now();
  const answer = await fetch(url, { signal: AbortSignal.timeout(30_000) });
  await answer.text();
  if (!answer.ok) throw new Error(`${url}: ${answer.status}`);
  return performance.now() - started;
}
