// S3: of a service that must never run twice no slot runs on two hosts, at any moment, by what truly runs. A machine that stood still could not
// stop anything: such overlaps are counted apart. Nothing is left to the fence that an agent could have stopped itself. And no next one is given
// to a node before it is durable that the one before it is given up, or before its own node said that it is over.

import { asId } from "../../../src/core/model/ids.ts";
import type { Change, Task, TaskStatus } from "../../../src/core/model/records.ts";
import { type State, versionKey } from "../../../src/core/model/world.ts";
import type { Commit } from "../../../src/ports/store.ts";
import type { Box } from "../fakes/machine-engine.ts";
import type { Cluster } from "../world/cluster.ts";
import type { Coordinating } from "../world/coordinator-machine.ts";
import type { Host } from "../world/host.ts";
import { Bystander } from "../world/universe.ts";
import type { EngineChecks } from "./engine-checks.ts";
import type { Findings } from "./violation.ts";

/** A frozen machine's fence has had its turn so long after it went on. */
const THAWED_MS = 2_000;
/** What an engine that did not answer may still be about: its longest call but starts and pulls. */
const UNTROUBLED_MS = 60_000;

export class AtMostOne extends Bystander {
  readonly #findings: Findings;
  readonly #cluster: Cluster;
  readonly #engines: EngineChecks;
  /** Containers that an agent has asked to be stopped. */
  readonly #stopping = new Set<Box>();
  /** How often two ran while one of their machines stood still. */
  frozen = 0;
  /** How often a task was made anew elsewhere, and how often a fence was needed. */
  handovers = 0;
  fences = 0;
  readonly #lastOn = new Map<string, Host>();

  constructor(findings: Findings, cluster: Cluster, engines: EngineChecks) {
    super();
    this.#findings = findings;
    this.#cluster = cluster;
    this.#engines = engines;
  }

  override started(host: Host, box: Box): void {
    const work = box.request?.task;
    if (work?.leaseMs === undefined || work.slot === 0) return;
    const slot = slotOf(box);
    const before = this.#lastOn.get(slot);
    if (before !== undefined && before !== host) this.handovers += 1;
    this.#lastOn.set(slot, host);
    if (this.#engines.givenUp.has(host)) return;
    for (const other of this.#cluster.nodes) {
      if (other === host || this.#engines.givenUp.has(other)) continue;
      const twin = other.engine.running.find((one) => one.request?.task.leaseMs !== undefined && slotOf(one) === slot);
      if (twin === undefined) continue;
      if (this.#stoodStill(host) || this.#stoodStill(other)) this.frozen += 1;
      else
        this.#findings.report(
          "S3",
          `${box.name} starts on ${host.name}, and ${twin.name} runs on ${other.name}: one of the two at most may`,
        );
    }
  }

  override submitted(coordinating: Coordinating, { changes }: Commit): void {
    const { state } = coordinating.door;
    const told = new Map<string, TaskStatus>();
    const isThere = (id: string): boolean =>
      state.node.get(asId(id))?.confirmedDeadAtMs === undefined &&
      state.node.has(asId(id)) &&
      // a user may take it away in the same commit
      !changes.some((one) => one.kind === "node" && isOut(one, id));
    for (const change of changes) {
      if (change.op !== "put") continue;
      if (change.kind === "taskStatus") told.set(change.record.id, change.record);
      if (change.kind !== "task" || change.record.nodeId === undefined) continue;
      const task = change.record;
      if (state.task.get(task.id)?.nodeId !== undefined || !isLeased(state, changes, task)) continue;
      const before = [...state.task.values()].find(
        (one) =>
          one.id !== task.id &&
          one.serviceId === task.serviceId &&
          one.slot === task.slot &&
          one.desired === "running" &&
          one.nodeId !== undefined &&
          isThere(one.nodeId) &&
          isLeased(state, changes, one) &&
          !isOver(told.get(one.id) ?? state.taskStatus.get(one.id)),
      );
      const name = state.service.get(task.serviceId)?.name ?? task.serviceId;
      this.#findings.check(
        "S3",
        before === undefined || task.slot === 0,
        () => `${name}.${task.slot} is placed, and that the one before it is given up is not durable`,
      );
    }
  }

  #stoodStill({ frozenMs }: Host): boolean {
    return this.#cluster.universe.nowMs < frozenMs + THAWED_MS;
  }

  override asked(_host: Host, what: string, box: Box): void {
    if (what === "stop" || what === "kill") this.#stopping.add(box);
  }

  override fenced(host: Host, box: Box, leaseEndedBootMs: number): void {
    this.fences += 1;
    const { nowMs } = this.#cluster.universe;
    const sinceMs = nowMs - (host.clock.bootMs() - leaseEndedBootMs) / host.clock.rate;
    // it must have been about its work since some time before, on an engine that answers
    const isFree =
      host.core !== undefined &&
      host.core.held.position !== undefined &&
      host.engine.daemon.isAlive &&
      Math.max(host.disturbedMs, host.frozenMs, host.engine.troubledMs, box.startedMs ?? 0) + UNTROUBLED_MS < sinceMs;
    this.#findings.check(
      "S3",
      !isFree || this.#stopping.has(box),
      () => `the lease of ${box.name} on ${host.name} was over, and its agent did not stop it`,
    );
  }
}

function slotOf(box: Box): string {
  return `${box.labels["davit.service.id"]}/${box.labels["davit.slot"]}`;
}

/** What it was made from says that it must never run twice; the version may be of the same commit. */
function isLeased(state: State, changes: readonly Change[], { serviceId, specVersion }: Task): boolean {
  const key = versionKey(serviceId, specVersion);
  const made = changes.findLast(
    (change) => change.op === "put" && change.kind === "serviceVersion" && change.record.id === key,
  );
  const isMade = made?.op === "put" && made.kind === "serviceVersion";
  const version = isMade ? made.record : state.serviceVersion.get(key);
  return version?.spec.template.onLeaseLost === "stop";
}

function isOut(change: Extract<Change, { kind: "node" }>, id: string): boolean {
  if (change.op === "delete") return change.id === id;
  return change.record.id === id && change.record.confirmedDeadAtMs !== undefined;
}

function isOver(status: TaskStatus | undefined): boolean {
  return status?.exhausted === true;
}
