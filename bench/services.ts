// How long davit takes to have thirty replicas running, beside the engines' own floor in the same run; and how long until the tasks of
// a host that died, or that was cut off, run elsewhere.

import { type Cluster, startCluster, waitUntil } from "../test/lab/cluster.ts";
import type { Lab } from "../test/lab/lab.ts";
import { DirectEngine, untilRunning } from "./engine.ts";
import { median, type Row, seconds } from "./statistics.ts";

const REPLICAS = 30;
const PARALLEL = [1, 2, 4, 8] as const;
const MAX_RATIO = 1.25;
const HEALED_WITHIN_MS = 8_000;
const NETWORK = "davit0";
const HEALING_REPLICAS = 9;

/** Deploys a stack of one service without waiting for it. */
async function deploy(cluster: Cluster, name: string, replicas: number): Promise<void> {
  const image = `${cluster.lab.registry}/web:v1`;
  const text = JSON.stringify({ name, services: { web: { image, stop_grace_period: "0s", deploy: { replicas } } } });
  await cluster.coordinator.must(["deploy", "-f", "-", "--name", name, "--detach"], { stdin: text });
}

async function remove(cluster: Cluster, engines: readonly DirectEngine[], name: string): Promise<void> {
  await cluster.coordinator.must(["stack", "rm", name]);
  await untilRunning(engines, `davit.stack=${name}`, 0);
}

/** Thirty containers straight through the engines, `parallel` at once on each; milliseconds until all run. */
async function floor(engines: readonly DirectEngine[], image: string, parallel: number): Promise<number> {
  const share = REPLICAS / engines.length;
  const started = performance.now();
  const made = await Promise.all(
    engines.map(async (engine) => {
      const ids: string[] = [];
      let next = 0;
      const lane = async (): Promise<void> => {
        while (next < share) ids.push(await engine.run(`floor-${next++}`, image, NETWORK));
      };
      await Promise.all(Array.from({ length: parallel }, lane));
      return { engine, ids };
    }),
  );
  const tookMs = performance.now() - started;
  for (const { engine, ids } of made) await Promise.all(ids.map((id) => engine.remove(id)));
  return tookMs;
}

/** Thirty replicas beside the floor, runs alternating. */
export async function measureReplicas(cluster: Cluster, runs: number): Promise<readonly Row[]> {
  const engines = await Promise.all(cluster.nodes.map((node) => DirectEngine.open(cluster.lab, node)));
  const image = `${cluster.lab.registry}/web:v1`;
  const ours: number[] = [];
  const theirs = new Map<number, number[]>(PARALLEL.map((parallel) => [parallel, []]));
  try {
    // the image and the network are there before anybody's clock runs
    await deploy(cluster, "warm", engines.length);
    await untilRunning(engines, "davit.stack=warm", engines.length);
    await remove(cluster, engines, "warm");
    for (let run = 0; run < runs; run++) {
      for (const [parallel, times] of theirs) times.push(await floor(engines, image, parallel));
      const started = performance.now();
      await deploy(cluster, "thirty", REPLICAS);
      await untilRunning(engines, "davit.stack=thirty", REPLICAS);
      ours.push(performance.now() - started);
      await remove(cluster, engines, "thirty");
    }
  } finally {
    for (const engine of engines) engine.close();
  }
  const [best] = [...theirs].map(([parallel, times]) => ({ parallel, ms: median(times) })).sort((a, b) => a.ms - b.ms);
  const floorMs = best?.ms ?? Number.NaN;
  const ratio = median(ours) / floorMs;
  return [
    {
      what: `${REPLICAS} replicas on ${engines.length} nodes, all running`,
      davit: `${seconds(median(ours))} (× ${ratio.toFixed(2)})`,
      floor: `${seconds(floorMs)} with ${best?.parallel} at once`,
      target: `≤ ${MAX_RATIO} × the engines' floor`,
      holds: ratio <= MAX_RATIO,
    },
  ];
}

type Loss = {
  readonly what: string;
  readonly victim: string;
  readonly lose: (lab: Lab) => Promise<unknown>;
  readonly bringBack: (lab: Lab) => Promise<unknown>;
};

/** Two victims: a node that is lost twice in ten minutes gets nothing new for a while. */
const LOSSES: readonly Loss[] = [
  { what: "a host killed", victim: "n3", lose: (lab) => lab.crash("n3"), bringBack: (lab) => lab.start("n3") },
  { what: "a host cut off", victim: "n2", lose: (lab) => lab.cut("n2", "all"), bringBack: (lab) => lab.heal() },
];

/** A host killed, and one cut off: until its tasks run on the others. Each run has a cluster of its own. */
export async function measureHealing(lab: Lab, runs: number): Promise<readonly Row[]> {
  const times = new Map<Loss, number[]>(LOSSES.map((loss) => [loss, []]));
  let touched = 0;
  for (let run = 0; run < runs; run++) {
    const cluster = await startCluster({ lab, nodes: 3 });
    try {
      await deploy(cluster, "heal", HEALING_REPLICAS);
      for (const [loss, list] of times) {
        await balanced(cluster);
        const healed = await heal(cluster, loss);
        list.push(healed.tookMs);
        touched += healed.touched;
      }
    } finally {
      await cluster.down();
    }
  }
  return [...times].map(([{ what }, list]) => ({
    what: `${what} → its tasks running elsewhere`,
    davit: `${seconds(median(list))}, at most ${seconds(Math.max(...list))}; ${touched} healthy ones touched`,
    target: `≤ ${HEALED_WITHIN_MS / 1000} s, none touched`,
    holds: Math.max(...list) <= HEALED_WITHIN_MS && touched === 0,
  }));
}

/** One loss: how long it took, and how many containers of healthy hosts did not outlive it. */
async function heal(cluster: Cluster, loss: Loss): Promise<{ readonly tookMs: number; readonly touched: number }> {
  const others = cluster.nodes.filter((node) => node !== loss.victim);
  const engines = await Promise.all(others.map((node) => DirectEngine.open(cluster.lab, node)));
  const label = "davit.stack=heal";
  try {
    const before = await Promise.all(engines.map((engine) => engine.running(label)));
    const started = performance.now();
    await loss.lose(cluster.lab);
    await untilRunning(engines, label, HEALING_REPLICAS);
    const tookMs = performance.now() - started;
    const after = await Promise.all(engines.map((engine) => engine.running(label)));
    const still = new Set(after.flat());
    return { tookMs, touched: before.flat().filter((id) => !still.has(id)).length };
  } finally {
    for (const engine of engines) engine.close();
    await loss.bringBack(cluster.lab);
  }
}

/** All nodes are ready, and each has its share of the tasks, all of which run. */
async function balanced(cluster: Cluster): Promise<void> {
  await waitUntil("all nodes are ready", 60_000, async () => {
    const nodes = await cluster.coordinator.get<readonly { readonly presence: string }[]>("/v1/nodes");
    return nodes.every(({ presence }) => presence === "ready");
  });
  // running tasks do not move by themselves to a node that came back
  await cluster.coordinator.must(["service", "update", "heal_web", "--force"], { timeoutMs: 180_000 });
  await waitUntil("tasks run on every node", 60_000, async () => {
    const lists = await Promise.all(cluster.nodes.map((node) => cluster.lab.containers(node, "davit.stack=heal")));
    return lists.every((list) => list.length > 0) && lists.flat().length === HEALING_REPLICAS;
  });
}
