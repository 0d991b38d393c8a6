// What an attempt needs before its container can be made: the bridge, the image, the volumes, the configs, its host ports. Gives the operations
// that find out or provide what is missing, or says why the attempt cannot begin. Pure.

import { asId } from "../../../src/core/model/ids.ts";
import type { HostPort } from "../../../src/core/model/records.ts";
import type { ConfigMount } from "../../../src/core/model/service-spec.ts";
import type { VolumeWork, TaskWork } from "../../../src/core/model/work.ts";
import { ADDRESS_LABEL } from "./container-request.ts";
import { BRIDGE, isUp, type Operation, type PlanInput, type TaskRun } from "./types.ts";

/** How long a failed look at the bridge, or a wrong bridge, is left alone before looking again. */
export const BRIDGE_RETRY_MS = 5_000;
/** How often a port or an address that another of our containers still holds is looked at again; its end wakes the planner anyway. */
const HOLDER_RETRY_MS = 1_000;

export type Preparation =
  | { readonly kind: "ready" }
  | { readonly kind: "working"; readonly operations: readonly Operation[] }
  | { readonly kind: "waiting"; readonly reason: string; readonly wakeAtMs: number }
  | { readonly kind: "refused"; readonly reason: string };

/** Everything that must be there first. Refusals win over waits, waits over work. */
export function planPrepare(input: PlanInput, work: TaskWork, run: TaskRun): Preparation {
  const parts = [
    prepareBridge(input),
    prepareNetwork(input, work),
    prepareAddress(input, work),
    prepareImage(input, work, run),
    ...work.volumes.map((volume) => prepareVolume(input, volume, run)),
    ...work.container.mounts.flatMap((mount) => (mount.kind === "config" ? [prepareConfig(input, mount, run)] : [])),
    preparePorts(input, work),
  ];
  const refused = parts.find((part) => part.kind === "refused");
  if (refused !== undefined) return refused;
  const operations = parts.flatMap((part) => (part.kind === "working" ? part.operations : []));
  if (operations.length > 0) return { kind: "working", operations };
  return parts.find((part) => part.kind === "waiting") ?? { kind: "ready" };
}

/** Whether something that was looked at may be looked at again. A wall clock that was set back must not put that off. */
function isDue(atMs: number, nowMs: number): boolean {
  return nowMs >= atMs + BRIDGE_RETRY_MS || nowMs < atMs;
}

/** Whether a fact is of this attempt; one from the future is from before the wall clock was set back. */
function isOfAttempt(atMs: number, run: TaskRun, nowMs: number): boolean {
  return atMs >= run.attemptAtMs && atMs <= nowMs;
}

function working(operation: Operation): Preparation {
  return { kind: "working", operations: [operation] };
}

function prepareBridge(input: PlanInput): Preparation {
  const { bridge, node, nowMs } = input;
  const subject = "bridge";
  if (node === undefined)
    return { kind: "waiting", reason: "the node has no subnet yet", wakeAtMs: nowMs + BRIDGE_RETRY_MS };
  if (bridge === undefined) return working({ kind: "inspectBridge", pool: "look", subject });
  switch (bridge.kind) {
    case "missing":
      return working({ kind: "createBridge", pool: "make", subject, subnet: node.subnet });
    case "failed":
      if (isDue(bridge.atMs, nowMs)) return working({ kind: "inspectBridge", pool: "look", subject });
      return {
        kind: "waiting",
        reason: `network ${BRIDGE}: ${bridge.reason}`,
        wakeAtMs: bridge.atMs + BRIDGE_RETRY_MS,
      };
    case "present":
      if (bridge.subnet === node.subnet && bridge.fault === undefined) return { kind: "ready" };
      if (bridge.containers === 0)
        return working({ kind: "removeBridge", pool: "make", subject, subnet: bridge.subnet });
      if (isDue(bridge.atMs, nowMs)) return working({ kind: "inspectBridge", pool: "look", subject });
      return {
        kind: "waiting",
        reason:
          bridge.subnet === node.subnet
            ? `network ${BRIDGE} on ${node.nodeName} was not made for a mesh (${bridge.fault}), and has ${bridge.containers} containers: once none is on it, it is made anew (davit node drain ${node.nodeName})`
            : `network ${BRIDGE} on ${node.nodeName} has ${bridge.subnet} instead of ${node.subnet}, and ${bridge.containers} containers: remove them and the network`,
        wakeAtMs: bridge.atMs + BRIDGE_RETRY_MS,
      };
  }
}

/** Whatever puts it in force wakes the planner. */
function prepareNetwork({ network, node }: PlanInput, { taskId }: TaskWork): Preparation {
  if (network.isInForceFor(taskId)) return { kind: "ready" };
  const reason = `waits for its network on ${node?.nodeName ?? "this node"}: ${network.reason}`;
  return { kind: "waiting", reason, wakeAtMs: Infinity };
}

/** A node that was called dead while it lived may come back with containers whose addresses were given away meanwhile. */
function prepareAddress(input: PlanInput, { address, taskId }: TaskWork): Preparation {
  const holder = input.containers.find(
    (container) =>
      isUp(container) && container.labels[ADDRESS_LABEL] === address && container.labels["davit.task"] !== taskId,
  );
  if (holder === undefined) return { kind: "ready" };
  const reason = `waits for its address ${address}, still held by ${holder.name}`;
  return { kind: "waiting", reason, wakeAtMs: input.nowMs + HOLDER_RETRY_MS };
}

function prepareImage(input: PlanInput, work: TaskWork, run: TaskRun): Preparation {
  const { image, pullPolicy } = work.container;
  const fact = input.images.get(image);
  const subject = `image/${image}`;
  const nodeName = input.node?.nodeName ?? "this node";
  if (fact === undefined) return working({ kind: "inspectImage", pool: "look", subject, image });
  switch (fact.kind) {
    case "failed":
      if (isOfAttempt(fact.atMs, run, input.nowMs)) return { kind: "refused", reason: fact.reason };
      return working({ kind: "inspectImage", pool: "look", subject, image });
    case "missing":
      if (pullPolicy === "never")
        return { kind: "refused", reason: `image ${image} is not on ${nodeName}, and its pull policy is never` };
      return working({ kind: "pull", pool: "pull", subject, image });
    case "present":
      // only a task's first attempt asks the registry again: its later attempts must run what the first one ran
      if (pullPolicy === "always" && run.status.attempt === 1 && (fact.pulledAtMs ?? 0) < run.attemptAtMs) {
        return working({ kind: "pull", pool: "pull", subject, image });
      }
      return { kind: "ready" };
  }
}

function prepareVolume(input: PlanInput, volume: VolumeWork, run: TaskRun): Preparation {
  const { name } = volume;
  const subject = `volume/${name}`;
  const fact = input.volumes.get(name);
  if (fact === undefined || !isOfAttempt(fact.atMs, run, input.nowMs))
    return working({ kind: "inspectVolume", pool: "look", subject, volume: name });
  switch (fact.kind) {
    case "present":
      return { kind: "ready" };
    case "failed":
      return { kind: "refused", reason: fact.reason };
    case "missing": {
      const nodeName = input.node?.nodeName ?? "this node";
      if (volume.external)
        return {
          kind: "refused",
          reason: `external volume ${name} is not on ${nodeName}: create it there with \`docker volume create ${name}\``,
        };
      if (volume.mustExist) {
        return {
          kind: "refused",
          reason: `volume ${name} is gone from ${nodeName}, where its data was: restore it, or remove the volume from davit to begin with an empty one`,
        };
      }
      return working({ kind: "createVolume", pool: "make", subject, volume });
    }
  }
}

function prepareConfig(input: PlanInput, { config, name }: ConfigMount, run: TaskRun): Preparation {
  if (input.heldConfigs.has(config)) return { kind: "ready" };
  const fact = input.configs.get(config);
  if (fact !== undefined && isOfAttempt(fact.atMs, run, input.nowMs)) return { kind: "refused", reason: fact.reason };
  if (!input.isConnected) {
    // a session that opens wakes the planner
    const reason = `config ${name} has not arrived on ${input.node?.nodeName ?? "this node"}, and no coordinator is connected that could send it`;
    return { kind: "waiting", reason, wakeAtMs: Infinity };
  }
  return working({ kind: "fetchConfig", pool: "make", subject: `config/${config}`, config, name });
}

function preparePorts(input: PlanInput, work: TaskWork): Preparation {
  for (const port of work.hostPorts) {
    const text = `${port.published}/${port.protocol}`;
    const holder = ownHolder(input, work, port);
    if (holder !== undefined)
      return {
        kind: "waiting",
        reason: `waits for port ${text}, still held by ${holder}`,
        wakeAtMs: input.nowMs + HOLDER_RETRY_MS,
      };
    const owner = input.portOwner(text, port.hostIp);
    if (owner !== undefined) {
      return {
        kind: "refused",
        reason: `port ${text} is taken on ${input.node?.nodeName ?? "this node"} by ${owner}: free it, or publish another port`,
      };
    }
  }
  return { kind: "ready" };
}

/** Name of another of our running containers that publishes the port on an address in common. */
function ownHolder(input: PlanInput, work: TaskWork, wanted: HostPort): string | undefined {
  const text = `${wanted.published}/${wanted.protocol}`;
  for (const container of input.containers) {
    const taskId = container.labels["davit.task"];
    if (container.state !== "running" || taskId === work.taskId) continue;
    if (!(container.labels["davit.ports"] ?? "").split(",").includes(text)) continue;
    const ports = input.tasks.get(asId<"task">(taskId ?? ""))?.hostPorts ?? [];
    const held = ports.find((port) => port.published === wanted.published && port.protocol === wanted.protocol);
    if (held?.hostIp === undefined || wanted.hostIp === undefined || held.hostIp === wanted.hostIp)
      return container.name;
  }
  return undefined;
}
