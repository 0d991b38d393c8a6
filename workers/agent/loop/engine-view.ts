// What the agent believes the engine has: this cluster's containers, and looked-up facts on images, volumes and the bridge. Fed by
// the results of its own operations, by events, and by a full list at each (re)connection and from time to time: events may be lost.

import type { ContainerEngine, EngineContainer, EngineEvent } from "../../../src/ports/container-engine.ts";
import type { BridgeFact, ConfigFact, ImageFact, SeenContainer, VolumeFact } from "../plan/types.ts";

/** Inspections at once in a full look. */
const PARALLEL_LOOKS = 8;
/** Events after which a container must be looked at again. Exec events, which every command probe makes, are not among them. */
const TELLING = /^(die|start|pause|unpause|health_status)/;

export class EngineView {
  readonly #engine: ContainerEngine;
  readonly #label: string;
  readonly #containers = new Map<string, SeenContainer>();
  readonly images = new Map<string, ImageFact>();
  readonly volumes = new Map<string, VolumeFact>();
  /** Configs that could not be fetched. */
  readonly configs = new Map<string, ConfigFact>();
  bridge: BridgeFact | undefined;

  constructor(engine: ContainerEngine, clusterId: string) {
    this.#engine = engine;
    this.#label = `davit.cluster=${clusterId}`;
  }

  get containers(): readonly SeenContainer[] {
    return [...this.#containers.values()];
  }

  get label(): string {
    return this.#label;
  }

  container(id: string): SeenContainer | undefined {
    return this.#containers.get(id);
  }

  put(container: SeenContainer): void {
    this.#containers.set(container.id, container);
  }

  delete(id: string): void {
    this.#containers.delete(id);
  }

  /** Facts that may have changed while nobody was looking. */
  forgetFacts(): void {
    this.images.clear();
    this.volumes.clear();
    this.bridge = undefined;
  }

  /** A full look. What ended since the last one ended unseen. */
  async refresh(): Promise<void> {
    const before = new Set(this.#containers.keys());
    const listed = await this.#engine.listContainers(this.#label);
    const changed = listed.filter((container) => this.#containers.get(container.id)?.state !== container.state);
    await inParallel(changed, (container) => this.look(container.id, true));
    const there = new Set(listed.map((container) => container.id));
    // one made during the look is in neither list
    for (const id of before) if (!there.has(id)) this.#containers.delete(id);
  }

  /** Looks at one container. `unseen`: nobody told; if it has ended, it did so while nobody watched. */
  async look(id: string, unseen = false): Promise<void> {
    const container = await this.#engine.inspectContainer(id);
    if (container === undefined) return void this.#containers.delete(id);
    const known = this.#containers.get(id);
    const ended = isEnded(container);
    const examined = ended && known?.examined !== undefined ? { examined: known.examined } : {};
    const endedUnseen =
      ended && (known?.endedUnseen === true || (unseen && !(known !== undefined && isEnded(known))))
        ? { endedUnseen: true }
        : {};
    this.#containers.set(id, { ...container, ...examined, ...endedUnseen });
  }

  /** Takes an event in; resolves to whether anything may have changed. */
  async receive(event: EngineEvent): Promise<boolean> {
    if (event.kind !== "container") return false;
    if (event.action === "destroy") return this.#containers.delete(event.containerId);
    if (!TELLING.test(event.action)) return false;
    await this.look(event.containerId);
    return true;
  }
}

function isEnded(container: EngineContainer): boolean {
  return container.state === "exited" || container.state === "dead";
}

async function inParallel<Item>(items: readonly Item[], work: (item: Item) => Promise<void>): Promise<void> {
  const queue = [...items];
  const worker = async (): Promise<void> => {
    for (let item = queue.shift(); item !== undefined; item = queue.shift()) await work(item);
  };
  await Promise.all(Array.from({ length: PARALLEL_LOOKS }, worker));
}
