// What nodes would route to, by what is truly in their kernels. S14: nobody routes to a service at an address that another one's container
// has. S15: a task that is stopped by choice is out of every reachable node's rules, or they had the time. At rest every node routes to
// exactly the tasks that truly work; and before that a dead one is out of a node's rules soon after its own node knows, or is silent: with or without
// a coordinator, as long as the way between the two is open.

import { isOver } from "../../../src/core/schedule/ledger.ts";
import type { Commit } from "../../../src/ports/store.ts";
import type { Box } from "../fakes/machine-engine.ts";
import type { Cluster } from "../world/cluster.ts";
import type { Coordinating } from "../world/coordinator-machine.ts";
import type { Host } from "../world/host.ts";
import { Bystander } from "../world/universe.ts";
import type { Findings } from "./violation.ts";

/** Longer nobody has to wait for routes that are not acknowledged. */
const WITHDRAWAL_MS = 10_000;
/** A new stream after one that was cut, its word, and the rules made of it. */
const TOLD_MS = 8_000;
/** Of a node that says nothing: its silence, two attempts in vain, and the rules. */
const SILENT_INTERVALS = 6;
const LOOK_MS = 500;

/** Since when, in which lives of both agents. */
type Left = { readonly sinceMs: number; readonly life: Host["agentLife"]; readonly ownersLife: Host["agentLife"] };

export class NetworkChecks extends Bystander {
  readonly #findings: Findings;
  readonly #cluster: Cluster;
  #lookedMs = 0;
  /** Since when nothing keeps a node from taking a dead task out of its rules, by node and task. */
  readonly #left = new Map<string, Left>();

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
    // nobody waits for one that leaves in the same moment
    const leaving = new Set(changes.flatMap((one) => (one.kind === "node" && one.op === "delete" ? [one.id] : [])));
    for (const change of changes) {
      if (change.kind !== "task" || change.op !== "put") continue;
      const { id, nodeId, desired, withdrawal, endedAtMs } = change.record;
      if (desired !== "shutdown" || withdrawal === undefined || endedAtMs === undefined || nodeId === undefined)
        continue;
      if (leaving.has(nodeId)) continue;
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

  /** Call it often: it looks now and then. */
  look(): void {
    const { nowMs } = this.#cluster.universe;
    if (nowMs - this.#lookedMs < LOOK_MS) return;
    this.#lookedMs = nowMs;
    const left = new Set<string>();
    const runs = new Set(
      this.#cluster.nodes.flatMap(({ engine }) => engine.running.flatMap((box) => box.request?.task.taskId ?? [])),
    );
    for (const host of this.#members())
      for (const [address, { taskId, name, standing }] of host.rules.table) {
        if (standing !== "in" || runs.has(taskId as never)) continue;
        const owner = this.#ownerOf(address);
        const withinMs = owner === undefined ? undefined : this.#mustBeOutWithin(host, owner, taskId);
        if (owner === undefined || withinMs === undefined) continue;
        // one that was silent and is there again has its time to say so; whoever starts has heard nothing of anybody yet, and told nobody
        const key = `${host.name}/${taskId}/${withinMs}`;
        left.add(key);
        const known = this.#left.get(key);
        const isSame = known !== undefined && known.life === host.agentLife && known.ownersLife === owner.agentLife;
        const sinceMs = isSame ? known.sinceMs : nowMs;
        this.#left.set(key, { sinceMs, life: host.agentLife, ownersLife: owner.agentLife });
        if (nowMs - sinceMs > withinMs)
          this.#findings.report("S14", `${host.name} still routes to a task of ${name} that ended long ago`);
      }
    for (const key of this.#left.keys()) if (!left.has(key)) this.#left.delete(key);
  }

  #ownerOf(address: string): Host | undefined {
    return this.#cluster.nodes.find((each) => address.startsWith(`10.210.${each.meshAddress.split(".")[3]}.`));
  }

  /** Undefined while something is in the way of it. */
  #mustBeOutWithin(host: Host, owner: Host, taskId: string): number | undefined {
    const { universe } = this.#cluster;
    const { network, nowMs, peerIntervalMs } = universe;
    const isAwake = ({ core, agentLife }: Host): boolean =>
      core !== undefined && (agentLife?.pausedUntilMs ?? 0) <= nowMs;
    // one that lost its files knows nothing of whom its kernel leads to until a coordinator tells it
    if (!isAwake(host) || host.core?.routes.position === undefined || host.rules.trouble > 0 || network.isTroubled)
      return undefined;
    if (owner === host || !this.#cluster.state.node.has(owner.id)) return undefined;
    const isSilent = !owner.isUp || owner.agentLife?.isAlive !== true;
    if (isSilent) return SILENT_INTERVALS * peerIntervalMs;
    if (!network.isOpen([owner.address, host.address, owner.address]) || !isAwake(owner)) return undefined;
    // what an agent knew before it began it does not tell until its engine answers: it is as good as silent
    if (owner.core?.ready === undefined) return SILENT_INTERVALS * peerIntervalMs;
    const status = [...(owner.core?.runs.all.values() ?? [])].find((run) => run.status.id === taskId)?.status;
    const isKnown = status !== undefined && status.state !== "running" && owner.core?.held.position !== undefined;
    return isKnown ? TOLD_MS : undefined;
  }

  #members(): readonly Host[] {
    const { node } = this.#cluster.state;
    return this.#cluster.nodes.filter((host) => host.isUp && node.has(host.id));
  }

  #isGivenUp(box: Box): boolean {
    const task = box.request === undefined ? undefined : this.#cluster.state.task.get(box.request.task.taskId);
    return task === undefined || isOver(this.#cluster.state, task) || task.released === true;
  }

  #isNoStranger(host: Host, box: Box): void {
    const address = box.request?.task.address;
    const rule = address === undefined ? undefined : host.rules.table.get(address);
    if (rule === undefined || rule.serviceId === box.labels["davit.service.id"]) return;
    // whoever calls a node dead that lives takes its tasks for over: they end when it is back, and until then nothing may be led there
    if (rule.standing !== "in" && this.#isGivenUp(box)) return;
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
