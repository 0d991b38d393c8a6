// One machine of the cluster: its clock, files and containers, and the real agent on it. It loses its power, reboots, is paused; its agent is
// killed and started again, as systemd does.

import type { NodeId } from "../../../src/core/model/ids.ts";
import type { Node, NodeStatus } from "../../../src/core/model/records.ts";
import type { ResourceAmounts } from "../../../src/core/model/service-spec.ts";
import { AgentCore } from "../../../workers/agent/agent-core.ts";
import { bridgeOptions } from "../../../workers/agent/engine/bridge-options.ts";
import type { AgentStream } from "../../../workers/agent/session/agent-stream.ts";
import { IssuerKeys } from "../../../workers/agent/trust/issuer-keys.ts";
import { AgentFiles } from "../fakes/agent-files.ts";
import type { Connection } from "../fakes/connection.ts";
import { EnginePort } from "../fakes/engine-port.ts";
import { Fence } from "../fakes/fence.ts";
import { MachineEngine } from "../fakes/machine-engine.ts";
import { MachineRules } from "../fakes/machine-rules.ts";
import { type PeerWire, SimPeerLinks } from "../fakes/peer-links.ts";
import type { Station } from "../fakes/network.ts";
import { publicKey, signerBy, simHasher, verifierOf } from "../fakes/trust.ts";
import type { Chance } from "../kernel/chance.ts";
import { HostClock } from "../kernel/host-clock.ts";
import { Moments } from "../kernel/moments.ts";
import { Life } from "../kernel/scheduler.ts";
import { CLUSTER_ID, type Universe } from "./universe.ts";

const RESTART_MS = 1_000;
const PROBE_MS = 5;
/** The life of a machine without power. */
const OFF = new Life("off");
OFF.end();

export type HostPlan = {
  readonly id: NodeId;
  readonly name: string;
  readonly address: string;
  readonly clockRate: number;
  readonly resources: ResourceAmounts;
  /** Public keys of the issuer that the join installs. */
  readonly issuerKeys: readonly string[];
};

export class Host implements Station {
  readonly plan: HostPlan;
  readonly clock: HostClock;
  readonly files: AgentFiles;
  readonly engine: MachineEngine;
  readonly rules: MachineRules;
  readonly chance: Chance;
  /** Its agent has written a file and not heard of it; it asks the engine for something. */
  readonly moments = new Moments<"written" | "asked">();
  readonly #universe: Universe;
  readonly #fence: Fence;
  #machine: Life | undefined;
  #process: Life | undefined;
  #core: AgentCore | undefined;
  #stop = new AbortController();
  #boots = 0;
  /** Whether its agent is to be started again when it ends. */
  isSupervised = true;
  /** Whether its agent once knew what it does not know any more. */
  hasLostFiles = false;
  readonly connections = new Set<Connection>();
  /** Its agent's streams to and from its peers. */
  readonly wires = new Set<PeerWire>();
  meshAddress = "";
  /** Until when, in true time, its agent was kept from its work: killed, or standing still. */
  disturbedMs = 0;
  /** Until when, in true time, all of it stood still. */
  frozenMs = 0;

  constructor(universe: Universe, plan: HostPlan) {
    const { scheduler } = universe;
    this.#universe = universe;
    this.plan = plan;
    this.chance = universe.chance.fork(plan.name);
    this.clock = new HostClock(scheduler, plan.clockRate, this.chance.between(10_000, 10_000_000));
    this.files = new AgentFiles(scheduler, this.chance.fork("files"));
    this.files.onWrite = (file, before, text) => {
      for (const witness of universe.witnesses) witness.wrote(this, file, before, text);
      this.moments.reach("written");
    };
    this.#machine = new Life(plan.name);
    this.engine = new MachineEngine(
      plan.name,
      scheduler,
      this.chance.fork("engine"),
      this.clock,
      () => this.#machine ?? OFF,
      universe.programOf,
    );
    this.rules = new MachineRules(scheduler, this.chance.fork("rules"));
    this.rules.onChange = () => universe.witnesses.forEach((witness) => witness.routed(this));
    this.engine.witness = {
      created: (box) => universe.witnesses.forEach((witness) => witness.created(this, box)),
      started: (box) => {
        this.#write(`container ${box.name} runs`);
        for (const witness of universe.witnesses) witness.started(this, box);
      },
      ended: (box) => {
        this.#write(`container ${box.name} ended with ${box.exitCode}`);
        for (const witness of universe.witnesses) witness.ended(this, box);
      },
      asked: (what, box) => {
        this.#write(`agent asks to ${what} ${box.name}`);
        for (const witness of universe.witnesses) witness.asked(this, what, box);
        this.moments.reach("asked");
      },
    };
    this.#fence = new Fence(this.files, this.engine, this.clock, (box, endedBootMs) => {
      this.#write(`the fence kills ${box.name}`);
      for (const witness of universe.witnesses) witness.fenced(this, box, endedBootMs);
    });
    this.#fence.start(scheduler, this.#machine);
    universe.network.add(this);
    universe.hosts.push(this);
  }

  get id(): NodeId {
    return this.plan.id;
  }

  get name(): string {
    return this.plan.name;
  }

  get address(): string {
    return this.plan.address;
  }

  get isUp(): boolean {
    return this.#machine !== undefined;
  }

  /** The agent, once it has read its files; undefined while there is none. */
  get core(): AgentCore | undefined {
    return this.#process?.isAlive === true ? this.#core : undefined;
  }

  get agentLife(): Life | undefined {
    return this.#process;
  }

  get bootId(): string {
    return `${this.name}-boot-${this.#boots}`;
  }

  /** The record that its join writes. */
  record(subnet: string, nowMs: number, labels: Readonly<Record<string, string>>): Node {
    return {
      id: this.id,
      index: 1,
      name: this.name,
      address: { host: this.address, port: 22 },
      hostKey: `host-${this.name}`,
      agentKey: publicKey(`agent-${this.name}`),
      jump: [],
      labels,
      availability: "active",
      subnet,
      reserved: { cpus: 0, memoryBytes: 0, generic: {} },
      joinedAtMs: nowMs,
    };
  }

  facts(): Omit<NodeStatus, "id" | "unseenSinceMs" | "lostAtMs"> {
    return {
      bootId: this.bootId,
      agentVersion: "1.0.0",
      engineVersion: "20.10.24",
      engineLabels: {},
      platform: { os: "linux", arch: "x86_64" },
      kernel: "6.1.0",
      resources: this.plan.resources,
      listening: ["tcp/22"],
    };
  }

  startAgent(): void {
    if (this.#machine === undefined || this.#process?.isAlive === true) return;
    const life = new Life(`agent of ${this.name}`, this.#machine);
    this.#process = life;
    this.#core = undefined;
    this.#stop = new AbortController();
    this.#load(life).catch((error: unknown) => {
      if (!life.isAlive) return;
      this.#write(`agent cannot start: ${String(error)}`);
      this.killAgent();
    });
  }

  async #load(life: Life): Promise<void> {
    const disk = this.files.portOf(life);
    const clock = this.clock.portOf(life);
    const issuerKeys = await IssuerKeys.load(disk, this.plan.issuerKeys);
    // reading takes a moment, in which it may be killed
    await clock.sleep(this.chance.between(20, 200));
    const core = await AgentCore.load(
      {
        engine: new EnginePort(this.engine, life),
        clock,
        random: this.chance.fork(`agent ${this.#universe.scheduler.count}`).port,
        log: this.#universe.journal.logOf(`${this.name} agent`),
        disk,
        hasher: simHasher,
        verifier: verifierOf(() => issuerKeys.all),
        signer: signerBy(() => `agent-${this.name}`),
        issuerKeys,
        probes: {
          probe: (target) =>
            this.#universe.scheduler.later(this.chance.around(PROBE_MS), life, () =>
              this.engine.probe(target.containerId),
            ),
        },
        portOwners: () => () => undefined,
        wiring: {
          bridgeOptions: async (name) => bridgeOptions(name, "20.10.24", 1_420),
          resolvConf: () => undefined,
        },
        nodeFacts: async () => this.facts(),
        parts: this.rules.partsOf(life),
        peers: {
          links: new SimPeerLinks(this.#universe, this, life),
          verifierOf: (key) => verifierOf(() => [key]),
          intervalMs: this.#universe.peerIntervalMs,
        },
      },
      {
        nodeId: this.id,
        clusterId: CLUSTER_ID,
        bootId: this.bootId,
        version: "1.0.0",
        limits: { look: 8, make: 8, pull: 3, start: 8, hook: 16, stop: 64 },
      },
    );
    this.#core = core;
    this.disturbedMs = this.#universe.nowMs;
    void core.run(this.#stop.signal);
  }

  /** Hands a stream to the agent; false when nothing listens on its socket. */
  accept(stream: AgentStream): boolean {
    if (this.core === undefined) return false;
    this.core.accept(stream);
    return true;
  }

  /** SIGKILL. Its containers go on. */
  killAgent(afterMs: number = RESTART_MS): void {
    const life = this.#process;
    if (life?.isAlive !== true) return;
    life.end();
    for (const connection of this.connections) connection.processEnded("agent");
    this.connections.clear();
    for (const wire of this.wires) wire.processEnded(this);
    if (this.isSupervised) this.#universe.scheduler.after(afterMs, this.#machine, () => this.startAgent());
  }

  /** What the agent had written is gone, as after a restore of the machine without it. Its containers go on. */
  loseFiles(): void {
    this.killAgent();
    this.files.wipe();
    this.hasLostFiles = true;
  }

  /** It was taken out of the cluster: no agent is there any more. */
  leave(): void {
    this.isSupervised = false;
    this.killAgent();
  }

  /** SIGTERM, as for an upgrade. */
  async stopAgent(): Promise<void> {
    const { core } = this;
    if (core === undefined) return;
    this.#stop.abort();
    await core.close();
    this.killAgent();
  }

  /** All that runs on it stands still, and goes on as if nothing had been; its boot clock does not wait. */
  suspend(forMs: number): void {
    this.#machine?.pauseUntil(this.#universe.nowMs + forMs);
    this.frozenMs = Math.max(this.frozenMs, this.#universe.nowMs + forMs);
  }

  pauseAgent(forMs: number): void {
    this.#process?.pauseUntil(this.#universe.nowMs + forMs);
    this.disturbedMs = Math.max(this.disturbedMs, this.#universe.nowMs + forMs);
  }

  resume(): void {
    this.frozenMs = Math.min(this.frozenMs, this.#universe.nowMs);
    this.#machine?.unpause();
    this.#process?.unpause();
    this.#universe.scheduler.resumed();
  }

  powerOff(): void {
    if (this.#machine === undefined) return;
    this.#write("loses its power");
    this.engine.powerLost();
    this.rules.powerLost();
    this.#machine.end();
    this.#machine = undefined;
    this.files.reboot();
    this.connections.clear();
    for (const wire of this.wires) wire.powerLost(this);
    this.wires.clear();
    this.#universe.network.changed();
  }

  powerOn(): void {
    if (this.#machine !== undefined) return;
    this.#boots += 1;
    this.#write("boots");
    this.#machine = new Life(this.name);
    this.#fence.start(this.#universe.scheduler, this.#machine);
    this.clock.reboot();
    this.engine.daemonUp();
    this.#universe.network.changed();
    if (this.isSupervised)
      this.#universe.scheduler.after(this.chance.between(500, 5_000), this.#machine, () => this.startAgent());
  }

  #write(what: string): void {
    this.#universe.journal.write(this.name, what);
  }
}
