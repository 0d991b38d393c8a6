// The work of one node as sections with hashes, made from the committed state when a session asks. Unchanged tasks keep their cached
// section: records are immutable, so the same record gives the same section.

import type { NodeId } from "../core/model/ids.ts";
import type { ServiceVersion, Task, VolumePin } from "../core/model/records.ts";
import type { LoginsWork, Work, WorkSection } from "../core/model/work.ts";
import { type State, versionKey } from "../core/model/world.ts";
import { mountedConfigs, nodeWork, taskSection, taskWork } from "../core/work/work-of.ts";
import type { Hasher } from "../ports/hasher.ts";

type Section = Work["sections"][string];
type Cached = {
  readonly version: ServiceVersion | undefined;
  readonly pins: readonly (VolumePin | undefined)[];
  readonly section: Section;
};

export type WorkDocumentsInput = {
  readonly hasher: Hasher;
  /** Opens a sealed registry password. */
  readonly unseal: (sealed: string) => string;
};

export class WorkDocuments {
  readonly #input: WorkDocumentsInput;
  readonly #cache = new WeakMap<Task, Cached>();

  constructor(input: WorkDocumentsInput) {
    this.#input = input;
  }

  /** All sections of a node's work now; none for a node that is not in the state. `taskIds`: the tasks placed there. */
  sectionsOf(state: State, id: NodeId, taskIds: Iterable<string>): Work["sections"] {
    const node = state.node.get(id);
    if (node === undefined) return {};
    const sections: Record<string, Section> = {
      node: this.#hashed(nodeWork(state, node)),
      logins: this.#logins(state),
    };
    for (const taskId of taskIds) {
      const task = state.task.get(taskId);
      if (task !== undefined) sections[taskSection(taskId)] = this.#taskSection(state, task);
    }
    return sections;
  }

  #taskSection(state: State, task: Task): Section {
    const version = state.serviceVersion.get(versionKey(task.serviceId, task.specVersion));
    const pins = task.volumes.map((name) => pinOf(state, name));
    const cached = this.#cache.get(task);
    if (cached !== undefined && cached.version === version && cached.pins.every((pin, at) => pin === pins[at]))
      return cached.section;
    const section = this.#hashed(taskWork(state, task));
    this.#cache.set(task, { version, pins, section });
    return section;
  }

  #hashed(content: WorkSection): Section {
    return { hash: this.#input.hasher.hash(JSON.stringify(content)), content };
  }

  /** The hash is over the sealed texts: a hash of passwords would be a way to guess them. */
  #logins(state: State): Section {
    const sealed = [...state.registryLogin.values()].sort((a, b) => (a.id < b.id ? -1 : 1));
    const logins: Record<string, LoginsWork["logins"][string]> = {};
    for (const login of sealed)
      logins[login.id] = { username: login.username, password: this.#input.unseal(login.sealedPassword) };
    return { hash: this.#input.hasher.hash(JSON.stringify(sealed)), content: { kind: "logins", logins } };
  }
}

function pinOf(state: State, volumeName: string): VolumePin | undefined {
  for (const volume of state.volume.values()) if (volume.name === volumeName) return state.volumePin.get(volume.id);
  return undefined;
}

/** Base64 of a config, if one of these tasks mounts it. */
export function configOf(state: State, taskIds: Iterable<string>, config: string): string | undefined {
  for (const taskId of taskIds) {
    const task = state.task.get(taskId);
    const version =
      task === undefined ? undefined : state.serviceVersion.get(versionKey(task.serviceId, task.specVersion));
    if (version !== undefined && mountedConfigs([version.spec.template]).has(config))
      return state.configFile.get(config)?.data;
  }
  return undefined;
}
