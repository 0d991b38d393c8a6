// What the coordinator is told of this node: boot, engine, platform, resources, ports in use. The engine's part is asked
// when the agent starts and from time to time, so that no session waits for an engine that hangs; the rest is read each time.

import type { Welcome } from "../../../src/core/protocol/frames.ts";
import type { ContainerEngine, EngineInfo } from "../../../src/ports/container-engine.ts";
import { EngineError } from "../../../src/ports/container-engine.ts";
import { ListenerReader, listeningPorts } from "./listening.ts";

export class NodeFactsReader {
  readonly #engine: ContainerEngine;
  readonly #fixed: Pick<Welcome["node"], "bootId" | "agentVersion" | "meshKey">;
  readonly #ownPorts: () => ReadonlySet<string>;
  readonly #listeners = new ListenerReader();
  #info: EngineInfo | undefined;

  /** `fixed`: what holds for as long as this agent runs; `ownPorts`: host ports ("8080/tcp") of davit's own running containers. */
  constructor(
    engine: ContainerEngine,
    fixed: Pick<Welcome["node"], "bootId" | "agentVersion" | "meshKey">,
    ownPorts: () => ReadonlySet<string>,
  ) {
    this.#engine = engine;
    this.#fixed = fixed;
    this.#ownPorts = ownPorts;
  }

  /** Where the engine keeps its data, if it ever said. */
  get engineRoot(): string | undefined {
    return this.#info?.rootDir;
  }

  /** Asks the engine about itself anew: it may have been upgraded, or given other labels. While it does not answer, what it said last stands. */
  async refresh(): Promise<void> {
    this.#info = (await this.#ask()) ?? this.#info;
  }

  /** Until the engine has answered once, its part is empty: such a node can be given nothing. */
  async read(): Promise<Welcome["node"]> {
    this.#info ??= await this.#ask();
    const info = this.#info;
    const own = this.#ownPorts();
    return {
      ...this.#fixed,
      engineVersion: info?.version ?? "",
      engineLabels: info?.labels ?? {},
      platform: { os: info?.os ?? process.platform, arch: platformArch(info?.arch ?? process.arch) },
      kernel: info?.kernel ?? "",
      resources: { cpus: info?.cpus ?? 0, memoryBytes: info?.memoryBytes ?? 0, generic: {} },
      listening: listeningPorts(own),
      listeners: this.#listeners.read(own),
    };
  }

  async #ask(): Promise<EngineInfo | undefined> {
    try {
      return await this.#engine.info();
    } catch (error) {
      if (error instanceof EngineError) return undefined;
      throw error;
    }
  }
}

/** The names that images use: amd64, arm64. */
export function platformArch(arch: string): string {
  const names: Readonly<Record<string, string>> = { x86_64: "amd64", x64: "amd64", aarch64: "arm64" };
  return names[arch] ?? arch;
}
