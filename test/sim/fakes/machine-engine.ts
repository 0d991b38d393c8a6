// What truly is on one machine: containers with their processes, images, volumes, networks, and the daemon that may be away. The agent's
// port to it is in engine-port.ts; checkers read this, not what anybody reports of it.

import type { ContainerRequest, EngineEvent, EngineNetwork } from "../../../src/ports/container-engine.ts";
import { EngineError } from "../../../src/ports/container-engine.ts";
import type { Chance } from "../kernel/chance.ts";
import type { HostClock } from "../kernel/host-clock.ts";
import { Life, type Scheduler } from "../kernel/scheduler.ts";

/** How the program in an image behaves. */
export type Program = {
  readonly pullMs: number;
  /** Until its health check passes; undefined: it never does. */
  readonly readyMs: number | undefined;
  /** It ends by itself after about this time, with this code; a part of the times with another one. */
  readonly ends?: {
    readonly afterMs: number;
    readonly exitCode: number;
    readonly failureRatio?: number;
    readonly atMostMs?: number;
  };
  /** It ignores every signal but the last. */
  readonly isStubborn?: boolean;
  /** No registry has it. */
  readonly isMissing?: boolean;
};

export type Box = {
  readonly id: string;
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  request: ContainerRequest | undefined;
  state: "created" | "running" | "exited";
  exitCode: number;
  oomKilled: boolean;
  startedMs: number | undefined;
  startedAtMs: number | undefined;
  finishedAtMs: number | undefined;
};

export type EngineTrouble = {
  /** Part of the exit events that nobody hears. */
  readonly lostEvents: number;
  /** Part of the calls that hang until they time out. */
  readonly hangs: number;
  /** What a pull fails with, now and then. */
  readonly badPulls: number;
  /** Factor on the time that everything takes. */
  readonly slowness: number;
  /** The longest that an event may be late. */
  readonly eventDelayMs: number;
  /** Part of the names that somebody else's container has already. */
  readonly takenNames: number;
};

export const NO_TROUBLE: EngineTrouble = {
  lostEvents: 0,
  hangs: 0,
  badPulls: 0,
  slowness: 1,
  eventDelayMs: 0,
  takenNames: 0,
};

/** Told of what truly happens; checkers listen. */
export type EngineWitness = {
  readonly created: (box: Box) => void;
  readonly started: (box: Box) => void;
  readonly ended: (box: Box) => void;
  /** The agent asked for a container to be started, stopped, killed or removed. */
  readonly asked: (what: string, box: Box) => void;
};

type Follower = { readonly tell: (event: EngineEvent) => void; readonly hangUp: () => void };

export class MachineEngine {
  readonly scheduler: Scheduler;
  readonly chance: Chance;
  readonly clock: HostClock;
  readonly #life: () => Life;
  readonly programOf: (image: string) => Program;
  readonly boxes = new Map<string, Box>();
  readonly images = new Set<string>();
  readonly volumes = new Set<string>();
  readonly networks = new Map<string, EngineNetwork>();
  readonly #followers = new Set<Follower>();
  readonly #prefix: string;
  #count = 0;
  #daemon = new Life("daemon");
  #trouble: EngineTrouble = NO_TROUBLE;
  /** When it last changed for better or worse, in true time. */
  troubledMs = 0;
  witness: EngineWitness = { created: () => {}, started: () => {}, ended: () => {}, asked: () => {} };

  constructor(
    name: string,
    scheduler: Scheduler,
    chance: Chance,
    clock: HostClock,
    life: () => Life,
    programOf: (image: string) => Program,
  ) {
    this.#prefix = name;
    this.scheduler = scheduler;
    this.chance = chance;
    this.clock = clock;
    this.#life = life;
    this.programOf = programOf;
    this.#daemon = new Life("daemon", life());
  }

  get trouble(): EngineTrouble {
    return this.#trouble;
  }

  set trouble(trouble: EngineTrouble) {
    this.#trouble = trouble;
    this.troubledMs = this.scheduler.nowMs;
  }

  get daemon(): Life {
    return this.#daemon;
  }

  get running(): readonly Box[] {
    return [...this.boxes.values()].filter((box) => box.state === "running");
  }

  /** Makes a container. Rejects what a real engine rejects. */
  create(request: ContainerRequest): Box {
    const { image, mounts } = request.task.container;
    if (this.chance.happens(this.trouble.takenNames)) this.put(request.name, {}, undefined);
    for (const box of this.boxes.values())
      if (box.name === request.name) throw new EngineError("name_taken", `the name ${request.name} is already in use`);
    if (!this.images.has(image)) throw new EngineError("image_not_found", `no such image: ${image}`);
    if (!this.networks.has(request.network)) throw new EngineError("not_found", `network ${request.network} not found`);
    // as the real one does: a volume that is missing is made anew, empty, without a word
    for (const mount of mounts) if (mount.kind === "volume") this.volumes.add(mount.volume);
    const box = this.put(request.name, request.labels, request);
    this.witness.created(box);
    this.tell({ kind: "container", action: "create", containerId: box.id });
    return box;
  }

  /** A container that is there, whoever made it. */
  put(name: string, labels: Readonly<Record<string, string>>, request: ContainerRequest | undefined): Box {
    const box: Box = {
      id: `${this.#prefix}-${(++this.#count).toString().padStart(4, "0")}`,
      name,
      labels,
      request,
      state: "created",
      exitCode: 0,
      oomKilled: false,
      startedMs: undefined,
      startedAtMs: undefined,
      finishedAtMs: undefined,
    };
    this.boxes.set(box.id, box);
    return box;
  }

  start(box: Box): void {
    if (box.state === "running") return;
    const taken = this.running.find((other) => sharePort(other, box));
    if (taken !== undefined)
      throw new EngineError("port_taken", `Bind for 0.0.0.0:${portsOf(box)[0]} failed: port is already allocated`);
    const address = box.request?.task.address;
    if (address !== undefined && this.running.some((other) => other.request?.task.address === address))
      throw new EngineError("failed", `Address already in use: ${address}`);
    box.state = "running";
    box.startedMs = this.scheduler.nowMs;
    box.startedAtMs = this.clock.nowMs();
    box.finishedAtMs = undefined;
    this.witness.started(box);
    this.tell({ kind: "container", action: "start", containerId: box.id });
    this.#live(box);
  }

  /** What the program does from now on. */
  #live(box: Box): void {
    const { ends } = this.programOf(box.request?.task.container.image ?? "");
    const startedMs = box.startedMs;
    if (ends === undefined) return;
    const { afterMs, exitCode, failureRatio = 0, atMostMs = Number.POSITIVE_INFINITY } = ends;
    this.scheduler.after(Math.min(this.chance.around(afterMs), atMostMs), this.#life(), () => {
      if (box.startedMs === startedMs) this.exit(box, this.chance.happens(failureRatio) ? 1 : exitCode);
    });
  }

  /** Its process ended. */
  exit(box: Box, exitCode: number, oomKilled = false): void {
    if (box.state !== "running") return;
    this.#end(box, exitCode, oomKilled);
    if (!this.chance.happens(this.trouble.lostEvents))
      this.tell({ kind: "container", action: "die", containerId: box.id });
  }

  #end(box: Box, exitCode: number, oomKilled: boolean): void {
    box.state = "exited";
    box.exitCode = exitCode;
    box.oomKilled = oomKilled;
    box.startedMs = undefined;
    box.finishedAtMs = this.clock.nowMs();
    this.witness.ended(box);
  }

  remove(box: Box): void {
    if (box.state === "running") this.exit(box, 137);
    this.boxes.delete(box.id);
    this.tell({ kind: "container", action: "destroy", containerId: box.id });
  }

  follow(follower: Follower): () => void {
    this.#followers.add(follower);
    return () => void this.#followers.delete(follower);
  }

  tell(event: EngineEvent): void {
    for (const follower of this.#followers) follower.tell(event);
  }

  /** The daemon goes down, and takes what runs along, unless it leaves that alone. */
  daemonDown(keepsContainers: boolean): void {
    this.#daemon.end();
    for (const follower of this.#followers) follower.hangUp();
    this.#followers.clear();
    if (keepsContainers) return;
    for (const box of this.running) this.#end(box, this.chance.one(0, 137, 143), false);
  }

  daemonUp(): void {
    if (this.#daemon.isAlive || !this.#life().isAlive) return;
    this.#daemon = new Life("daemon", this.#life());
    this.troubledMs = this.scheduler.nowMs;
  }

  /** The machine lost its power: nothing runs, and nobody was told. */
  powerLost(): void {
    this.#daemon.end();
    this.#followers.clear();
    for (const box of this.running) this.#end(box, 255, false);
  }

  /** Whether a task's health check passes now. */
  probe(containerId: string): { readonly ok: boolean; readonly answer: string } {
    const box = this.boxes.get(containerId);
    if (box?.startedMs === undefined) return { ok: false, answer: "connection refused" };
    const { readyMs } = this.programOf(box.request?.task.container.image ?? "");
    if (readyMs === undefined) return { ok: false, answer: "HTTP 500" };
    return this.scheduler.nowMs - box.startedMs >= readyMs
      ? { ok: true, answer: "" }
      : { ok: false, answer: "HTTP 503" };
  }
}

export function portsOf(box: Box): readonly number[] {
  return (box.request?.task.hostPorts ?? []).map((port) => port.published);
}

function sharePort(a: Box, b: Box): boolean {
  const ports = portsOf(a);
  return portsOf(b).some((port) => ports.includes(port));
}
