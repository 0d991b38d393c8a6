// S4: while an agent believes in its lease, the coordinator that it obeys does not call its node lost. S20: while most nodes are silent nothing
// is replaced, and after it every node that is still silent has a full lease again.

import { asId, type NodeId } from "../../../src/core/model/ids.ts";
import { LEASE_MS } from "../../../src/core/model/lease.ts";
import type { Task, VolumePin } from "../../../src/core/model/records.ts";
import { type Presence, versionKey } from "../../../src/core/model/world.ts";
import type { AgentFrame } from "../../../src/core/protocol/frames.ts";
import type { Commit } from "../../../src/ports/store.ts";
import type { Coordinating } from "../world/coordinator-machine.ts";
import type { Cluster } from "../world/cluster.ts";
import type { Host } from "../world/host.ts";
import { Bystander } from "../world/universe.ts";
import type { Findings } from "./violation.ts";

/** The largest error of two clocks that drift apart by 2000 ppm each, over a lease, and of rounding to milliseconds. */
const CLOCK_ERROR_MS = LEASE_MS * 0.004 + 2;
/** A silence that counts as such, with what a coordinator may be late to see it: its tick, and the difference of two beats. */
const CLEARLY_SILENT_MS = 4_200;
/** The shortest that may count as one. */
const PERHAPS_SILENT_MS = 3_500 - CLOCK_ERROR_MS;

const LOOK_MS = 250;

type Watch = {
  readonly coordinating: Coordinating;
  readonly heardMs: Map<NodeId, number>;
  presence: ReadonlyMap<NodeId, Presence> | undefined;
  /** True time of the next look though no presence changed: an agent may come to believe again. */
  lookAgainMs: number;
  isValveShut: boolean;
  /** Nodes that were clearly silent when the valve opened: when they got a full lease again. */
  readonly renewedMs: Map<NodeId, number>;
  /** And those of which the coordinator alone can say whether they were silent for long enough then. */
  readonly perhapsRenewedMs: Map<NodeId, number>;
};

export class LeaseChecks extends Bystander {
  readonly #findings: Findings;
  readonly #cluster: Cluster;
  readonly #watches = new Map<string, Watch>();
  readonly #hostOf = new Map<NodeId, Host>();

  constructor(findings: Findings, cluster: Cluster) {
    super();
    this.#findings = findings;
    this.#cluster = cluster;
    for (const host of cluster.nodes) this.#hostOf.set(host.id, host);
  }

  override coordinatorStarted(coordinating: Coordinating): void {
    this.#watches.set(coordinating.nonce, {
      coordinating,
      heardMs: new Map(),
      presence: undefined,
      lookAgainMs: 0,
      isValveShut: false,
      renewedMs: new Map(),
      perhapsRenewedMs: new Map(),
    });
  }

  override heard({ nonce }: Coordinating, id: NodeId, frame: AgentFrame): void {
    if (frame.type === "beat") this.#watches.get(nonce)?.heardMs.set(id, this.#cluster.universe.nowMs);
  }

  /** After each event: looks wherever a coordinator judged anew. */
  look(): void {
    for (const [nonce, watch] of this.#watches) {
      const { coordinating } = watch;
      if (!coordinating.life.isAlive) {
        this.#watches.delete(nonce);
        continue;
      }
      const { coordinator, door } = coordinating;
      const { presence, valveShut } = coordinator.worldOf(door.state);
      const { nowMs } = this.#cluster.universe;
      const isSame = presence === watch.presence && valveShut === watch.isValveShut;
      if (isSame && nowMs < watch.lookAgainMs) continue;
      watch.presence = presence;
      watch.lookAgainMs = nowMs + LOOK_MS;
      if (watch.isValveShut && !valveShut) this.#renew(watch);
      watch.isValveShut = valveShut;
      for (const [id, now] of presence) if (now === "lost") this.#lostIsBelieved(id, nonce);
    }
  }

  #renew(watch: Watch): void {
    const nowMs = this.#cluster.universe.nowMs;
    for (const id of watch.presence?.keys() ?? []) {
      const silentMs = nowMs - this.#fullLeaseMs(watch.coordinating, id);
      if (silentMs > CLEARLY_SILENT_MS) watch.renewedMs.set(id, nowMs);
      else if (silentMs > PERHAPS_SILENT_MS) watch.perhapsRenewedMs.set(id, nowMs);
    }
  }

  #lostIsBelieved(id: NodeId, nonce: string): void {
    const host = this.#hostOf.get(id);
    const core = host?.core;
    if (host === undefined || core === undefined || core.epochs.newest?.nonce !== nonce) return;
    const leftMs = core.lease.endsBootMs - host.clock.bootMs();
    this.#findings.check(
      "S4",
      leftMs <= CLOCK_ERROR_MS,
      () => `${host.name} is called lost and has ${leftMs} ms of its lease left`,
    );
  }

  override submitted(coordinating: Coordinating, commit: Commit): void {
    const { state } = coordinating.door;
    for (const change of commit.changes) {
      if (change.op === "delete") continue;
      if (change.kind === "task") {
        const before = state.task.get(change.record.id);
        if (before === undefined) this.#replaced(coordinating, change.record, commit);
        else this.#givenUp(coordinating, before, change.record);
      }
      if (change.kind === "nodeStatus" && change.record.unseenSinceMs !== undefined) {
        if (state.nodeStatus.get(change.record.id)?.unseenSinceMs === undefined)
          this.#declaredLost(coordinating, asId<"node">(change.record.id), change.record.unseenSinceMs);
      }
    }
  }

  /** When a coordinator heard a node last, or began to have the time to. */
  #heardMs({ nonce, startedMs, machine }: Coordinating, id: NodeId): number {
    return Math.max(this.#watches.get(nonce)?.heardMs.get(id) ?? 0, startedMs, machine.resumedMs);
  }

  /** When a node had a full lease last: it was heard, or the valve opened. */
  #fullLeaseMs(coordinating: Coordinating, id: NodeId): number {
    return Math.max(this.#heardMs(coordinating, id), this.#watches.get(coordinating.nonce)?.renewedMs.get(id) ?? 0);
  }

  #replaced(coordinating: Coordinating, task: Task, commit: Commit): void {
    const { state } = coordinating.door;
    const before = task.replaces === undefined ? undefined : state.task.get(task.replaces);
    if (before?.nodeId === undefined || !isCalledLost(coordinating, before.nodeId)) return;
    if (!task.desiredReason.endsWith("is lost")) return;
    // what an update ended there is not waited for: the update goes on elsewhere, and back elsewhere when it fails
    const now = asOf(commit, before);
    if (now.desired !== "running" && !now.desiredReason.includes("is lost")) return;
    // of what was ended before, the end was judged
    if (before.desired === "running") this.#isPatient(coordinating, task, before.nodeId);
    if (before.desired === "running") this.#hasItsData(coordinating, before, task);
    // a node that was removed since the last judgement was counted in it
    const judged = coordinating.coordinator.worldOf(state).presence.keys();
    const counted = [...judged].filter((id) => state.node.get(id)?.confirmedDeadAtMs === undefined);
    const { nowMs } = this.#cluster.universe;
    const perhapsRenewedMs = this.#watches.get(coordinating.nonce)?.perhapsRenewedMs;
    const silentMs = (id: NodeId): number =>
      nowMs - Math.max(this.#fullLeaseMs(coordinating, id), perhapsRenewedMs?.get(id) ?? 0);
    const silent = counted.filter((id) => silentMs(id) > CLEARLY_SILENT_MS);
    this.#findings.check(
      "S20",
      silent.length * 2 <= counted.length,
      () => `${silent.length} of ${counted.length} nodes are silent, and a task is made: ${task.desiredReason}`,
    );
  }

  /** Data that are on lost nodes alone are waited for. */
  #hasItsData(coordinating: Coordinating, before: Task, task: Task): void {
    const pins = before.volumes.flatMap((id) => coordinating.door.state.volumePin.get(asId(id)) ?? []);
    const isThere = ({ nodeIds }: VolumePin): boolean =>
      nodeIds.length === 0 || nodeIds.some((id) => !isCalledLost(coordinating, id));
    this.#findings.check("S12", pins.every(isThere), () => `a task is made without its data: ${task.desiredReason}`);
  }

  #givenUp(coordinating: Coordinating, before: Task, task: Task): void {
    const isEnd = before.desired === "running" && task.desired !== "running";
    if (isEnd && task.nodeId !== undefined && task.desiredReason.endsWith("is lost, and its lease is over"))
      this.#isPatient(coordinating, task, task.nodeId);
  }

  /** A service may want a lost node to be waited for. */
  #isPatient(coordinating: Coordinating, task: Task, id: NodeId): void {
    const { state } = coordinating.door;
    const service = state.service.get(task.serviceId);
    const version = state.serviceVersion.get(versionKey(task.serviceId, service?.version ?? 0));
    const afterMs = version?.spec.replaceAfterMs ?? 0;
    const silentMs = this.#cluster.universe.nowMs - this.#heardMs(coordinating, id);
    this.#findings.check(
      "S20",
      silentMs >= afterMs * 0.996 - 2,
      () =>
        `a task is replaced after ${Math.round(silentMs)} ms, and its service waits ${afterMs}: ${task.desiredReason}`,
    );
  }

  #declaredLost(coordinating: Coordinating, id: NodeId, atWallMs: number): void {
    // a slow disk may hold up what was decided before
    const { nowMs } = this.#cluster.universe;
    const judgedMs = nowMs - Math.max(0, coordinating.clock.nowMs() - atWallMs);
    const silentMs = judgedMs - this.#fullLeaseMs(coordinating, id);
    if (silentMs < 0) return;
    const name = this.#hostOf.get(id)?.name ?? id;
    this.#findings.check(
      "S20",
      silentMs >= LEASE_MS - CLOCK_ERROR_MS,
      () => `${name} is declared lost ${Math.round(silentMs)} ms after it had a full lease`,
    );
  }
}

/** A task as a commit leaves it: one that ends in it by a drain is not replaced for a loss. */
function asOf({ changes }: Commit, task: Task): Task {
  const records = changes.flatMap((change) => (change.op === "put" && change.kind === "task" ? [change.record] : []));
  return records.findLast(({ id }) => id === task.id) ?? task;
}

/** The loss may be written down in the very commit that is about it. */
function isCalledLost({ coordinator, door: { state } }: Coordinating, id: NodeId): boolean {
  const isUnseen = state.nodeStatus.get(id)?.unseenSinceMs !== undefined;
  return isUnseen || coordinator.worldOf(state).presence.get(id) === "lost";
}
