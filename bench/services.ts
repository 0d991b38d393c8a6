// How long davit takes to have thirty replicas running, beside the engines' own floor in the same run; and how long until the tasks of
// a host that died, or that was cut off, run elsewhere.

import { type Cluster, waitUntil } from "../test/lab/cluster.ts";
import { countRunning, DirectEngine, untilRunning } from "./engine.ts";
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

/** A host killed, and one cut off: until its tasks run on the others. */
export async function measureHealing(cluster: Cluster, runs: number): Promise<readonly Row[]> {
  const victim = cluster.nodes.at(-1) ?? "";
  const others = cluster.nodes.filter((node) => node !== victim);
  const engines = await Promise.all(others.map((node) => DirectEngine.open(cluster.lab, node)));
  const rows: Row[] = [];
  try {
    await deploy(cluster, "heal", HEALING_REPLICAS);
    for (const [what, lose, bringBack] of [
      ["a host killed", () => cluster.lab.crash(victim), () => cluster.lab.start(victim)],
      ["a host cut off", () => cluster.lab.cut(victim, "all"), () => cluster.lab.heal()],
    ] as const) {
      const times: number[] = [];
      let touched = 0;
      for (let run = 0; run < runs; run++) {
        await balanced(cluster, engines);
        const before = (await Promise.all(engines.map((engine) => engine.running("davit.stack=heal")))).flat();
        const lost = performance.now();
        await lose();
        await untilRunning(engines, "davit.stack=heal", HEALING_REPLICAS);
        times.push(performance.now() - lost);
        const after = new Set((await Promise.all(engines.map((engine) => engine.running("davit.stack=heal")))).flat());
        touched += before.filter((id) => !after.has(id)).length;
        await bringBack();
      }
      const worst = Math.max(...times);
      rows.push({
        what: `${what} → its tasks running elsewhere`,
        davit: `${seconds(median(times))}, at most ${seconds(worst)}; ${touched} healthy ones touched`,
        target: `≤ ${HEALED_WITHIN_MS / 1000} s, none touched`,
        holds: worst <= HEALED_WITHIN_MS && touched === 0,
      });
    }
    await balanced(cluster, engines);
    await cluster.coordinator.must(["stack", "rm", "heal"]);
  } finally {
    for (const engine of engines) engine.close();
  }
  return rows;
}

/** All nodes are ready and the victim has its share again: some tasks of the stack are not on the others. */
async function balanced(cluster: Cluster, others: readonly DirectEngine[]): Promise<void> {
  await waitUntil("all nodes are ready", 60_000, async () => {
    const nodes = await cluster.coordinator.get<readonly { readonly presence: string }[]>("/v1/nodes");
    return nodes.every(({ presence }) => presence === "ready");
  });
  // new tasks spread; a forced update moves them without waiting for a failure
  await cluster.coordinator.must(["service", "update", "heal_web", "--force"], { timeoutMs: 180_000 });
  await waitUntil("tasks run on every node", 60_000, async () => {
    const here = await countRunning(others, "davit.stack=heal");
    return here > 0 && here < HEALING_REPLICAS;
  });
}
