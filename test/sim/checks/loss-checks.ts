// L1 while faults go on: what a lost node ran is made anew, with a node or waiting for one, soon after a coordinator that works knows of the loss.

import type { Service, Task } from "../../../src/core/model/records.ts";
import { wantedReplicas } from "../../../src/core/model/scale.ts";
import { versionKey, type World } from "../../../src/core/model/world.ts";
import { GOOD_STORE } from "../fakes/sim-store.ts";
import type { Cluster } from "../world/cluster.ts";
import { isFinished } from "./plan-checks.ts";
import type { Findings } from "./violation.ts";

/** A look at the world, a commit, and a stall in between. */
const REPLACED_WITHIN_MS = 10_000;

export class LossChecks {
  readonly #findings: Findings;
  readonly #cluster: Cluster;
  /** Since when nobody makes the next one, by the coordinator's start and the slot. */
  readonly #sinceMs = new Map<string, number>();

  constructor(findings: Findings, cluster: Cluster) {
    this.#findings = findings;
    this.#cluster = cluster;
  }

  /** Call it now and then. */
  look(): void {
    const abandoned = this.#abandoned();
    for (const key of this.#sinceMs.keys()) if (!abandoned.has(key)) this.#sinceMs.delete(key);
    const { nowMs } = this.#cluster.universe;
    for (const [key, name] of abandoned) {
      const sinceMs = this.#sinceMs.get(key) ?? nowMs;
      this.#sinceMs.set(key, sinceMs);
      if (nowMs - sinceMs > REPLACED_WITHIN_MS)
        this.#findings.report("L1", `${name} ran on a node that is lost, and nothing takes its place`);
    }
  }

  /** Names of slots by key. */
  #abandoned(): ReadonlyMap<string, string> {
    const { machine, running, universe } = this.#cluster;
    const found = new Map<string, string>();
    const isSlow = machine.file.health.fault !== undefined || machine.file.health.syncMs > GOOD_STORE.syncMs;
    if (running === undefined || isSlow || machine.resumedMs > universe.nowMs) return found;
    const world = running.coordinator.worldOf(running.door.state);
    if (world.valveShut) return found;
    const live = [...world.state.task.values()].filter(
      ({ desired, withdrawal }) => desired === "running" && withdrawal === undefined,
    );
    for (const [key, tasks] of Map.groupBy(live, ({ serviceId, slot }) => `${serviceId}/${slot}`)) {
      const [task] = tasks;
      const service = task === undefined ? undefined : world.state.service.get(task.serviceId);
      if (task === undefined || service === undefined || task.slot > (wantedReplicas(service) ?? -1)) continue;
      if (tasks.every((one) => isAbandoned(world, service, one)))
        found.set(`${running.nonce}/${key}`, `${service.name}.${task.slot}`);
    }
    return found;
  }
}

/** It is on a lost node, and nothing asks for patience: neither data, nor a lease of its own, nor its service. */
function isAbandoned(world: World, service: Service, task: Task): boolean {
  const { state, presence } = world;
  if (task.nodeId === undefined || presence.get(task.nodeId) !== "lost" || isFinished(state, task)) return false;
  const wanted = state.serviceVersion.get(versionKey(service.id, service.version))?.spec;
  const own = state.serviceVersion.get(versionKey(service.id, task.specVersion))?.spec;
  return wanted?.replaceAfterMs === undefined && own?.template.onLeaseLost !== "stop" && task.volumes.length === 0;
}
