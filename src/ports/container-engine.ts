// The container engine of one node, as the agent sees it. Small and in davit's words: the Docker adapter turns them into the
// engine's, and a simulator can stand in. Everything rejects with EngineError; nothing here retries.

import type { ResourceSpec } from "../core/model/service-spec.ts";
import type { TaskWork, VolumeWork } from "../core/model/work.ts";

/** Why an engine call failed, as far as a decision depends on it. */
export type EngineFault =
  | "unreachable"
  | "timeout"
  | "not_found"
  | "image_not_found"
  | "registry_unreachable"
  | "registry_denied"
  | "name_taken"
  | "port_taken"
  | "conflict"
  | "invalid"
  | "failed";

/** A failed engine call: what was asked and what the engine said. */
export class EngineError extends Error {
  override readonly name = "EngineError";
  readonly fault: EngineFault;

  constructor(fault: EngineFault, message: string, options: { readonly cause?: unknown } = {}) {
    super(message, options);
    this.fault = fault;
  }
}

export type ContainerState = "created" | "running" | "paused" | "restarting" | "removing" | "exited" | "dead";

export type EngineContainer = {
  readonly id: string;
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly state: ContainerState;
  readonly imageId: string;
  /** Set by inspect only, as all below. */
  readonly exitCode?: number;
  readonly oomKilled?: boolean;
  /** What the engine said when it could not start or lost it. */
  readonly error?: string;
  readonly startedAtMs?: number;
  readonly finishedAtMs?: number;
  /** Verdict of the image's own HEALTHCHECK, if it has one. */
  readonly engineHealth?: { readonly status: "starting" | "healthy" | "unhealthy"; readonly answer: string };
  readonly tty?: boolean;
  /** Path on the host of its own network; absent while it does not run, and when it has the host's. */
  readonly networkPath?: string;
};

export type ContainerRequest = {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly task: TaskWork;
  /** Engine network to join with the task's own address, unless the task is to have the host's network or none. */
  readonly network: string;
};

/** Path on the host of the file that each config mount shows, by the mount's target. */
export type ConfigPaths = Readonly<Record<string, string>>;

export type EngineInfo = {
  readonly version: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly os: string;
  readonly arch: string;
  readonly kernel: string;
  readonly cpus: number;
  readonly memoryBytes: number;
  /** Where the engine keeps its data: the disk that fills. */
  readonly rootDir: string;
};

export type EngineImage = {
  readonly id: string;
  readonly digest?: string;
  readonly tags: readonly string[];
  readonly createdAtMs: number;
  readonly sizeBytes: number;
  /** The image has a HEALTHCHECK of its own. */
  readonly hasHealthCheck: boolean;
};

/** One container on a network: what the engine gave it. */
export type NetworkMember = { readonly containerId: string; readonly address: string; readonly mac: string };

export type EngineNetwork = {
  readonly id: string;
  readonly subnet: string;
  /** Those that run. */
  readonly members: readonly NetworkMember[];
  /** Options of its driver, as it was made. */
  readonly options: Readonly<Record<string, string>>;
};

export type EngineEvent =
  | { readonly kind: "container"; readonly action: string; readonly containerId: string }
  | { readonly kind: "image"; readonly action: string; readonly reference: string };

export type RegistryLogin = { readonly username: string; readonly password: string };

export type LogChunk = { readonly stream: "stdout" | "stderr"; readonly bytes: Uint8Array };
export type LogOptions = {
  readonly follow: boolean;
  readonly tail?: number;
  readonly sinceMs?: number;
  readonly timestamps: boolean;
  readonly tty: boolean;
};

export type ExecRequest = {
  readonly argv: readonly string[];
  readonly tty: boolean;
  readonly stdin: boolean;
  readonly user?: string;
  readonly workingDir?: string;
  readonly env?: Readonly<Record<string, string>>;
  readonly privileged?: boolean;
  readonly cols?: number;
  readonly rows?: number;
};

/** A command running in a container. Output callbacks are set in the call that made it. */
export interface ExecSession {
  write(bytes: Uint8Array): void;
  /** Ends the command's standard input. */
  end(): void;
  resize(cols: number, rows: number): Promise<void>;
  /** Resolves with the exit code once all output was given. */
  readonly exited: Promise<number>;
  /** Drops the connection; the engine lets the command go on. */
  close(): void;
}

export interface ContainerEngine {
  /** Resolves when the engine answers; negotiates the API version. */
  ping(): Promise<void>;
  info(): Promise<EngineInfo>;
  /** All containers, running or not, that carry this label (`key=value`); without what only inspect knows. */
  listContainers(label: string): Promise<readonly EngineContainer[]>;
  /** Undefined when there is no such container. */
  inspectContainer(id: string): Promise<EngineContainer | undefined>;
  /** Id of the new container. Rejects with `invalid` when the task needs what this engine cannot do. */
  createContainer(request: ContainerRequest, configs: ConfigPaths): Promise<string>;
  startContainer(id: string): Promise<void>;
  /** Other limits and another memory reservation for a running container. Rejects when the engine would need a new one. */
  updateContainer(id: string, resources: ResourceSpec, memorySwapBytes: number | undefined): Promise<void>;
  /** Signals, waits up to `graceMs` (absent: what the container was made with), kills. No error if it does not run. */
  stopContainer(id: string, graceMs?: number): Promise<void>;
  killContainer(id: string): Promise<void>;
  /** By force, with its anonymous volumes. No error if it is gone. */
  removeContainer(id: string): Promise<void>;
  inspectNetwork(name: string): Promise<EngineNetwork | undefined>;
  /** A bridge, whose own address is the subnet's first; `options` are its driver's. */
  createNetwork(
    name: string,
    subnet: string,
    options: Readonly<Record<string, string>>,
    labels: Readonly<Record<string, string>>,
  ): Promise<void>;
  removeNetwork(name: string): Promise<void>;
  volumeExists(name: string): Promise<boolean>;
  createVolume(volume: VolumeWork): Promise<void>;
  /** Undefined when it is not on this host. */
  inspectImage(reference: string): Promise<EngineImage | undefined>;
  pullImage(reference: string, login: RegistryLogin | undefined, onProgress: (text: string) => void): Promise<void>;
  listImages(): Promise<readonly EngineImage[]>;
  removeImage(reference: string): Promise<void>;
  /** Names of the containers that publish a host port. */
  publishersOf(port: number): Promise<readonly string[]>;
  /** Events of containers with the label. Never resolves: it rejects once the connection ends or `signal` aborts, at once where it had aborted before. `onOpen`: from now on nothing is missed. */
  events(label: string, signal: AbortSignal, onOpen: () => void, onEvent: (event: EngineEvent) => void): Promise<never>;
  logs(id: string, options: LogOptions, signal: AbortSignal): AsyncIterable<LogChunk>;
  exec(
    containerId: string,
    request: ExecRequest,
    onOutput: (stream: "stdout" | "stderr", bytes: Uint8Array) => void,
  ): Promise<ExecSession>;
}
