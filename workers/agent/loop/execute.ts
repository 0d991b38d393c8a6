// Runs one operation against the engine and gives back what became of it, as data. No choices here: what to do was decided by the
// plan, what it means is decided in outcome.ts.

import type { TaskId } from "../../../src/core/model/ids.ts";
import { DavitError, reasonOf } from "../../../src/core/model/errors.ts";
import type { LoginsWork, TaskWork } from "../../../src/core/model/work.ts";
import {
  type ConfigPaths,
  type ContainerEngine,
  type ContainerRequest,
  EngineError,
} from "../../../src/ports/container-engine.ts";
import type { ConnectionCounter } from "../../../src/ports/node-network.ts";
import type { Clock } from "../../../src/ports/clock.ts";
import { bridgeFault } from "../engine/bridge-options.ts";
import { RESOLV_CONF } from "../engine/create-body.ts";
import { registryOf } from "../engine/image-reference.ts";
import { BRIDGE, type ImageFact, type Operation, type Outcome } from "../plan/types.ts";
import type { ConfigStore } from "../configs/config-store.ts";
import type { EngineView } from "./engine-view.ts";
import { runPostStart, runPreStop } from "./hooks.ts";
import { lastLines } from "./last-lines.ts";

/** What containers need of the host to be in the cluster's network. */
export type Wiring = {
  /** How the engine is to make the bridge of this name. */
  readonly bridgeOptions: (name: string) => Promise<Readonly<Record<string, string>>>;
  /** The file that a task is shown as its resolv.conf; undefined where it has none of ours. */
  readonly resolvConf: (task: TaskWork) => string | undefined;
};

export type ExecuteContext = {
  readonly engine: ContainerEngine;
  readonly view: EngineView;
  readonly clock: Clock;
  readonly logins: () => LoginsWork["logins"];
  readonly configs: ConfigStore;
  readonly wiring: Wiring;
  /** Contents of a config, from the coordinator. Rejects with DavitError. */
  readonly fetchConfig: (config: string) => Promise<Uint8Array>;
  readonly connections: ConnectionCounter | undefined;
  /** Whether a task may be started at this moment: asked after whatever was waited for. */
  readonly mayStart: (taskId: TaskId) => boolean;
  /** Makes what is remembered durable: before a container is made or its traces go. */
  readonly flush: () => Promise<void>;
  readonly onProgress: (operation: Operation, text: string) => void;
  /** Something went wrong that changes nothing. */
  readonly note: (text: string) => void;
};

/** Never rejects. The view shows the result before the outcome is given. */
export async function execute(context: ExecuteContext, operation: Operation): Promise<Outcome> {
  try {
    return await run(context, operation);
  } catch (error) {
    return { ok: false, fault: faultOf(error), reason: reasonOf(error) };
  }
}

function faultOf(error: unknown): string {
  if (error instanceof EngineError) return error.fault;
  return error instanceof DavitError ? error.code : "failed";
}

function run(context: ExecuteContext, operation: Operation): Promise<Outcome> {
  switch (operation.kind) {
    case "inspectBridge":
    case "createBridge":
    case "removeBridge":
      return runOnBridge(context, operation);
    case "inspectImage":
    case "pull":
      return runOnImage(context, operation);
    case "inspectVolume":
    case "createVolume":
      return runOnVolume(context, operation);
    case "fetchConfig":
      return fetchConfig(context, operation);
    case "countConnections":
      return countConnections(context, operation);
    case "postStart":
      return postStart(context, operation);
    default:
      return runOnContainer(context, operation);
  }
}

type Of<Kind extends Operation["kind"]> = Extract<Operation, { readonly kind: Kind }>;

async function countConnections(
  { connections }: ExecuteContext,
  { address }: Of<"countConnections">,
): Promise<Outcome> {
  return { ok: true, connections: (await connections?.openTo(address)) ?? 0 };
}

async function runOnBridge(
  { engine, clock, wiring }: ExecuteContext,
  operation: Of<"inspectBridge" | "createBridge" | "removeBridge">,
): Promise<Outcome> {
  switch (operation.kind) {
    case "inspectBridge": {
      const network = await engine.inspectNetwork(BRIDGE);
      if (network === undefined) return { ok: true, bridge: { kind: "missing" } };
      const { subnet, members, options } = network;
      const fault = bridgeFault(options, await wiring.bridgeOptions(BRIDGE));
      const known = fault === undefined ? {} : { fault };
      return {
        ok: true,
        bridge: { kind: "present", subnet, containers: members.length, ...known, atMs: clock.nowMs() },
      };
    }
    case "createBridge":
      await engine.createNetwork(BRIDGE, operation.subnet, await wiring.bridgeOptions(BRIDGE), { "davit.bridge": "1" });
      return { ok: true, bridge: { kind: "present", subnet: operation.subnet, containers: 0, atMs: clock.nowMs() } };
    case "removeBridge":
      await engine.removeNetwork(BRIDGE);
      return { ok: true, bridge: { kind: "missing" } };
  }
}

async function runOnImage(context: ExecuteContext, operation: Of<"inspectImage" | "pull">): Promise<Outcome> {
  const { engine, clock, logins, onProgress } = context;
  if (operation.kind === "inspectImage") return { ok: true, image: await imageFact(context, operation.image) };
  const login = logins()[registryOf(operation.image)];
  await engine.pullImage(operation.image, login, (text) => onProgress(operation, text));
  return { ok: true, image: await imageFact(context, operation.image, clock.nowMs()) };
}

async function runOnVolume(
  { engine, clock }: ExecuteContext,
  operation: Of<"inspectVolume" | "createVolume">,
): Promise<Outcome> {
  if (operation.kind === "inspectVolume") {
    const kind = (await engine.volumeExists(operation.volume)) ? "present" : "missing";
    return { ok: true, volume: { kind, atMs: clock.nowMs() } };
  }
  await engine.createVolume(operation.volume);
  return { ok: true, volume: { kind: "present", atMs: clock.nowMs() } };
}

async function runOnContainer(
  context: ExecuteContext,
  operation: Of<"create" | "start" | "resize" | "examine" | "stop" | "remove">,
): Promise<Outcome> {
  const { engine, view, flush, mayStart } = context;
  switch (operation.kind) {
    case "create": {
      await flush();
      const { name, labels } = operation.request;
      const containerId = await engine.createContainer(operation.request, await placeFiles(context, operation.request));
      view.put({ id: containerId, name, labels, state: "created", imageId: "" });
      return { ok: true, containerId };
    }
    case "start":
      if (operation.isRepeat) {
        await view.look(operation.containerId);
        // to start one that has run and ended would run it once more; and meanwhile it may have to go
        if (view.container(operation.containerId)?.state !== "created" || !mayStart(operation.taskId))
          return { ok: true };
      }
      await engine.startContainer(operation.containerId);
      await view.look(operation.containerId);
      return { ok: true };
    case "resize":
      await flush();
      await engine.updateContainer(operation.containerId, operation.resources, operation.memorySwapBytes);
      return { ok: true };
    case "examine":
      await examine(context, operation.containerId);
      return { ok: true };
    case "stop":
      await stop(context, operation);
      await view.look(operation.containerId);
      return { ok: true };
    case "remove":
      await flush();
      await engine.removeContainer(operation.containerId);
      view.delete(operation.containerId);
      return { ok: true };
  }
}

async function imageFact(context: ExecuteContext, reference: string, pulledAtMs?: number): Promise<ImageFact> {
  const image = await context.engine.inspectImage(reference);
  if (image === undefined) return { kind: "missing" };
  const digest = image.digest === undefined ? {} : { digest: image.digest };
  return {
    kind: "present",
    hasHealthCheck: image.hasHealthCheck,
    ...digest,
    ...(pulledAtMs === undefined ? {} : { pulledAtMs }),
  };
}

async function fetchConfig(context: ExecuteContext, operation: Of<"fetchConfig">): Promise<Outcome> {
  await context.configs.keep(operation.config, await context.fetchConfig(operation.config));
  return { ok: true };
}

/** Files on this host by the place where the container sees them. */
async function placeFiles({ configs, wiring }: ExecuteContext, request: ContainerRequest): Promise<ConfigPaths> {
  const names = wiring.resolvConf(request.task);
  const paths: Record<string, string> = names === undefined ? {} : { [RESOLV_CONF]: names };
  for (const mount of request.task.container.mounts)
    if (mount.kind === "config") paths[mount.target] = await configs.place(mount);
  return paths;
}

/** A container that ended under its hooks ended by itself: that is what counts. */
async function postStart({ engine, clock, view }: ExecuteContext, operation: Of<"postStart">): Promise<Outcome> {
  const { containerId } = operation;
  try {
    await runPostStart(engine, clock, containerId, operation.hooks);
    return { ok: true };
  } catch (error) {
    await view.look(containerId);
    if (view.container(containerId)?.state === "running") throw error;
    return { ok: false, fault: "ended", reason: reasonOf(error) };
  }
}

/** An engine that does not get a container down within grace and margin is told to kill it. */
async function stop(context: ExecuteContext, operation: Of<"stop">): Promise<void> {
  const { engine, clock, note } = context;
  const { containerId, hooks, graceMs } = operation;
  const leftMs =
    graceMs === undefined || hooks.length === 0
      ? graceMs
      : await runPreStop(engine, clock, containerId, hooks, graceMs, note);
  try {
    await engine.stopContainer(containerId, leftMs);
  } catch (error) {
    if (!(error instanceof EngineError && error.fault === "timeout")) throw error;
    await engine.killContainer(containerId);
  }
}

async function examine(context: ExecuteContext, containerId: string): Promise<void> {
  const { engine, view } = context;
  await view.look(containerId);
  const container = view.container(containerId);
  if (container === undefined) return;
  const lastOutput = await lastLines(engine, containerId, container.tty === true);
  view.put({ ...container, examined: { lastOutput } });
}
