// What a node is to run, as the sections of its work: derived from committed records, so it needs no storage of its own. Pure.

import { ownLeaseMs } from "../lease/own-lease.ts";
import type { NodeId } from "../model/ids.ts";
import { invariant } from "../model/invariant.ts";
import { LEASE_MS } from "../model/lease.ts";
import type { HeldIds, Node, Task } from "../model/records.ts";
import {
  type ContainerSpec,
  DEFAULT_DRAIN_MS,
  isJobMode,
  type RuntimeOptions,
  type ServiceSpec,
  type TaskTemplate,
} from "../model/service-spec.ts";
import type { NodeWork, TaskWork, VolumeWork } from "../model/work.ts";
import { type State, versionKey } from "../model/world.ts";
import { fillTemplate, type TemplateValues } from "./templates.ts";

/** The key of a task's section. */
export function taskSection(taskId: string): string {
  return `task/${taskId}`;
}

/** The section that tells a node about itself. */
export function nodeWork(state: State, node: Node): NodeWork {
  const [cluster] = state.cluster.values();
  invariant(cluster !== undefined, "a node without a cluster");
  return {
    kind: "node",
    nodeId: node.id,
    nodeName: node.name,
    subnet: node.subnet,
    addressPool: cluster.addressPool,
    leaseMs: LEASE_MS,
  };
}

/** One task with all that its agent needs to run it without asking. */
export function taskWork(state: State, task: Task): TaskWork {
  const version = state.serviceVersion.get(versionKey(task.serviceId, task.specVersion));
  invariant(version !== undefined, `task ${task.id} has no spec version ${task.specVersion}`);
  invariant(
    task.nodeId !== undefined && task.address !== undefined,
    `task ${task.id} is work without a node or an address`,
  );
  const { spec } = version;
  const { template } = spec;
  return {
    kind: "task",
    taskId: task.id,
    serviceId: task.serviceId,
    serviceName: spec.name,
    ...(spec.stack === undefined ? {} : { stack: spec.stack }),
    slot: task.slot,
    specVersion: task.specVersion,
    templateHash: version.templateHash,
    desired: task.desired,
    container: filled(state, task, spec.name, withResources(template, task.generic ?? {})),
    resources: template.resources,
    health: template.health,
    restart: template.restart,
    isJob: isJobMode(spec.mode),
    settleMs: template.settleMs,
    ...leaseOf(template),
    ...(isReached(spec) ? { drainMs: spec.reach?.drainMs ?? DEFAULT_DRAIN_MS } : {}),
    address: task.address,
    hostPorts: task.hostPorts,
    volumes: volumesOf(state, task.nodeId, template),
  };
}

function leaseOf(template: TaskTemplate): { readonly leaseMs?: number } {
  const leaseMs = ownLeaseMs(template);
  return leaseMs === undefined ? {} : { leaseMs };
}

/**
 * Named resources are told to the container as Swarm tells them: `DOCKER_RESOURCE_GPU=2`, or their ids with commas. What the user says goes before.
 * Ids that the engine knows how to hand over are handed over: paths of devices, and names of the Container Device Interface.
 */
function withResources({ container, resources }: TaskTemplate, held: HeldIds): ContainerSpec {
  const entries = Object.entries(resources.reservations.generic);
  if (entries.length === 0) return container;
  const told = entries.map(([kind, amount]): [string, string] => [
    `DOCKER_RESOURCE_${kind.toUpperCase().replaceAll(/[^A-Z0-9]/g, "_")}`,
    held[kind]?.join(",") ?? String(amount),
  ]);
  return {
    ...container,
    env: { ...Object.fromEntries(told), ...container.env },
    runtime: withDevices(container, held),
  };
}

function withDevices({ runtime }: ContainerSpec, held: HeldIds): RuntimeOptions {
  const ids = Object.values(held).flat();
  const paths = ids.filter((id) => id.startsWith("/dev/"));
  const names = ids.filter((id) => CDI_NAME.test(id));
  const devices = paths.map((path) => ({ source: path, target: path, permissions: "rwm" }));
  return {
    ...runtime,
    ...(devices.length === 0 ? {} : { devices: [...(runtime.devices ?? []), ...devices] }),
    ...(names.length === 0
      ? {}
      : {
          deviceRequests: [
            ...(runtime.deviceRequests ?? []),
            { driver: "cdi", ids: names, capabilities: [], options: {} },
          ],
        }),
  };
}

/** vendor.com/class=name: https://github.com/cncf-tags/container-device-interface/blob/main/SPEC.md */
const CDI_NAME = /^[A-Za-z0-9.-]+\/[A-Za-z0-9_-]+=[^,\s]+$/;

/** Whether anybody connects to tasks of a service by its address, its names or its published ports. */
function isReached({ mode, template }: ServiceSpec): boolean {
  return !isJobMode(mode) && template.container.networkMode === undefined;
}

/** Placeholders stand in what differs from task to task: environment, host name, paths of the node. */
function filled(state: State, task: Task, serviceName: string, container: ContainerSpec): ContainerSpec {
  const { env, hostname, mounts } = container;
  const texts = [
    ...Object.values(env),
    hostname ?? "",
    ...mounts.map((mount) => (mount.kind === "bind" ? mount.source : "")),
  ];
  if (!texts.some((text) => text.includes("{{"))) return container;
  const platform = task.nodeId === undefined ? undefined : state.nodeStatus.get(task.nodeId)?.platform;
  const node = task.nodeId === undefined ? undefined : state.node.get(task.nodeId);
  const values: TemplateValues = {
    serviceId: task.serviceId,
    serviceName,
    nodeId: task.nodeId ?? "",
    nodeName: node?.name ?? "",
    os: platform?.os ?? "",
    arch: platform?.arch ?? "",
    taskId: task.id,
    taskName: `${serviceName}.${task.slot === 0 ? (node?.name ?? "") : task.slot}`,
    slot: task.slot,
  };
  const fill = (text: string): string => fillTemplate(text, values);
  return {
    ...container,
    env: Object.fromEntries(Object.entries(env).map(([name, value]) => [name, fill(value)])),
    ...(hostname === undefined ? {} : { hostname: fill(hostname) }),
    mounts: mounts.map((mount) => (mount.kind === "bind" ? { ...mount, source: fill(mount.source) } : mount)),
  };
}

/** Ids of the configs that tasks mount. */
export function mountedConfigs(tasks: Iterable<Pick<TaskWork, "container">>): ReadonlySet<string> {
  const ids = new Set<string>();
  for (const { container } of tasks)
    for (const mount of container.mounts) if (mount.kind === "config") ids.add(mount.config);
  return ids;
}

function volumesOf(state: State, nodeId: NodeId, template: TaskTemplate): readonly VolumeWork[] {
  const names = new Set<string>();
  for (const mount of template.container.mounts) if (mount.kind === "volume") names.add(mount.volume);
  const found: VolumeWork[] = [];
  for (const volume of state.volume.values()) {
    if (!names.has(volume.name)) continue;
    found.push({
      name: volume.name,
      driver: volume.driver,
      driverOpts: volume.driverOpts,
      labels: volume.labels,
      external: volume.external,
      mustExist: volume.external || (state.volumePin.get(volume.id)?.madeOn ?? []).includes(nodeId),
    });
  }
  return found.sort((a, b) => (a.name < b.name ? -1 : 1));
}
