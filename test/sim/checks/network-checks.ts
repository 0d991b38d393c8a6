// What nodes would route to, by what is truly in their kernels. S14: nobody routes to a service at an address that another one's container
// has. S15: a task that is stopped by choice is out of every reachable node's rules, or they had the time. At rest every node routes to
// exactly the tasks that truly work.

import type { Commit } from "../../../src/ports/store.ts";
import type { Box } from "../fakes/machine-engine.ts";
import type { Cluster } from "../world/cluster.ts";
import type { Coordinating } from "../world/coordinator-machine.ts";
import type { Host } from "../world/host.ts";
import { Bystander } from "../world/universe.ts";
import type { Findings } from "./violation.ts";

/** Longer nobody has to wait for routes that are not acknowledged. */
const WITHDRAWAL_MS = 10_000;

export class NetworkChecks extends Bystander {
  readonly #findings: Findings;
  readonly #cluster: Cluster;

  constructor(findings: Findings, cluster: Cluster) {
    super();
    this.#findings = findings;
    this.#cluster = cluster;
  }

  override started(_host: Host, box: Box): void {
    for (const host of this.#members()) this.#isNoStranger(host, box);
  }

  override routed(host: Host): void {
    if (!this.#members().includes(host)) return;
    for (const { engine } of this.#members()) for (const box of engine.running) this.#isNoStranger(host, box);
  }

  /** Commits are built in this very moment: what is in the kernels now is what the decision is about. */
  override submitted(coordinating: Coordinating, { changes }: Commit): void {
    if (coordinating.machine !== this.#cluster.machine) return;
    const { coordinator } = coordinating;
    const { state } = coordinating.door;
    for (const change of changes) {
      if (change.kind !== "task" || change.op !== "put") continue;
      const { id, nodeId, desired, withdrawal, endedAtMs } = change.record;
      if (desired !== "shutdown" || withdrawal === undefined || endedAtMs === undefined || nodeId === undefined)
        continue;
      if (endedAtMs !== coordinating.clock.nowMs() || !coordinator.isReady(nodeId)) continue;
      if (endedAtMs - withdrawal.startedAtMs >= WITHDRAWAL_MS) continue;
      for (const host of this.#members()) {
        // nobody waits for one that the operator calls dead, be it right or not
        if (!coordinator.isReady(host.id) || state.node.get(host.id)?.confirmedDeadAtMs !== undefined) continue;
        const rule = [...host.rules.table.values()].find(({ taskId }) => taskId === id);
        if (rule?.standing === "in")
          this.#findings.report("S15", `a task of ${rule.name} is stopped, and ${host.name} still routes to it`);
      }
    }
  }

  #members(): readonly Host[] {
    const { node } = this.#cluster.state;
    return this.#cluster.nodes.filter((host) => host.isUp && node.has(host.id));
  }

  #isNoStranger(host: Host, box: Box): void {
    const address = box.request?.task.address;
    const rule = address === undefined ? undefined : host.rules.table.get(address);
    if (rule === undefined || rule.serviceId === box.labels["davit.service.id"]) return;
    this.#findings.report("S14", `${host.name} has ${rule.name} at ${address}, where ${box.name} runs`);
  }
}

/** At rest: nodes whose rules are not what truly works. */
export function wrongRules(hosts: readonly Host[]): readonly string[] {
  const good = new Set(
    hosts.flatMap(({ engine }) =>
      engine.running.flatMap((box) => (box.request === undefined ? [] : [box.request.task.taskId as string])),
    ),
  );
  return hosts.flatMap((host) => {
    const dead = [...host.rules.table.values()].find(({ taskId, standing }) => standing === "in" && !good.has(taskId));
    return dead === undefined ? [] : [`${host.name} routes to a task of ${dead.name} that does not run`];
  });
}
