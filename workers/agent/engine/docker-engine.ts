// The ContainerEngine port on Docker's API over its unix socket. Each method is one or two calls; decisions are the planner's.

import type { ResourceSpec } from "../../../src/core/model/service-spec.ts";
import type { VolumeWork } from "../../../src/core/model/work.ts";
import {
  type ConfigPaths,
  type ContainerEngine,
  type ContainerRequest,
  type EngineContainer,
  EngineError,
  type EngineEvent,
  type EngineImage,
  type EngineInfo,
  type EngineNetwork,
  type ExecRequest,
  type ExecSession,
  type LogChunk,
  type LogOptions,
  type RegistryLogin,
} from "../../../src/ports/container-engine.ts";
import { renderCreateBody, renderUpdateBody } from "./create-body.ts";
import { lackOf } from "./engine-limits.ts";
import { startExec } from "./exec.ts";
import { bodyOf, CALL_TIMEOUT_MS, EngineHttp, engineError } from "./http-client.ts";
import { splitReference } from "./image-reference.ts";
import { readJsonLines } from "./json-lines.ts";
import { LogFrameDecoder } from "./log-frames.ts";
import {
  type InspectJson,
  type ImageJson,
  type InfoJson,
  type ListJson,
  type NetworkJson,
  readContainer,
  readImage,
  readListed,
  readMembers,
} from "./wire.ts";

/** Creating waits for the disk, starting for the network and the runtime: on a busy machine with thirty at once, tens of seconds. */
const START_TIMEOUT_MS = 120_000;
/** Between the end of the grace and the engine's word that the container is dead. */
const STOP_MARGIN_MS = 15_000;
/** A stop whose grace only the container knows. */
const UNKNOWN_STOP_TIMEOUT_MS = 660_000;
/** Without a line of progress for so long a pull is given up. */
const PULL_SILENCE_MS = 120_000;

/** What changes a container's state. Not exec's events: a node with many command probes would hear little else. */
const EVENTS = ["create", "start", "die", "pause", "unpause", "destroy", "health_status"];

export class DockerEngine implements ContainerEngine {
  readonly #http: EngineHttp;

  constructor(socketPath: string) {
    this.#http = new EngineHttp(socketPath);
  }

  async ping(): Promise<void> {
    await this.#http.negotiate();
  }

  async info(): Promise<EngineInfo> {
    const info = (await this.#http.json("/info", { what: "ask the container engine about itself" })) as InfoJson;
    return {
      version: info.ServerVersion,
      labels: Object.fromEntries(
        (info.Labels ?? []).map((label) => [label.split("=")[0] ?? label, label.slice(label.indexOf("=") + 1)]),
      ),
      os: info.OSType,
      arch: info.Architecture,
      kernel: info.KernelVersion,
      cpus: info.NCPU,
      memoryBytes: info.MemTotal,
      rootDir: info.DockerRootDir,
    };
  }

  async listContainers(label: string): Promise<readonly EngineContainer[]> {
    const query = { all: "1", filters: JSON.stringify({ label: [label] }) };
    const list = (await this.#http.json("/containers/json", { query, what: "list containers" })) as readonly ListJson[];
    return list.map(readListed);
  }

  async inspectContainer(id: string): Promise<EngineContainer | undefined> {
    const json = await unlessMissing(
      this.#http.json(`/containers/${id}/json`, { what: `inspect container ${id.slice(0, 12)}` }),
    );
    return json === undefined ? undefined : readContainer(json as InspectJson);
  }

  async createContainer(request: ContainerRequest, configs: ConfigPaths): Promise<string> {
    const lack = lackOf(request.task.container, await this.#http.version());
    if (lack !== undefined) throw new EngineError("invalid", lack);
    const created = (await this.#http.json("/containers/create", {
      method: "POST",
      query: { name: request.name },
      body: renderCreateBody(request, configs),
      timeoutMs: START_TIMEOUT_MS,
      what: `create container ${request.name}`,
    })) as { readonly Id: string };
    return created.Id;
  }

  async startContainer(id: string): Promise<void> {
    await this.#post(`/containers/${id}/start`, {}, START_TIMEOUT_MS, "start container");
  }

  async updateContainer(id: string, resources: ResourceSpec, memorySwapBytes: number | undefined): Promise<void> {
    await this.#http.json(`/containers/${id}/update`, {
      method: "POST",
      body: renderUpdateBody(resources, memorySwapBytes),
      what: `change the limits of container ${id.slice(0, 12)}`,
    });
  }

  async stopContainer(id: string, graceMs?: number): Promise<void> {
    const query: Record<string, string> = graceMs === undefined ? {} : { t: String(Math.ceil(graceMs / 1_000)) };
    const timeoutMs = graceMs === undefined ? UNKNOWN_STOP_TIMEOUT_MS : graceMs + STOP_MARGIN_MS;
    await unlessMissing(this.#post(`/containers/${id}/stop`, query, timeoutMs, "stop container"));
  }

  async killContainer(id: string): Promise<void> {
    await unlessMissing(this.#post(`/containers/${id}/kill`, {}, CALL_TIMEOUT_MS, "kill container"), [
      "not_found",
      "conflict",
    ]);
  }

  async removeContainer(id: string): Promise<void> {
    const call = {
      method: "DELETE",
      query: { force: "1", v: "1" },
      what: `remove container ${id.slice(0, 12)}`,
    } as const;
    await unlessMissing(this.#http.json(`/containers/${id}`, call));
  }

  async #post(path: string, query: Readonly<Record<string, string>>, timeoutMs: number, what: string): Promise<void> {
    await this.#http.json(path, { method: "POST", query, timeoutMs, what });
  }

  async inspectNetwork(name: string): Promise<EngineNetwork | undefined> {
    const json = (await unlessMissing(this.#http.json(`/networks/${name}`, { what: `inspect network ${name}` }))) as
      | NetworkJson
      | undefined;
    if (json === undefined) return undefined;
    return {
      id: json.Id,
      subnet: json.IPAM?.Config?.[0]?.Subnet ?? "",
      members: readMembers(json),
      options: json.Options ?? {},
    };
  }

  async createNetwork(
    name: string,
    subnet: string,
    options: Readonly<Record<string, string>>,
    labels: Readonly<Record<string, string>>,
  ): Promise<void> {
    const gateway = subnet.replace(/\d+\/\d+$/, "1");
    const body = {
      Name: name,
      CheckDuplicate: true,
      Driver: "bridge",
      IPAM: { Driver: "default", Config: [{ Subnet: subnet, Gateway: gateway }] },
      Options: options,
      Labels: labels,
    };
    await this.#http.json("/networks/create", { method: "POST", body, what: `create network ${name} with ${subnet}` });
  }

  async removeNetwork(name: string): Promise<void> {
    await unlessMissing(this.#http.json(`/networks/${name}`, { method: "DELETE", what: `remove network ${name}` }));
  }

  async volumeExists(name: string): Promise<boolean> {
    const json = await unlessMissing(
      this.#http.json(`/volumes/${encodeURIComponent(name)}`, { what: `inspect volume ${name}` }),
    );
    return json !== undefined;
  }

  async createVolume(volume: VolumeWork): Promise<void> {
    const body = { Name: volume.name, Driver: volume.driver, DriverOpts: volume.driverOpts, Labels: volume.labels };
    await this.#http.json("/volumes/create", {
      method: "POST",
      body,
      timeoutMs: START_TIMEOUT_MS,
      what: `create volume ${volume.name}`,
    });
  }

  async inspectImage(reference: string): Promise<EngineImage | undefined> {
    const json = await unlessMissing(
      this.#http.json(`/images/${reference}/json`, { what: `inspect image ${reference}` }),
    );
    return json === undefined ? undefined : readImage(json as ImageJson);
  }

  async pullImage(
    reference: string,
    login: RegistryLogin | undefined,
    onProgress: (text: string) => void,
  ): Promise<void> {
    const { repository, tag } = splitReference(reference);
    const what = `pull image ${reference}`;
    const auth =
      login === undefined ? {} : { "x-registry-auth": Buffer.from(JSON.stringify(login)).toString("base64url") };
    const silence = new AbortController();
    const giveUp = (): void =>
      silence.abort(new EngineError("timeout", `${what}: no progress for ${PULL_SILENCE_MS / 1_000} s`));
    let timer = setTimeout(giveUp, PULL_SILENCE_MS);
    try {
      const call = {
        method: "POST",
        query: { fromImage: repository, tag },
        headers: auth,
        timeoutMs: 0,
        signal: silence.signal,
        what,
      } as const;
      const response = await this.#http.open("/images/create", call);
      for await (const line of readJsonLines(bodyOf(response, call))) {
        clearTimeout(timer);
        timer = setTimeout(giveUp, PULL_SILENCE_MS);
        const { error, status } = line as { readonly error?: string; readonly status?: string };
        if (error !== undefined) throw engineError(500, error, what);
        if (status !== undefined) onProgress(status);
      }
    } catch (error) {
      throw silence.signal.aborted ? (silence.signal.reason as Error) : error;
    } finally {
      clearTimeout(timer);
    }
  }

  async listImages(): Promise<readonly EngineImage[]> {
    const list = (await this.#http.json("/images/json", { what: "list images" })) as readonly {
      readonly Id: string;
      readonly RepoTags?: readonly string[] | null;
      readonly Created: number;
      readonly Size: number;
    }[];
    return list.map((image) => ({
      id: image.Id,
      tags: image.RepoTags ?? [],
      createdAtMs: image.Created * 1_000,
      sizeBytes: image.Size,
      hasHealthCheck: false,
    }));
  }

  async removeImage(reference: string): Promise<void> {
    await unlessMissing(
      this.#http.json(`/images/${reference}`, { method: "DELETE", what: `remove image ${reference}` }),
      ["not_found", "image_not_found"],
    );
  }

  async publishersOf(port: number): Promise<readonly string[]> {
    const query = { filters: JSON.stringify({ publish: [String(port)] }) };
    const list = (await this.#http.json("/containers/json", { query, what: "list containers" })) as readonly ListJson[];
    return list.map((container) => readListed(container).name);
  }

  async events(
    label: string,
    signal: AbortSignal,
    onOpen: () => void,
    onEvent: (event: EngineEvent) => void,
  ): Promise<never> {
    const query = { filters: JSON.stringify({ label: [label], type: ["container"], event: EVENTS }) };
    const call = { query, timeoutMs: 0, signal, what: "follow the engine's events" };
    const response = await this.#http.open("/events", call);
    onOpen();
    for await (const line of readJsonLines(bodyOf(response, call))) {
      const { Action = "", Actor } = line as { readonly Action?: string; readonly Actor?: { readonly ID?: string } };
      if (Actor?.ID !== undefined) onEvent({ kind: "container", action: Action, containerId: Actor.ID });
    }
    throw new EngineError("unreachable", "follow the engine's events: the connection ended");
  }

  async *logs(id: string, options: LogOptions, signal: AbortSignal): AsyncGenerator<LogChunk> {
    const query: Record<string, string> = {
      stdout: "1",
      stderr: "1",
      timestamps: options.timestamps ? "1" : "0",
      follow: options.follow ? "1" : "0",
    };
    if (options.tail !== undefined) query["tail"] = String(options.tail);
    if (options.sinceMs !== undefined) query["since"] = (options.sinceMs / 1_000).toFixed(3);
    const call = { query, timeoutMs: 0, signal, what: `read logs of ${id.slice(0, 12)}` };
    const response = await this.#http.open(`/containers/${id}/logs`, call);
    const decoder = new LogFrameDecoder();
    for await (const bytes of bodyOf(response, call)) {
      if (options.tty) yield { stream: "stdout", bytes };
      else yield* decoder.push(bytes);
    }
  }

  exec(
    containerId: string,
    request: ExecRequest,
    onOutput: (stream: "stdout" | "stderr", bytes: Uint8Array) => void,
  ): Promise<ExecSession> {
    return startExec(this.#http, containerId, request, onOutput);
  }
}

/** The answer, or undefined when the engine says that there is no such thing. */
async function unlessMissing<Answer>(
  answer: Promise<Answer>,
  faults: readonly string[] = ["not_found", "image_not_found"],
): Promise<Answer | undefined> {
  try {
    return await answer;
  } catch (error) {
    if (error instanceof EngineError && faults.includes(error.fault)) return undefined;
    throw error;
  }
}
