// The container engine as one agent process reaches it: every call takes time, fails while the daemon is away, hangs now and then, and is
// done by the daemon whether or not whoever asked is still there.

import type { ResourceSpec } from "../../../src/core/model/service-spec.ts";
import type { VolumeWork } from "../../../src/core/model/work.ts";
import {
  type ContainerEngine,
  type EngineContainer,
  EngineError,
  type EngineEvent,
  type EngineImage,
  type LogChunk,
} from "../../../src/ports/container-engine.ts";
import type { Life } from "../kernel/scheduler.ts";
import type { Box, MachineEngine } from "./machine-engine.ts";

/** As the real adapter has them: looks, starts, what a stop gets beyond its grace, and a pull that says nothing. */
const CALL_TIMEOUT_MS = 30_000;
const START_TIMEOUT_MS = 120_000;
const STOP_MARGIN_MS = 15_000;
const PULL_SILENCE_MS = 120_000;
const DEFAULT_GRACE_MS = 10_000;

/** Mean times of the daemon. */
const LOOK_MS = 3;
const MAKE_MS = 30;
const START_MS = 150;
const SIGNAL_MS = 300;
const EVENT_MS = 2;

type Call = { readonly name: string; readonly meanMs: number; readonly timeoutMs: number };

export class EnginePort implements ContainerEngine {
  readonly #machine: MachineEngine;
  readonly #life: Life;

  constructor(machine: MachineEngine, life: Life) {
    this.#machine = machine;
    this.#life = life;
  }

  ping(): Promise<void> {
    return this.#look("ping", () => undefined);
  }

  info(): ReturnType<ContainerEngine["info"]> {
    return this.#look("info", () => ({
      version: "20.10.24",
      labels: {},
      os: "linux",
      arch: "x86_64",
      kernel: "6.1.0",
      cpus: 4,
      memoryBytes: 8_000_000_000,
      rootDir: "/var/lib/docker",
    }));
  }

  listContainers(label: string): Promise<readonly EngineContainer[]> {
    const [key = "", value = ""] = label.split("=");
    return this.#look("list containers", () =>
      [...this.#machine.boxes.values()].filter((box) => box.labels[key] === value).map(seen),
    );
  }

  inspectContainer(id: string): Promise<EngineContainer | undefined> {
    return this.#look("inspect container", () => {
      const box = this.#machine.boxes.get(id);
      return box === undefined ? undefined : seen(box);
    });
  }

  createContainer(request: Parameters<ContainerEngine["createContainer"]>[0]): Promise<string> {
    const call = { name: "create container", meanMs: MAKE_MS, timeoutMs: CALL_TIMEOUT_MS };
    return this.#call(call, () => this.#machine.create(request).id);
  }

  startContainer(id: string): Promise<void> {
    this.#ask("start", id);
    const call = { name: "start container", meanMs: START_MS, timeoutMs: START_TIMEOUT_MS };
    return this.#call(call, () => this.#machine.start(this.#the(id)));
  }

  updateContainer(id: string, resources: ResourceSpec): Promise<void> {
    this.#ask("update", id);
    return this.#call({ name: "change limits", meanMs: MAKE_MS, timeoutMs: CALL_TIMEOUT_MS }, () => {
      const box = this.#the(id);
      if (this.#machine.chance.happens(0.1)) throw new EngineError("failed", "the kernel would not");
      if (box.request !== undefined) box.request = { ...box.request, task: { ...box.request.task, resources } };
    });
  }

  async stopContainer(id: string, graceMs: number = DEFAULT_GRACE_MS): Promise<void> {
    this.#ask("stop", id);
    const machine = this.#machine;
    const call = { name: "stop container", meanMs: LOOK_MS, timeoutMs: graceMs + STOP_MARGIN_MS };
    await this.#call(call, () => {
      const box = machine.boxes.get(id);
      if (box?.state !== "running") return;
      const { startedMs } = box;
      const isStubborn = machine.programOf(box.request?.task.container.image ?? "").isStubborn === true;
      const takesMs = machine.chance.around(SIGNAL_MS);
      const isKilled = isStubborn || takesMs > graceMs;
      machine.scheduler.after(Math.min(isStubborn ? graceMs : takesMs, graceMs), machine.daemon, () => {
        if (box.startedMs === startedMs) machine.exit(box, isKilled ? 137 : machine.chance.one(0, 143));
      });
    });
    await this.#untilDown(id, graceMs + STOP_MARGIN_MS);
  }

  killContainer(id: string): Promise<void> {
    this.#ask("kill", id);
    return this.#call({ name: "kill container", meanMs: LOOK_MS, timeoutMs: CALL_TIMEOUT_MS }, () => {
      const box = this.#machine.boxes.get(id);
      if (box !== undefined) this.#machine.exit(box, 137);
    });
  }

  removeContainer(id: string): Promise<void> {
    this.#ask("remove", id);
    return this.#call({ name: "remove container", meanMs: MAKE_MS, timeoutMs: CALL_TIMEOUT_MS }, () => {
      const box = this.#machine.boxes.get(id);
      if (box !== undefined) this.#machine.remove(box);
    });
  }

  inspectNetwork(name: string): ReturnType<ContainerEngine["inspectNetwork"]> {
    return this.#look("inspect network", () => this.#machine.networks.get(name));
  }

  createNetwork(name: string, subnet: string, options: Readonly<Record<string, string>>): Promise<void> {
    const call = { name: "create network", meanMs: MAKE_MS, timeoutMs: CALL_TIMEOUT_MS };
    return this.#call(call, () => void this.#machine.networks.set(name, { id: name, subnet, members: [], options }));
  }

  removeNetwork(name: string): Promise<void> {
    return this.#look("remove network", () => void this.#machine.networks.delete(name));
  }

  volumeExists(name: string): Promise<boolean> {
    return this.#look("inspect volume", () => this.#machine.volumes.has(name));
  }

  createVolume(volume: VolumeWork): Promise<void> {
    return this.#look("create volume", () => void this.#machine.volumes.add(volume.name));
  }

  inspectImage(reference: string): Promise<EngineImage | undefined> {
    return this.#look("inspect image", () => (this.#machine.images.has(reference) ? imageOf(reference) : undefined));
  }

  pullImage(reference: string): Promise<void> {
    const machine = this.#machine;
    const { pullMs, isMissing } = machine.programOf(reference);
    return this.#call({ name: "pull", meanMs: pullMs, timeoutMs: PULL_SILENCE_MS }, () => {
      if (machine.chance.happens(machine.trouble.badPulls))
        throw new EngineError("registry_unreachable", "dial tcp: no route to host");
      if (isMissing === true) throw new EngineError("image_not_found", `${reference} not found`);
      machine.images.add(reference);
    });
  }

  listImages(): Promise<readonly EngineImage[]> {
    return this.#look("list images", () => [...this.#machine.images].map(imageOf));
  }

  removeImage(reference: string): Promise<void> {
    return this.#look("remove image", () => void this.#machine.images.delete(reference));
  }

  publishersOf(port: number): Promise<readonly string[]> {
    return this.#look("list publishers", () =>
      this.#machine.running
        .filter((box) => box.request?.task.hostPorts.some((own) => own.published === port))
        .map((box) => box.name),
    );
  }

  events(
    _label: string,
    signal: AbortSignal,
    onOpen: () => void,
    onEvent: (event: EngineEvent) => void,
  ): Promise<never> {
    const machine = this.#machine;
    return new Promise((_resolve, reject) => {
      const later = (run: () => void): void =>
        void machine.scheduler.after(
          EVENT_MS * machine.trouble.slowness + machine.trouble.eventDelayMs * machine.chance.fraction(),
          this.#life,
          run,
        );
      if (signal.aborted) return reject(gone());
      if (!machine.daemon.isAlive) return later(() => reject(gone()));
      const stop = machine.follow({
        tell: (event) => later(() => (signal.aborted ? undefined : onEvent(event))),
        hangUp: () => later(() => reject(gone())),
      });
      signal.addEventListener("abort", () => {
        stop();
        reject(gone());
      });
      later(() => (signal.aborted ? undefined : onOpen()));
    });
  }

  async *logs(id: string): AsyncGenerator<LogChunk> {
    const text = await this.#look("logs", () => `last words of ${this.#the(id).name}`);
    yield { stream: "stdout", bytes: new TextEncoder().encode(text) };
  }

  exec(): Promise<never> {
    return Promise.reject(new EngineError("invalid", "this engine runs no commands"));
  }

  #ask(what: string, id: string): void {
    const box = this.#machine.boxes.get(id);
    if (box !== undefined && this.#life.isAlive) this.#machine.witness.asked(what, box);
  }

  #the(id: string): Box {
    const box = this.#machine.boxes.get(id);
    if (box === undefined) throw new EngineError("not_found", `No such container: ${id}`);
    return box;
  }

  /** The daemon answers a stop once the container is down. */
  #untilDown(id: string, timeoutMs: number): Promise<void> {
    const { scheduler, witness: _, daemon } = this.#machine;
    const untilMs = scheduler.nowMs + timeoutMs;
    return new Promise((resolve, reject) => {
      const look = (): void => {
        if (!daemon.isAlive) return reject(gone());
        if (this.#machine.boxes.get(id)?.state !== "running") return resolve();
        if (scheduler.nowMs >= untilMs) return reject(new EngineError("timeout", "stop container: no answer"));
        scheduler.after(100, this.#life, look);
      };
      look();
    });
  }

  #look<Result>(name: string, work: () => Result): Promise<Result> {
    return this.#call({ name, meanMs: LOOK_MS, timeoutMs: CALL_TIMEOUT_MS }, work);
  }

  /** Asks the daemon, which does it at some time, and answers at a later one. */
  #call<Result>({ name, meanMs, timeoutMs }: Call, work: () => Result): Promise<Result> {
    const { scheduler, chance, trouble, daemon } = this.#machine;
    return new Promise((resolve, reject) => {
      // what a process would have asked after its end, nobody asks
      if (!this.#life.isAlive) return;
      const answer = (afterMs: number, run: () => void): void => void scheduler.after(afterMs, this.#life, run);
      if (!daemon.isAlive) return answer(LOOK_MS, () => reject(gone()));
      const takesMs = (meanMs * (0.2 + chance.around(0.8)) + 0.1) * trouble.slowness;
      const hangs = chance.happens(trouble.hangs);
      const isDoneThough = chance.happens(0.5);
      const timesOut = hangs || takesMs > timeoutMs;
      if (timesOut)
        answer(timeoutMs, () => reject(new EngineError("timeout", `${name}: no answer within ${timeoutMs / 1_000} s`)));
      if (hangs && !isDoneThough) return;
      const doneMs = takesMs * chance.fraction();
      let isAnswered = timesOut;
      scheduler.after(doneMs, daemon, () => {
        let answered: () => void;
        try {
          const result = work();
          answered = () => resolve(result);
        } catch (error) {
          answered = () => reject(error);
        }
        if (isAnswered) return;
        isAnswered = true;
        answer(takesMs - doneMs, () => (daemon.isAlive ? answered() : reject(gone())));
      });
      // a daemon that goes down before it answers leaves the question open
      if (!timesOut)
        answer(takesMs + 1, () => {
          if (isAnswered || daemon.isAlive) return;
          isAnswered = true;
          reject(gone());
        });
    });
  }
}

function gone(): EngineError {
  return new EngineError("unreachable", "the container engine hung up");
}

function seen(box: Box): EngineContainer {
  const { id, name, labels, state, startedAtMs, finishedAtMs, exitCode, oomKilled } = box;
  return {
    id,
    name,
    labels,
    state,
    imageId: "",
    ...(state === "exited" ? { exitCode, oomKilled } : {}),
    ...(startedAtMs === undefined ? {} : { startedAtMs }),
    ...(finishedAtMs === undefined ? {} : { finishedAtMs }),
  };
}

function imageOf(reference: string): EngineImage {
  return { id: `sha256:${reference}`, tags: [reference], createdAtMs: 0, sizeBytes: 1, hasHealthCheck: false };
}
