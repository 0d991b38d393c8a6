// How long `davit node add` of one bare host takes, beside the installation of the same packages by hand on another one, in turns.

import type { CoordinatorProcess } from "../test/lab/cluster.ts";
import { joinNodes } from "../test/lab/cluster.ts";
import type { Lab } from "../test/lab/lab.ts";
import { median, type Row, seconds } from "./statistics.ts";

const MAX_RATIO = 1.2;
const PACKAGES = "docker.io iptables ca-certificates";

async function freshHost(lab: Lab, name: string): Promise<void> {
  await lab.add(name, "bare");
  await lab.localApt(name);
}

export async function measureJoins(lab: Lab, coordinator: CoordinatorProcess, runs: number): Promise<readonly Row[]> {
  const ours: number[] = [];
  const theirs: number[] = [];
  // the first join packs the agent, once for each build
  await freshHost(lab, "warm");
  await joinNodes(lab, coordinator, ["warm"]);
  await forget(lab, coordinator, "warm");
  for (let run = 0; run < runs; run++) {
    await freshHost(lab, "hand");
    const byHand = performance.now();
    await lab.on(
      "hand",
      `apt-get -q update && DEBIAN_FRONTEND=noninteractive apt-get -q -y --no-install-recommends install ${PACKAGES} >/dev/null`,
    );
    theirs.push(performance.now() - byHand);
    await lab.destroy("hand");
    await freshHost(lab, "added");
    const added = performance.now();
    await joinNodes(lab, coordinator, ["added"]);
    ours.push(performance.now() - added);
    await forget(lab, coordinator, "added");
  }
  const ratio = median(ours) / median(theirs);
  return [
    {
      what: "node add of one bare host",
      davit: `${seconds(median(ours))} (× ${ratio.toFixed(2)})`,
      floor: `${seconds(median(theirs))} for its packages by hand`,
      target: `≤ ${MAX_RATIO} × the installation`,
      holds: ratio <= MAX_RATIO,
    },
  ];
}

async function forget(lab: Lab, coordinator: CoordinatorProcess, name: string): Promise<void> {
  await coordinator.must(["node", "rm", name, "--force"]);
  await lab.destroy(name);
}
