// A container engine in memory: containers are made, start, end and hang as a test says. It tells its events, refuses what a real engine
// refuses (a name or port twice, an image that is not there), and counts the calls made to it.

import type { ResourceSpec } from "../../src/core/model/service-spec.ts";
import type { VolumeWork } from "../../src/core/model/work.ts";
import {
  type ConfigPaths,
  type ContainerEngine,
  type ContainerRequest,
  type EngineContainer,
  EngineError,
  type EngineEvent,
  type EngineFault,
  type EngineImage,
  type EngineInfo,
  type EngineNetwork,
  type ExecRequest,
  type ExecSession,
  type LogChunk,
  type RegistryLogin,
} from "../../src/ports/container-engine.ts";
import type { Clock } from "../../src/ports/clock.ts";

export type FakeContainer = EngineContainer & {
  readonly request?: ContainerRequest;
  readonly configs?: ConfigPaths;
  readonly output?: string;
};
export type EngineCall = keyof ContainerEngine;

type Listener = { readonly onEvent: (event: EngineEvent) => void; readonly end: (error: Error) => void };

export class FakeEngine implements ContainerEngine {
  readonly #clock: Clock;
  readonly #listeners = new Set<Listener>();
  readonly #faults = new Map<EngineCall, EngineError>();
  #count = 0;
  readonly containersById = new Map<string, FakeContainer>();
  readonly networks = new Map<string, EngineNetwork>();
  readonly volumes = new Set<string>();
  /** Images on this host, by reference. */
  readonly localImages = new Map<string, EngineImage>();
  /** Images that a pull finds, by reference. */
  readonly registryImages = new Set<string>();
  /** Set while no registry answers. */
  isRegistryDown = false;
  /** Images whose containers ignore every signal but the last. */
  readonly stubborn = new Set<string>();
  /** Each call in order: "startContainer c1". */
  readonly calls: string[] = [];
  readonly logins: (RegistryLogin | undefined)[] = [];
  /** What a command in a container does: an exit code, at once or later. Without it this engine runs no commands. */
  onExec: ((containerId: string, request: ExecRequest) => Promise<number>) | undefined;

  constructor(clock: Clock, images: readonly string[] = []) {
    this.#clock = clock;
    for (const image of images) this.putImage(image);
  }

  // --- what a test tells it

  putImage(reference: string): void {
    const createdAtMs = this.#clock.nowMs();
    this.localImages.set(reference, {
      id: `sha256:${reference}`,
      tags: [reference],
      createdAtMs,
      sizeBytes: 1,
      hasHealthCheck: false,
    });
  }

  /** Every call of this name fails so, until `heal`. */
  fail(call: EngineCall, fault: EngineFault, message: string): void {
    this.#faults.set(call, new EngineError(fault, message));
  }

  heal(call: EngineCall): void {
    this.#faults.delete(call);
  }

  /** A container's process ends by itself. */
  exit(id: string, exitCode: number, more: { readonly oomKilled?: boolean; readonly output?: string } = {}): void {
    this.#end(id, exitCode, more);
    this.#tell({ kind: "container", action: "die", containerId: id });
  }

  /** As `exit`, but nobody is told: the engine was down, or the event is lost. */
  exitUnseen(id: string, exitCode: number): void {
    this.#end(id, exitCode, {});
  }

  /** Somebody removes a container behind davit's back. */
  vanish(id: string): void {
    this.containersById.delete(id);
    this.#tell({ kind: "container", action: "destroy", containerId: id });
  }

  /** The engine goes away: followers of its events are told. */
  hangUp(): void {
    for (const listener of this.#listeners) listener.end(new EngineError("unreachable", "the engine hung up"));
  }

  /** A container that was there before. */
  adopt(container: FakeContainer): void {
    this.containersById.set(container.id, container);
  }

  get running(): readonly FakeContainer[] {
    return [...this.containersById.values()].filter((container) => container.state === "running");
  }

  // --- the port

  async ping(): Promise<void> {
    this.#enter("ping");
  }

  async info(): Promise<EngineInfo> {
    this.#enter("info");
    return {
      version: "20.10.24",
      labels: {},
      os: "linux",
      arch: "x86_64",
      kernel: "6.1.0",
      cpus: 2,
      memoryBytes: 4 * 1024 ** 3,
      rootDir: "/var/lib/docker",
    };
  }

  async listContainers(label: string): Promise<readonly EngineContainer[]> {
    this.#enter("listContainers", label);
    const [key = "", value = ""] = label.split("=");
    return [...this.containersById.values()].filter((container) => container.labels[key] === value);
  }

  async inspectContainer(id: string): Promise<EngineContainer | undefined> {
    this.#enter("inspectContainer", id);
    return this.containersById.get(id);
  }

  async createContainer(request: ContainerRequest, configs: ConfigPaths): Promise<string> {
    this.#enter("createContainer", request.name);
    const { image } = request.task.container;
    if ([...this.containersById.values()].some((container) => container.name === request.name))
      throw new EngineError("name_taken", `the name ${request.name} is already in use`);
    if (!this.localImages.has(image)) throw new EngineError("image_not_found", `no such image: ${image}`);
    if (!this.networks.has(request.network)) throw new EngineError("not_found", `network ${request.network} not found`);
    // as the real one does: a volume that is missing is made anew, empty, without a word
    for (const mount of request.task.container.mounts) if (mount.kind === "volume") this.volumes.add(mount.volume);
    const id = `c${++this.#count}`;
    this.containersById.set(id, {
      id,
      name: request.name,
      labels: request.labels,
      state: "created",
      imageId: `sha256:${image}`,
      request,
      configs,
    });
    this.#tell({ kind: "container", action: "create", containerId: id });
    return id;
  }

  async startContainer(id: string): Promise<void> {
    this.#enter("startContainer", id);
    const container = this.#the(id);
    if (container.state === "running") return;
    const taken = this.running
      .flatMap((other) => other.request?.task.hostPorts ?? [])
      .find((port) => container.request?.task.hostPorts.some((own) => own.published === port.published));
    if (taken !== undefined)
      throw new EngineError("port_taken", `Bind for 0.0.0.0:${taken.published} failed: port is already allocated`);
    this.containersById.set(id, { ...container, state: "running", startedAtMs: this.#clock.nowMs() });
    this.#tell({ kind: "container", action: "start", containerId: id });
  }

  async updateContainer(id: string, resources: ResourceSpec): Promise<void> {
    this.#enter("updateContainer", id);
    const container = this.containersById.get(id);
    if (container?.request === undefined) throw new EngineError("not_found", `no such container: ${id}`);
    const request = { ...container.request, task: { ...container.request.task, resources } };
    this.containersById.set(id, { ...container, request });
  }

  async stopContainer(id: string, graceMs?: number): Promise<void> {
    this.#enter("stopContainer", id);
    const container = this.containersById.get(id);
    if (container?.state !== "running") return;
    const isStubborn = this.stubborn.has(container.request?.task.container.image ?? "");
    if (isStubborn) await this.#clock.sleep(graceMs ?? 10_000);
    this.exit(id, isStubborn ? 137 : 143);
  }

  async killContainer(id: string): Promise<void> {
    this.#enter("killContainer", id);
    if (this.containersById.get(id)?.state === "running") this.exit(id, 137);
  }

  async removeContainer(id: string): Promise<void> {
    this.#enter("removeContainer", id);
    if (this.containersById.has(id)) this.vanish(id);
  }

  async inspectNetwork(name: string): Promise<EngineNetwork | undefined> {
    this.#enter("inspectNetwork", name);
    return this.networks.get(name);
  }

  async createNetwork(name: string, subnet: string, options: Readonly<Record<string, string>>): Promise<void> {
    this.#enter("createNetwork", name);
    this.networks.set(name, { id: name, subnet, members: [], options });
  }

  async removeNetwork(name: string): Promise<void> {
    this.#enter("removeNetwork", name);
    this.networks.delete(name);
  }

  async volumeExists(name: string): Promise<boolean> {
    this.#enter("volumeExists", name);
    return this.volumes.has(name);
  }

  async createVolume(volume: VolumeWork): Promise<void> {
    this.#enter("createVolume", volume.name);
    this.volumes.add(volume.name);
  }

  async inspectImage(reference: string): Promise<EngineImage | undefined> {
    this.#enter("inspectImage", reference);
    return this.localImages.get(reference);
  }

  async pullImage(reference: string, login: RegistryLogin | undefined): Promise<void> {
    this.#enter("pullImage", reference);
    this.logins.push(login);
    if (this.isRegistryDown) throw new EngineError("registry_unreachable", "dial tcp: no route to host");
    if (!this.registryImages.has(reference)) throw new EngineError("image_not_found", `${reference} not found`);
    this.putImage(reference);
  }

  async listImages(): Promise<readonly EngineImage[]> {
    this.#enter("listImages");
    return [...this.localImages.values()];
  }

  async removeImage(reference: string): Promise<void> {
    this.#enter("removeImage", reference);
    this.localImages.delete(reference);
  }

  async publishersOf(port: number): Promise<readonly string[]> {
    this.#enter("publishersOf", String(port));
    return this.running
      .filter((container) => container.request?.task.hostPorts.some((own) => own.published === port))
      .map((container) => container.name);
  }

  events(
    label: string,
    signal: AbortSignal,
    onOpen: () => void,
    onEvent: (event: EngineEvent) => void,
  ): Promise<never> {
    return new Promise((_resolve, reject) => {
      this.#enter("events", label);
      signal.throwIfAborted();
      const listener = { onEvent, end: reject };
      this.#listeners.add(listener);
      signal.addEventListener("abort", () => {
        this.#listeners.delete(listener);
        reject(new EngineError("unreachable", "the container engine hung up"));
      });
      onOpen();
    });
  }

  async *logs(id: string): AsyncGenerator<LogChunk> {
    this.#enter("logs", id);
    const text = this.containersById.get(id)?.output ?? "";
    if (text !== "") yield { stream: "stdout", bytes: new TextEncoder().encode(text) };
  }

  async exec(containerId: string, request: ExecRequest): Promise<ExecSession> {
    this.#enter("exec", `${containerId} ${request.argv.join(" ")}`);
    if (this.onExec === undefined) throw new EngineError("invalid", "this engine runs no commands");
    if (this.#the(containerId).state !== "running")
      throw new EngineError("conflict", `container ${containerId} is not running`);
    const exited = this.onExec(containerId, request);
    return { write: () => {}, end: () => {}, resize: async () => {}, exited, close: () => {} };
  }

  #enter(call: EngineCall, subject = ""): void {
    this.calls.push(subject === "" ? call : `${call} ${subject}`);
    const fault = this.#faults.get(call);
    if (fault !== undefined) throw fault;
  }

  #the(id: string): FakeContainer {
    const container = this.containersById.get(id);
    if (container === undefined) throw new EngineError("not_found", `No such container: ${id}`);
    return container;
  }

  #end(id: string, exitCode: number, more: Partial<FakeContainer>): void {
    this.containersById.set(id, {
      ...this.#the(id),
      state: "exited",
      exitCode,
      finishedAtMs: this.#clock.nowMs(),
      ...more,
    });
  }

  #tell(event: EngineEvent): void {
    for (const listener of this.#listeners) listener.onEvent(event);
  }
}
