// What truly runs. S6: no attempt runs again, and none is begun of a task that its node knows to be over. S7: containers of others are never
// touched. S12: no machine is over-committed by what runs on it, and a volume has its data in one place.

import type { TaskWork } from "../../../src/core/model/work.ts";
import { asId } from "../../../src/core/model/ids.ts";
import { type State, versionKey } from "../../../src/core/model/world.ts";
import type { Box } from "../fakes/machine-engine.ts";
import type { Host } from "../world/host.ts";
import { isGood } from "../story/services.ts";
import { Bystander, type Universe } from "../world/universe.ts";
import type { Findings } from "./violation.ts";

/** A container of somebody else carries this and none of davit's labels. */
export const NEIGHBOUR = "neighbour";

export class EngineChecks extends Bystander {
  readonly #findings: Findings;
  readonly #universe: Universe;
  readonly #state: () => State;
  /** When a container ended last, and when somebody asked last for its start. */
  readonly #endedMs = new Map<Box, number>();
  readonly #askedMs = new Map<Box, number>();
  /** Machines on which a volume was written, by the volume's name. */
  readonly #writtenOn = new Map<string, Set<Host>>();
  /** Machines that a user gave up: what still runs there is counted no more. */
  readonly givenUp = new Set<Host>();
  /** Containers of working programs that were begun: the others end again and again by their nature. */
  starts = 0;

  /** `state`: what is durable. */
  constructor(findings: Findings, universe: Universe, state: () => State) {
    super();
    this.#state = state;
    this.#findings = findings;
    this.#universe = universe;
  }

  /** A user said that the machine is gone, or took it out of the cluster. */
  giveUp(host: Host): void {
    this.givenUp.add(host);
    for (const hosts of this.#writtenOn.values()) hosts.delete(host);
  }

  override ended(_host: Host, box: Box): void {
    this.#endedMs.set(box, this.#universe.nowMs);
  }

  override asked(host: Host, what: string, box: Box): void {
    const isOurs = box.labels["davit.task"] !== undefined;
    this.#findings.check("S7", isOurs, () => `${host.name} was asked to ${what} ${box.name}, which is somebody else's`);
    if (what !== "start" || !isOurs) return;
    this.#askedMs.set(box, this.#universe.nowMs);
    const work = host.core?.held.tasks.get(asId(box.labels["davit.task"] ?? ""));
    const isWanted = work?.desired === "running";
    this.#findings.check(
      "S6",
      isWanted,
      () => `${host.name} starts ${box.name}, of a task that is ${work?.desired ?? "not its own"}`,
    );
  }

  override started(host: Host, box: Box): void {
    if (isGood(box.request?.task.container.image ?? "")) this.starts += 1;
    // a slow engine may come to a start when the container that it was asked for has run and ended: an agent that died had asked before
    const isAskedAfterEnd = (this.#askedMs.get(box) ?? 0) >= (this.#endedMs.get(box) ?? Number.POSITIVE_INFINITY);
    this.#findings.check("S6", !isAskedAfterEnd, () => `${box.name} on ${host.name} had ended and runs again`);
    const work = box.request?.task;
    const isLateCall = this.#endedMs.has(box) && !isAskedAfterEnd;
    if (!isLateCall) this.#isNotDone(host, box);
    if (work === undefined || this.givenUp.has(host)) return;
    this.#checkRoom(host);
    this.#checkDevices(host, box);
    this.#checkVolumes(host, box, work);
  }

  /** What a task's agent has reported as its last attempt, and what is durable, has no next one; nor has a job's task that did its work. */
  #isNotDone(host: Host, box: Box): void {
    if (host.hasLostFiles) return;
    const state = this.#state();
    const status = state.taskStatus.get(box.labels["davit.task"] ?? "");
    const isDone = status?.state === "complete" && state.task.get(status.id)?.run !== undefined;
    const isLast = isDone || (status?.exhausted === true && status.state !== "shutdown");
    this.#findings.check(
      "S6",
      !isLast,
      () => `${box.name} starts on ${host.name}, and its task is ${status?.state} for good`,
    );
  }

  /** An engine is not told of a reservation that changes alone. */
  #reservedBy(taskId: string | undefined): number {
    const state = this.#state();
    const task = state.task.get(taskId ?? "");
    const version =
      task === undefined ? undefined : state.serviceVersion.get(versionKey(task.serviceId, task.specVersion));
    return version?.spec.template.resources.reservations.cpus ?? Infinity;
  }

  #checkRoom(host: Host): void {
    let cpus = 0;
    for (const { request, labels } of host.engine.running)
      cpus += Math.min(request?.task.resources.reservations.cpus ?? 0, this.#reservedBy(labels["davit.task"]));
    const has = host.plan.resources.cpus;
    this.#findings.check(
      "S12",
      cpus <= has + 1e-6,
      () => `${cpus} CPUs are reserved by what runs on ${host.name}, which has ${has}`,
    );
  }

  /** What it was told to be its own. */
  #checkDevices(host: Host, box: Box): void {
    const own = devicesOf(box);
    if (own.length === 0) return;
    const other = host.engine.running.find((one) => one !== box && devicesOf(one).some((id) => own.includes(id)));
    this.#findings.check(
      "S12",
      other === undefined || box.labels["davit.task"] === other.labels["davit.task"],
      () => `${box.name} and ${other?.name} both have one of ${own.join()} on ${host.name}`,
    );
  }

  #checkVolumes(host: Host, box: Box, work: TaskWork): void {
    // a global service has a volume of its own on each node
    if (work.slot === 0) return;
    for (const mount of work.container.mounts) {
      if (mount.kind !== "volume" || mount.readOnly) continue;
      const hosts = this.#writtenOn.get(mount.volume) ?? new Set<Host>();
      const others = [...hosts].filter((other) => other !== host).map((other) => other.name);
      this.#findings.check(
        "S12",
        others.length === 0,
        () => `${mount.volume} is written on ${host.name}, and its data is on ${others.join()}`,
      );
      this.#writtenOn.set(mount.volume, hosts.add(host));
      const twin = host.engine.running.find((other) => other !== box && isSameSlot(other, box));
      this.#findings.check(
        "S12",
        twin === undefined,
        () => `${box.name} and ${twin?.name} write to ${mount.volume} at once`,
      );
    }
    this.#universe.journal.write(host.name, `writes to its volumes`);
  }
}

function isSameSlot(a: Box, b: Box): boolean {
  return (
    a.labels["davit.service.id"] === b.labels["davit.service.id"] && a.labels["davit.slot"] === b.labels["davit.slot"]
  );
}

/** Ids of the graphics processors that a container was told; none if it was told a number. */
function devicesOf(box: Box): readonly string[] {
  const told = box.request?.task.container.env["DOCKER_RESOURCE_GPU"] ?? "";
  return /^\d*$/.test(told) ? [] : told.split(",");
}
