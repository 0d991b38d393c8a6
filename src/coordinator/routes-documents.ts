// The routes as sections with hashes, the same for every node. It follows commits: only sections whose records changed are made anew, so
// that one change among a thousand services costs one section.

import type { NodeId, ServiceId, TaskId } from "../core/model/ids.ts";
import { asId } from "../core/model/ids.ts";
import type { Change, Task } from "../core/model/records.ts";
import type { Routes, RoutesSection } from "../core/model/routes.ts";
import type { State } from "../core/model/world.ts";
import { MESH_SECTION, meshRoutes, networkRoutes, networkSection } from "../core/routes/cluster-routes.ts";
import {
  CHALLENGE_SECTION,
  certificateRoutes,
  certificateSection,
  challengeRoutes,
  ingressRoutes,
  ingressSection,
} from "../core/routes/ingress-routes.ts";
import { serviceRoutes, serviceSection } from "../core/routes/service-routes.ts";
import { isNodeLost } from "../core/routes/standing.ts";
import type { Hasher } from "../ports/hasher.ts";

type Section = Routes["sections"][string];
type Place = { readonly serviceId: ServiceId; readonly nodeId: NodeId | undefined };

export class RoutesDocuments {
  readonly #hasher: Hasher;
  readonly #places = new Map<string, Place>();
  readonly #tasksOf = new Map<string, Set<string>>();
  /** Services whose sections must be made anew. */
  readonly #dirty = new Set<string>();
  readonly #dirtyCertificates = new Set<string>();
  readonly #unseal: (sealed: string) => string;
  readonly #lost = new Set<string>();
  #isClusterDirty = true;
  #areNetworksDirty = true;
  #sections: Record<string, Section> = {};
  #version = 0;

  /** `unseal`: the clear text of what the store keeps sealed. */
  constructor(hasher: Hasher, state: State, unseal: (sealed: string) => string) {
    this.#hasher = hasher;
    this.#unseal = unseal;
    for (const id of state.certificate.keys()) this.#dirtyCertificates.add(id);
    for (const task of state.task.values()) this.#place(task);
    for (const id of state.service.keys()) this.#dirty.add(id);
    for (const id of state.node.keys()) this.#followLoss(asId(id), state);
  }

  /** Call it with each commit, in order. */
  follow(changes: readonly Change[], state: State): void {
    for (const change of changes) {
      const id = change.op === "put" ? change.record.id : change.id;
      switch (change.kind) {
        case "cluster":
          this.#isClusterDirty = true;
          break;
        case "node":
        case "nodeStatus":
          this.#isClusterDirty = true;
          this.#followLoss(asId(id), state);
          break;
        case "network":
          this.#areNetworksDirty = true;
          break;
        case "certificate":
          this.#dirtyCertificates.add(id);
          break;
        case "service":
          this.#dirty.add(id);
          this.#followCallers();
          break;
        case "serviceVersion":
          this.#dirty.add(change.op === "put" ? change.record.serviceId : (id.split("/")[0] ?? ""));
          break;
        case "task":
          this.#followTask(change);
          break;
        case "taskStatus": {
          const place = this.#places.get(id);
          if (place !== undefined) this.#dirty.add(place.serviceId);
          break;
        }
        default:
      }
    }
  }

  /** All sections of the state that was followed to; `version` grows whenever one differs. */
  sections(state: State): { readonly version: number; readonly sections: Routes["sections"] } {
    const put: [string, RoutesSection | undefined][] = [];
    if (this.#isClusterDirty) put.push([MESH_SECTION, meshRoutes(state)]);
    if (this.#areNetworksDirty) put.push(...this.#networks(state));
    for (const id of this.#dirty) {
      const tasks = [...(this.#tasksOf.get(id) ?? [])].flatMap((taskId) => state.task.get(taskId) ?? []);
      put.push([serviceSection(id), serviceRoutes(state, asId(id), tasks)]);
      put.push([ingressSection(id), ingressRoutes(state, asId(id))]);
    }
    if (this.#dirtyCertificates.size > 0) put.push(...this.#certificates(state));
    this.#isClusterDirty = false;
    this.#areNetworksDirty = false;
    this.#dirty.clear();
    this.#dirtyCertificates.clear();
    this.#take(put);
    return { version: this.#version, sections: this.#sections };
  }

  #take(put: readonly (readonly [string, RoutesSection | undefined])[]): void {
    const differing = put.flatMap(([key, content]): [string, Section | undefined][] => {
      const hash = content === undefined ? undefined : this.#hasher.hash(JSON.stringify(content));
      if (hash === this.#sections[key]?.hash) return [];
      return [[key, content === undefined || hash === undefined ? undefined : { hash, content }]];
    });
    if (differing.length === 0) return;
    // sessions may still look at the record of before
    const sections = { ...this.#sections };
    for (const [key, section] of differing) {
      if (section === undefined) delete sections[key];
      else sections[key] = section;
    }
    this.#sections = sections;
    this.#version += 1;
  }

  #certificates(state: State): [string, RoutesSection | undefined][] {
    const put = [...this.#dirtyCertificates].map((id): [string, RoutesSection | undefined] => {
      const record = state.certificate.get(id);
      return [certificateSection(id), record === undefined ? undefined : certificateRoutes(record, this.#unseal)];
    });
    return [...put, [CHALLENGE_SECTION, challengeRoutes(state.certificate.values())]];
  }

  #networks(state: State): [string, RoutesSection | undefined][] {
    const wanted = new Map([...state.network.values()].map((network) => [networkSection(network.name), network]));
    const gone = Object.keys(this.#sections).filter((key) => key.startsWith("network/") && !wanted.has(key));
    return [
      ...[...wanted].map(([key, network]): [string, RoutesSection] => [key, networkRoutes(network)]),
      ...gone.map((key): [string, undefined] => [key, undefined]),
    ];
  }

  /** A node that is lost, back or gone changes the standing of every endpoint there. */
  #followLoss(nodeId: NodeId, state: State): void {
    const isLost = isNodeLost(state, nodeId);
    if (isLost === this.#lost.has(nodeId)) return;
    if (isLost) this.#lost.add(nodeId);
    else this.#lost.delete(nodeId);
    for (const place of this.#places.values()) if (place.nodeId === nodeId) this.#dirty.add(place.serviceId);
  }

  /** Rules name their callers, whose ids are known only while they are there. */
  #followCallers(): void {
    for (const { content } of Object.values(this.#sections))
      if (content.kind === "service" && content.policy !== undefined) this.#dirty.add(content.serviceId);
  }

  #followTask(change: Extract<Change, { kind: "task" }>): void {
    const id = change.op === "put" ? change.record.id : change.id;
    const before = this.#places.get(id);
    if (before !== undefined) this.#dirty.add(before.serviceId);
    if (change.op === "put") return this.#place(change.record);
    this.#places.delete(id);
    if (before === undefined) return;
    const tasks = this.#tasksOf.get(before.serviceId);
    tasks?.delete(id);
    if (tasks?.size === 0) this.#tasksOf.delete(before.serviceId);
  }

  #place({ id, serviceId, nodeId }: Task): void {
    this.#places.set(id, { serviceId, nodeId });
    const tasks = this.#tasksOf.get(serviceId) ?? new Set<string>();
    this.#tasksOf.set(serviceId, tasks.add(id satisfies TaskId));
    this.#dirty.add(serviceId);
  }
}
