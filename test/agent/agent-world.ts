// An agent as a whole in memory: the real core with its planner, sessions and stores, over fakes of the ports. It can be restarted, as by
// systemd, and rebooted, as its host would be.

import type { AgentFrame } from "../../src/core/protocol/frames.ts";
import { asId, type TaskId } from "../../src/core/model/ids.ts";
import type { TaskStatus } from "../../src/core/model/records.ts";
import type { NodeWork, TaskWork, Work, WorkSection } from "../../src/core/model/work.ts";
import type { Log } from "../../src/ports/log.ts";
import type { ConnectionCounter, NetworkPart } from "../../src/ports/node-network.ts";
import type { Signer, Verifier } from "../../src/ports/signer.ts";
import { createHasher } from "../../src/system/hasher.ts";
import { AgentCore } from "../../workers/agent/agent-core.ts";
import { bridgeOptions } from "../../workers/agent/engine/bridge-options.ts";
import type { ProbeResult } from "../../workers/agent/health/prober.ts";
import type { PeerPorts } from "../../workers/agent/peers/peers.ts";
import { IssuerKeys } from "../../workers/agent/trust/issuer-keys.ts";
import { FakeClock, settle } from "../fakes/fake-clock.ts";
import { FakeEngine } from "../fakes/fake-engine.ts";
import { MemoryDisk } from "../fakes/memory-disk.ts";
import { template } from "../fakes/world-model.ts";

export const CLUSTER_ID = "c".repeat(25);
export const NODE_ID = asId<"node">("n".repeat(25));
export const IMAGE = "registry.lab/web:v1";

export const NODE: NodeWork = {
  kind: "node",
  nodeId: NODE_ID,
  nodeName: "n1",
  subnet: "10.210.1.0/24",
  addressPool: "10.210.0.0/16",
  leaseMs: 6_000,
};

export const FACTS: Extract<AgentFrame, { type: "node" }>["node"] = {
  bootId: "boot-1",
  agentVersion: "0.0.0",
  engineVersion: "20.10.24",
  engineLabels: {},
  platform: { os: "linux", arch: "amd64" },
  kernel: "6.1.0",
  resources: { cpus: 2, memoryBytes: 1, generic: {} },
  listening: [],
};

export const silentLog: Log = {
  debug: () => {},
  info: () => {},
  warn: () => {},
  error: () => {},
  with: () => silentLog,
};

export function taskId(number: number): TaskId {
  return asId<"task">(`t${number}`.padEnd(25, "0"));
}

/** One task's work: runs IMAGE, without health check, restarted after a second. */
export function workOf(number: number, changes: Partial<TaskWork> = {}): TaskWork {
  const { container, resources, health, restart, settleMs } = template({ image: IMAGE });
  return {
    kind: "task",
    taskId: taskId(number),
    serviceId: asId<"service">("s".repeat(25)),
    serviceName: "web",
    slot: number,
    specVersion: 1,
    templateHash: "h1",
    desired: "running",
    container,
    resources,
    health,
    restart,
    isJob: false,
    settleMs,
    address: `10.210.1.${number + 9}`,
    hostPorts: [],
    volumes: [],
    ...changes,
  };
}

/** Sections as a coordinator cuts them: here the content is its own hash. */
export function sectionsOf(contents: readonly WorkSection[]): Work["sections"] {
  return Object.fromEntries(
    contents.map((content) => [
      content.kind === "task" ? `task/${content.taskId}` : content.kind,
      { hash: JSON.stringify(content), content },
    ]),
  );
}

/** What the agent checks tokens with, signs with, and trusted since the join. `verifier` is given the keys of now. */
export type AgentTrust = {
  readonly verifier: (keys: () => readonly string[]) => Verifier;
  readonly signer: Signer;
  readonly joined: readonly string[];
};

export class AgentWorld {
  readonly clock = new FakeClock();
  readonly engine: FakeEngine;
  readonly disk = new MemoryDisk();
  /** Answers of the probes, by task. */
  readonly probes = new Map<TaskId, ProbeResult>();
  /** Holders of host ports outside davit, by "8080/tcp". */
  readonly portOwners = new Map<string, string>();
  /** Paths by task. */
  readonly resolvConfs = new Map<string, string>();
  bootId = "boot-1";
  /** What the agent drives its network with. */
  parts: readonly NetworkPart[] = [];
  /** How it speaks to its peers; it speaks to nobody without. */
  peers: PeerPorts | undefined;
  /** What it asks about connections; it drains nothing without. */
  connections: ConnectionCounter | undefined;
  #generation = 1;
  readonly #trust: AgentTrust;
  #core: AgentCore | undefined;
  #stop = new AbortController();

  constructor(
    images: readonly string[] = [IMAGE],
    trust: AgentTrust = { verifier: () => refuseAll, signer: { sign: async () => "" }, joined: [] },
  ) {
    this.engine = new FakeEngine(this.clock, images);
    this.#trust = trust;
  }

  get core(): AgentCore {
    if (this.#core === undefined) throw new Error("the agent was not started");
    return this.#core;
  }

  async start(): Promise<this> {
    this.#stop = new AbortController();
    let nonces = 0;
    const issuerKeys = await IssuerKeys.load(this.disk, this.#trust.joined);
    this.#core = await AgentCore.load(
      {
        engine: this.engine,
        clock: this.clock,
        random: { bytes: (length) => new Uint8Array(length).fill(nonces++ + this.clock.bootMs()), fraction: () => 0.5 },
        log: silentLog,
        disk: this.disk,
        hasher: createHasher(),
        verifier: this.#trust.verifier(() => issuerKeys.all),
        signer: this.#trust.signer,
        issuerKeys,
        probes: { probe: async (target) => this.probes.get(target.taskId) ?? { ok: true, answer: "" } },
        portOwners: () => (port) => this.portOwners.get(port),
        wiring: {
          bridgeOptions: async (name) => bridgeOptions(name, "20.10.24", 1_420),
          resolvConf: (task) => this.resolvConfs.get(task.taskId),
        },
        nodeFacts: async () => ({ ...FACTS, bootId: this.bootId }),
        parts: this.parts,
        ...(this.peers === undefined ? {} : { peers: this.peers }),
        ...(this.connections === undefined ? {} : { connections: this.connections }),
      },
      {
        nodeId: NODE_ID,
        clusterId: CLUSTER_ID,
        bootId: this.bootId,
        version: "0.0.0",
        limits: { look: 8, make: 8, pull: 3, start: 4, hook: 4, stop: 64 },
      },
    );
    void this.#core.run(this.#stop.signal);
    await this.clock.advance(0);
    await this.clock.advance(0);
    return this;
  }

  /** The agent's process ends; its containers go on. */
  async stop(): Promise<void> {
    this.#stop.abort();
    await this.core.close();
    await settle();
  }

  /** The host goes down with all that runs on it, and comes back with the agent. */
  async reboot(exitCode = 255): Promise<void> {
    await this.stop();
    for (const container of this.engine.running) this.engine.exitUnseen(container.id, exitCode);
    this.disk.reboot();
    this.bootId = `${this.bootId}+`;
    await this.start();
  }

  /** Gives the agent this work, all of it, and lets it act. */
  async give(...contents: readonly WorkSection[]): Promise<void> {
    const receipt = await this.core.held.receive({
      epoch: 1,
      generation: this.#generation++,
      put: sectionsOf([NODE, ...contents]),
      drop: [],
    });
    this.core.workReceived(receipt.kind === "kept" ? receipt.changed : []);
    await this.clock.advance(5);
  }

  status(number: number): TaskStatus | undefined {
    return this.core.runs.all.get(taskId(number))?.status;
  }

  /** How often the engine was asked to make a container. */
  get made(): number {
    return this.engine.calls.filter((call) => call.startsWith("createContainer")).length;
  }
}

const refuseAll: Verifier = { verify: () => Promise.reject(new Error("no keys here")) };
