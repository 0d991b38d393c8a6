// The agent's loop: plan, start what fits, plan again whenever something ended or changed. A wake-up means "look again" and nothing
// else. One operation per subject at a time; each pool has its own limit, so that slow stops never hold up starts.

import { DavitError, reasonOf } from "../../../src/core/model/errors.ts";
import type { TaskId } from "../../../src/core/model/ids.ts";
import type { ContainerEngine } from "../../../src/ports/container-engine.ts";
import type { TaskStatus } from "../../../src/core/model/records.ts";
import type { TaskWork } from "../../../src/core/model/work.ts";
import type { Clock, Timer } from "../../../src/ports/clock.ts";
import type { ConnectionCounter } from "../../../src/ports/node-network.ts";
import type { Log } from "../../../src/ports/log.ts";
import type { ConfigStore } from "../configs/config-store.ts";
import type { NetworkState } from "../network/network-driver.ts";
import type { Prober } from "../health/prober.ts";
import { imageAfterFailure, runAfter } from "../plan/outcome.ts";
import { planAgent } from "../plan/plan-agent.ts";
import { heldByLease } from "../plan/plan-lease.ts";
import {
  type AgentPlan,
  describeOperation,
  type Operation,
  type Outcome,
  type PlanInput,
  type Pool,
  type PortOwner,
  type TaskRun,
} from "../plan/types.ts";
import type { HeldWork } from "../state/held-work.ts";
import type { RunStore } from "../state/run-store.ts";
import type { EngineView } from "./engine-view.ts";
import { execute, type Wiring } from "./execute.ts";
import { Recorder } from "./recorder.ts";

export type PoolLimits = Readonly<Record<Pool, number>>;

/** Who holds host ports now; a snapshot is taken at most once a pass, and only when a plan asks. */
export type PortOwners = () => PortOwner;

export type ReconcilerContext = {
  readonly clusterId: string;
  readonly nodeId: string;
  readonly bootId: string;
  readonly engine: ContainerEngine;
  readonly view: EngineView;
  readonly held: HeldWork;
  readonly runs: RunStore;
  readonly prober: Prober;
  readonly configs: ConfigStore;
  /** Whose network is in force. */
  readonly network: () => NetworkState;
  /** Contents of a config, from the coordinator; undefined while none is connected. */
  readonly configSource: () => ((config: string) => Promise<Uint8Array>) | undefined;
  readonly clock: Clock;
  readonly log: Log;
  readonly limits: PoolLimits;
  readonly portOwners: PortOwners;
  readonly connections: ConnectionCounter | undefined;
  /** What is left of a task's own lease of this length, in milliseconds. */
  readonly leaseLeftMs: (leaseMs: number) => number;
  readonly wiring: Wiring;
  /** The engine stopped answering: no operation is started until `resume`. */
  readonly onEngineLost: (reason: string) => void;
  readonly onStatuses: (changed: readonly TaskStatus[], gone: readonly TaskId[]) => void;
  readonly onPlanned: (plan: AgentPlan) => void;
};

export class Reconciler {
  readonly #context: ReconcilerContext;
  readonly #recorder: Recorder;
  readonly #busy = new Map<string, Operation>();
  readonly #inPool: Record<Pool, number> = { look: 0, make: 0, pull: 0, start: 0, hook: 0, stop: 0 };
  /** Of tasks that drain: what the kernel said last. */
  readonly #connections = new Map<TaskId, { readonly open: number; readonly atMs: number }>();
  #isRunning = false;
  #isScheduled = false;
  #timer: Timer | undefined;

  constructor(context: ReconcilerContext) {
    this.#context = context;
    this.#recorder = new Recorder({
      ...context,
      serviceOf: (taskId) => context.held.tasks.get(taskId)?.serviceName,
    });
  }

  /** Operations under way, in words. */
  get underWay(): readonly string[] {
    return [...this.#busy.values()].map(describeOperation);
  }

  /** The engine answers and was looked at in full. */
  resume(): void {
    this.#isRunning = true;
    this.wake();
  }

  pause(): void {
    this.#isRunning = false;
    this.#timer?.cancel();
  }

  /** Look again, soon. Any number of calls before that are one. */
  wake(): void {
    if (this.#isScheduled || !this.#isRunning) return;
    this.#isScheduled = true;
    queueMicrotask(() => {
      this.#isScheduled = false;
      if (this.#isRunning) this.#pass();
    });
  }

  #pass(): void {
    const { prober } = this.#context;
    const input = this.#input();
    const plan = planAgent(input);
    this.#record(plan.runs, plan.forget);
    prober.sync(plan.probes);
    const waiting = this.#startWhatFits(plan.operations);
    this.#wakeAt(plan.wakeAtMs, input.nowMs);
    this.#context.onPlanned({ ...plan, operations: waiting });
  }

  #input(): PlanInput {
    const { clusterId, nodeId, bootId, held, runs, view, prober, configs, configSource, network, clock, portOwners } =
      this.#context;
    let owners: PortOwner | undefined;
    return {
      clusterId,
      nodeId,
      bootId,
      node: held.node,
      tasks: held.tasks,
      runs: runs.all,
      knownOf: (taskId) => held.knownOf(taskId),
      containers: view.containers,
      images: view.images,
      volumes: view.volumes,
      bridge: view.bridge,
      network: network(),
      heldConfigs: configs.held,
      configs: view.configs,
      isConnected: configSource() !== undefined,
      drains: this.#context.connections !== undefined,
      connections: this.#connections,
      verdicts: prober.verdicts,
      busy: new Set(this.#busy.keys()),
      stopping: new Set([...this.#busy.values()].flatMap((one) => (one.kind === "stop" ? [one.containerId] : []))),
      leaseLeftMs: this.#context.leaseLeftMs,
      portOwner: (port, hostIp) => (owners ??= portOwners())(port, hostIp),
      nowMs: clock.nowMs(),
    };
  }

  #record(changed: readonly TaskRun[], gone: readonly TaskId[]): void {
    for (const taskId of gone) this.#connections.delete(taskId);
    this.#recorder.record(changed, gone);
  }

  #startWhatFits(operations: readonly Operation[]): readonly Operation[] {
    const waiting: Operation[] = [];
    for (const operation of operations) {
      if (this.#inPool[operation.pool] >= this.#context.limits[operation.pool]) waiting.push(operation);
      else void this.#run(operation);
    }
    return waiting;
  }

  async #run(operation: Operation): Promise<void> {
    const { log, onEngineLost } = this.#context;
    this.#busy.set(operation.subject, operation);
    this.#inPool[operation.pool]++;
    log.debug(describeOperation(operation));
    const outcome = await execute(
      {
        engine: this.#context.engine,
        view: this.#context.view,
        clock: this.#context.clock,
        logins: () => this.#context.held.logins,
        configs: this.#context.configs,
        connections: this.#context.connections,
        wiring: this.#context.wiring,
        fetchConfig: (config) => this.#fetchConfig(config),
        mayStart: (taskId) => this.#mayStart(taskId),
        flush: () => this.#context.runs.flush(),
        onProgress: (pulled, text) => log.debug(`${describeOperation(pulled)}: ${text}`),
        note: (text) => log.warn(text, { container: operation.kind === "stop" ? operation.containerId : undefined }),
      },
      operation,
    );
    this.#inPool[operation.pool]--;
    this.#busy.delete(operation.subject);
    this.#take(operation, outcome);
    if (!outcome.ok && outcome.fault === "unreachable") onEngineLost(outcome.reason);
    this.wake();
  }

  #mayStart(taskId: TaskId): boolean {
    const work = this.#context.held.tasks.get(taskId);
    return work?.desired === "running" && heldByLease(this.#context, work) === undefined;
  }

  #fetchConfig(config: string): Promise<Uint8Array> {
    const fetch = this.#context.configSource();
    if (fetch !== undefined) return fetch(config);
    return Promise.reject(
      new DavitError("unavailable", `fetch config ${config.slice(0, 12)}: no coordinator is connected`),
    );
  }

  #take(operation: Operation, outcome: Outcome): void {
    const { view, held, runs, clock, log, portOwners } = this.#context;
    const nowMs = clock.nowMs();
    const nodeName = held.node?.nodeName ?? "this node";
    if (!outcome.ok)
      log.warn(`${describeOperation(operation)} failed`, { fault: outcome.fault, reason: outcome.reason });
    this.#takeFacts(operation, outcome, nodeName, nowMs);
    const run = operation.taskId === undefined ? undefined : runs.all.get(operation.taskId);
    const work = operation.taskId === undefined ? undefined : held.tasks.get(operation.taskId);
    if (run === undefined || work === undefined) return;
    if (operation.kind === "stop" && outcome.ok) this.#forgetConnections(work);
    if (operation.kind === "create" && !outcome.ok && outcome.fault === "image_not_found")
      view.images.set(work.container.image, { kind: "missing" });
    const after = runAfter(run, work, operation, outcome, {
      nodeName,
      nowMs,
      portOwner: (port, hostIp) => portOwners()(port, hostIp),
    });
    if (after !== run) this.#record([after], []);
  }

  /** Whoever was connected to a container that is gone finds another at the next packet. */
  #forgetConnections({ taskId, address }: TaskWork): void {
    const { connections, log } = this.#context;
    this.#connections.delete(taskId);
    connections
      ?.forget(address)
      .catch((error: unknown) => log.warn("connections left", { address, reason: reasonOf(error) }));
  }

  #takeFacts(operation: Operation, outcome: Outcome, nodeName: string, nowMs: number): void {
    const { view } = this.#context;
    const failed = outcome.ok ? undefined : ({ kind: "failed", reason: outcome.reason, atMs: nowMs } as const);
    switch (operation.kind) {
      case "inspectBridge":
      case "createBridge":
      case "removeBridge":
        view.bridge = outcome.ok ? outcome.bridge : failed;
        return;
      case "inspectImage":
      case "pull": {
        const fact = outcome.ok
          ? outcome.image
          : imageAfterFailure(view.images.get(operation.image), operation.image, outcome, nodeName, nowMs);
        if (fact !== undefined) view.images.set(operation.image, fact);
        return;
      }
      case "inspectVolume":
      case "createVolume": {
        const name = operation.kind === "createVolume" ? operation.volume.name : operation.volume;
        const fact = outcome.ok ? outcome.volume : failed;
        if (fact !== undefined) view.volumes.set(name, fact);
        return;
      }
      case "countConnections":
        // whom the kernel does not tell of may be connected still: the drain time decides
        this.#connections.set(operation.taskId, { open: outcome.ok ? (outcome.connections ?? 0) : 1, atMs: nowMs });
        return;
      case "fetchConfig":
        // a coordinator that went away is waited for; what it said, or what the disk said, ends the attempt
        if (outcome.ok || outcome.fault === "unavailable") view.configs.delete(operation.config);
        else view.configs.set(operation.config, { kind: "failed", reason: outcome.reason, atMs: nowMs });
        return;
      default:
        // whatever made it fail may be the bridge: look again before the next attempt
        if (!outcome.ok) view.bridge = undefined;
    }
  }

  #wakeAt(atMs: number | undefined, nowMs: number): void {
    this.#timer?.cancel();
    if (atMs === undefined) return;
    if (atMs <= nowMs) return this.wake();
    // one millisecond more: a timer may fire early by less than one
    this.#timer = this.#context.clock.after(atMs - nowMs + 1, () => this.wake());
  }
}
