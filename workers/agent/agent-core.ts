// The agent without its edges: what it holds, its sessions, its loop. Made of ports only, so that a simulator can run it whole.
// The edges (sockets, systemd, measuring) are added in main.ts.

import { reasonOf } from "../../src/core/model/errors.ts";
import type { TaskId } from "../../src/core/model/ids.ts";
import type { TaskStatus } from "../../src/core/model/records.ts";
import type { WorkPosition } from "../../src/core/model/work.ts";
import type { Welcome } from "../../src/core/protocol/frames.ts";
import { mountedConfigs } from "../../src/core/work/work-of.ts";
import type { Clock } from "../../src/ports/clock.ts";
import type { ContainerEngine } from "../../src/ports/container-engine.ts";
import type { Hasher } from "../../src/ports/hasher.ts";
import type { Log } from "../../src/ports/log.ts";
import type { Random } from "../../src/ports/random.ts";
import type { Signer, Verifier } from "../../src/ports/signer.ts";
import { ConfigStore } from "./configs/config-store.ts";
import { Prober, type ProbeRunner } from "./health/prober.ts";
import type { Calls } from "./network/activator/calls.ts";
import type { NetworkInput } from "./network/network-driver.ts";
import { NetworkLanes } from "./network/network-lanes.ts";
import { endpointsOf, networkView, withStandings } from "./network/network-view.ts";
import { Peers, type PeerPorts } from "./peers/peers.ts";
import type { ConnectionCounter, NetworkPart } from "../../src/ports/node-network.ts";
import type { Wiring } from "./loop/execute.ts";
import { EngineView } from "./loop/engine-view.ts";
import { EngineWatch, type EngineWorker } from "./loop/engine-watch.ts";
import { type PoolLimits, type PortOwners, Reconciler } from "./loop/reconciler.ts";
import type { AgentPlan, TaskRun } from "./plan/types.ts";
import { AgentSession } from "./session/agent-session.ts";
import type { AgentStream } from "./session/agent-stream.ts";
import { EpochKeeper } from "./session/epoch-keeper.ts";
import { LeaseKeeper } from "./session/lease-keeper.ts";
import type { SessionShared } from "./session/shared.ts";
import type { AgentDisk } from "./state/disk.ts";
import { HeldRoutes } from "./state/held-routes.ts";
import { HeldWork } from "./state/held-work.ts";
import { RunStore } from "./state/run-store.ts";
import { comparePositions } from "./state/sections.ts";
import type { IssuerKeys } from "./trust/issuer-keys.ts";
import { IssuerTime } from "./trust/issuer-time.ts";

/** How long the agent's own token is good for; the coordinator checks it at once, bound to its challenge. */
const WELCOME_TOKEN_SECONDS = 60;

export type AgentPorts = {
  readonly engine: ContainerEngine;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly disk: AgentDisk;
  readonly hasher: Hasher;
  readonly verifier: Verifier;
  readonly signer: Signer;
  readonly issuerKeys: IssuerKeys;
  readonly probes: ProbeRunner;
  readonly portOwners: PortOwners;
  readonly wiring: Wiring;
  readonly nodeFacts: () => Promise<Welcome["node"]>;
  /** What makes the routes true on this node: the mesh first, the others after it. */
  readonly parts: readonly NetworkPart[];
  /** Absent where the kernel is not asked about connections. */
  readonly connections?: ConnectionCounter;
  /** Absent where agents do not speak to each other. */
  readonly peers?: PeerPorts;
  /** Absent where no service falls asleep. */
  readonly calls?: Calls;
};

export type AgentIdentity = {
  readonly nodeId: string;
  readonly clusterId: string;
  readonly bootId: string;
  readonly version: string;
  readonly limits: PoolLimits;
};

export class AgentCore implements SessionShared {
  readonly nodeId: string;
  readonly agentVersion: string;
  readonly clock: Clock;
  readonly log: Log;
  readonly verifier: Verifier;
  readonly issuerKeys: IssuerKeys;
  readonly issuerTime: IssuerTime;
  readonly epochs: EpochKeeper;
  readonly lease: LeaseKeeper;
  readonly held: HeldWork;
  readonly routes: HeldRoutes;
  readonly runs: RunStore;
  readonly view: EngineView;
  readonly #ports: AgentPorts;
  readonly #configs: ConfigStore;
  readonly #reconciler: Reconciler;
  readonly #watch: EngineWatch;
  readonly #network: NetworkLanes;
  readonly #peers: Peers | undefined;
  #ready: ReadonlySet<string> | undefined;
  #session: AgentSession | undefined;
  /** Tasks whose work changed and that did not come to rest since. */
  readonly #pending = new Set<string>();
  #applied: WorkPosition | undefined;
  #toldTrouble: string | undefined;

  private constructor(
    ports: AgentPorts,
    identity: AgentIdentity,
    loaded: {
      readonly epochs: EpochKeeper;
      readonly lease: LeaseKeeper;
      readonly held: HeldWork;
      readonly routes: HeldRoutes;
      readonly runs: RunStore;
      readonly configs: ConfigStore;
    },
  ) {
    this.#ports = ports;
    this.nodeId = identity.nodeId;
    this.agentVersion = identity.version;
    this.clock = ports.clock;
    this.log = ports.log;
    this.verifier = ports.verifier;
    this.issuerKeys = ports.issuerKeys;
    this.issuerTime = new IssuerTime(ports.clock);
    this.epochs = loaded.epochs;
    this.lease = loaded.lease;
    this.held = loaded.held;
    this.routes = loaded.routes;
    this.runs = loaded.runs;
    this.#configs = loaded.configs;
    this.view = new EngineView(ports.engine, identity.clusterId);
    this.#network = this.#createLanes(ports);
    this.#peers = ports.peers === undefined ? undefined : this.#createPeers(ports, ports.peers);
    const prober = new Prober(ports.probes, ports.clock, () => this.#reconciler.wake());
    this.#reconciler = new Reconciler({
      ...identity,
      engine: ports.engine,
      view: this.view,
      held: this.held,
      runs: this.runs,
      prober,
      configs: loaded.configs,
      configSource: () => this.#configSource(),
      network: () => this.#network.state,
      clock: ports.clock,
      log: ports.log,
      portOwners: ports.portOwners,
      connections: ports.connections,
      leaseLeftMs: (leaseMs) => this.lease.leftOf(leaseMs),
      wiring: ports.wiring,
      onEngineLost: (reason) => this.#watch.lost(reason),
      onStatuses: (changed, gone) => this.#session?.observe(changed, gone),
      onPlanned: (plan) => this.#planned(plan),
    });
    this.#watch = new EngineWatch(ports.engine, this.view, this.#engineWorker(), ports.clock, ports.log);
    for (const key of Object.keys(this.held.hashes)) this.#pending.add(key);
    this.lease.onConfirmed = () => this.#leaseConfirmed();
  }

  #leaseConfirmed(): void {
    if ([...this.held.tasks.values()].some((work) => work.leaseMs !== undefined)) this.#reconciler.wake();
  }

  #createLanes({ parts, clock, log }: AgentPorts): NetworkLanes {
    return new NetworkLanes({
      parts,
      clock,
      log: log.with({ part: "network" }),
      input: () => this.#networkInput(),
      onChange: () => this.#networkChanged(),
      // peers need nothing but the mesh: a node whose rules are refused says what it has all the same
      onPart: ({ name }, { mesh }) => (name === "mesh" ? this.#peers?.follow(mesh) : undefined),
    });
  }

  #createPeers({ clock, random, log, signer }: AgentPorts, peers: PeerPorts): Peers {
    return new Peers({
      ...peers,
      nodeId: this.nodeId,
      clock,
      log: log.with({ part: "peers" }),
      signer,
      newNonce: () => this.newNonce(),
      fraction: () => random.fraction(),
      isGranted: () => this.lease.isHeld,
      ready: () => this.ready,
      endpoints: () => endpointsOf(this.routes.sections),
      onChange: () => this.#network.wake(),
    });
  }

  #engineWorker(): EngineWorker {
    return {
      resume: () => {
        // an engine that came back may have made its own rules anew, in front of ours
        this.#network.wake();
        this.#reconciler.resume();
      },
      pause: () => this.#reconciler.pause(),
      wake: () => this.#reconciler.wake(),
    };
  }

  /** Reads what the last agent left. Rejects when a file of ours cannot be read. */
  static async load(ports: AgentPorts, identity: AgentIdentity): Promise<AgentCore> {
    const { disk, clock, log, hasher } = ports;
    const [epochs, lease, held, routes, runs, configs] = [
      await EpochKeeper.load(disk),
      await LeaseKeeper.load(disk, clock, log),
      await HeldWork.load(disk),
      await HeldRoutes.load(disk),
      await RunStore.load(disk),
      await ConfigStore.load(disk, hasher),
    ];
    return new AgentCore(ports, identity, { epochs, lease, held, routes, runs, configs });
  }

  /** Runs until `signal` aborts: waits for the engine, looks, works, follows events; over and over. */
  async run(signal: AbortSignal): Promise<void> {
    this.#ports.calls?.begin(
      (waiting, active) => this.tell({ type: "called", waiting, active }),
      () => this.#network.wake(),
    );
    // what is held is in force before the engine is asked for anything
    this.#network.wake();
    await this.#watch.run(signal);
    this.#network.stop();
    this.#peers?.stop();
    this.#ports.calls?.stop();
  }

  /** Own tasks that are ready; undefined before this process has looked. */
  get ready(): ReadonlySet<string> | undefined {
    return this.#ready;
  }

  /** What the agent waits for or does, in a few words. */
  get state(): string {
    const tasks = `${this.held.tasks.size} tasks`;
    const session = this.#session === undefined ? "no coordinator connected" : "coordinator connected";
    return this.#watch.trouble === undefined
      ? `${tasks}, ${session}`
      : `waits for the container engine: ${this.#watch.trouble}`;
  }

  get underWay(): readonly string[] {
    return this.#reconciler.underWay;
  }

  get isConnected(): boolean {
    return this.#session !== undefined;
  }

  /** A coordinator connected: it must prove what it is before anything else. */
  accept(stream: AgentStream): void {
    // oxlint-disable-next-line no-new -- the session lives by its stream and reports itself when open
    new AgentSession(stream, this);
  }

  tell(frame: Parameters<AgentSession["tell"]>[0]): void {
    this.#session?.tell(frame);
  }

  newNonce(): string {
    return Buffer.from(this.#ports.random.bytes(24)).toString("base64url");
  }

  signChallenge(challenge: string): Promise<string> {
    const iat = Math.floor((this.issuerTime.nowMs() ?? this.clock.nowMs()) / 1_000);
    return this.#ports.signer.sign({
      iss: this.nodeId,
      sub: this.nodeId,
      aud: "coordinator",
      scope: "agent:session",
      iat,
      exp: iat + WELCOME_TOKEN_SECONDS,
      challenge,
    });
  }

  async nodeFacts(): Promise<Welcome["node"]> {
    const facts = await this.#ports.nodeFacts();
    const { trouble } = this.#network;
    return trouble === undefined ? facts : { ...facts, networkTrouble: trouble };
  }

  statuses(): readonly TaskStatus[] {
    return this.runs.statuses;
  }

  goneTasks(): readonly string[] {
    return [...this.held.tasks.values()]
      .filter((work) => work.desired === "remove" && !this.runs.all.has(work.taskId))
      .map((work) => work.taskId);
  }

  opened(session: AgentSession): void {
    const older = this.#session;
    this.#session = session;
    this.lease.beginSession();
    older?.refuse("superseded", "a newer session of the coordinator took its place");
    this.log.info("session opened", { epoch: this.epochs.newest?.epoch });
    // what waits for a coordinator can go on
    this.#reconciler.wake();
  }

  ended(session: AgentSession, reason: string): void {
    if (this.#session !== session) return;
    this.#session = undefined;
    this.log.info("session ended", { reason });
  }

  workReceived(changed: readonly string[]): void {
    for (const key of changed) this.#pending.add(key);
    this.lease.holds(this.held.position);
    this.#network.wake();
    this.sendProgress();
    this.#reconciler.wake();
    this.#configs
      .retain(() => mountedConfigs(this.held.tasks.values()))
      .catch((error: unknown) => this.log.error("cannot drop configs", { reason: reasonOf(error) }));
  }

  routesReceived(): void {
    this.#peers?.routesChanged();
    this.#network.wake();
    this.sendProgress();
  }

  #networkInput(): NetworkInput | undefined {
    const { position } = this.routes;
    const view = networkView(this.held.node, this.held.tasks, this.routes.sections);
    if (view === undefined || position === undefined) return undefined;
    const peers = this.#peers;
    const known = peers === undefined ? view : withStandings(view, (endpoint) => peers.standingOf(endpoint));
    const { calls } = this.#ports;
    return { view: calls === undefined ? known : { ...known, activations: calls.follow(known) }, position };
  }

  #networkChanged(): void {
    this.sendProgress();
    this.#reconciler.wake();
    const { trouble } = this.#network;
    if (trouble === this.#toldTrouble) return;
    this.#toldTrouble = trouble;
    this.nodeFacts()
      .then((node) => this.tell({ type: "node", node }))
      .catch((error: unknown) => this.log.error("cannot tell of the network", { reason: reasonOf(error) }));
  }

  #configSource(): ((config: string) => Promise<Uint8Array>) | undefined {
    const session = this.#session;
    return session === undefined ? undefined : (config) => session.fetchConfig(config);
  }

  sendProgress(): void {
    const received = this.held.position;
    if (received === undefined) return;
    const { applied } = this.#network;
    const routes =
      this.routes.position === undefined
        ? {}
        : { routes: { received: this.routes.position, ...(applied === undefined ? {} : { applied }) } };
    this.tell({ type: "applied", received, applied: this.#applied ?? { epoch: 0, generation: 0 }, ...routes });
  }

  /** A pass is over: what has come to rest once since its work changed is applied. */
  #planned(plan: AgentPlan): void {
    this.#noteReady();
    for (const key of this.#pending) {
      const id = key.slice("task/".length) as TaskId;
      if (plan.unsettled.has(id)) continue;
      this.#pending.delete(key);
      // one that was to go before anything of it was made leaves nothing to forget, and is gone all the same
      if (this.held.tasks.get(id)?.desired === "remove" && !this.runs.all.has(id)) this.#session?.observe([], [id]);
    }
    const position = this.held.position;
    if (this.#pending.size > 0 || position === undefined) return;
    if (this.#applied !== undefined && comparePositions(this.#applied, position) === 0) return;
    this.#applied = position;
    this.sendProgress();
  }

  /** What it has seen for itself, of work that it has: an agent that lost its files knows nothing of what runs. */
  #noteReady(): void {
    if (this.#peers === undefined || this.held.position === undefined) return;
    const isReady = ({ status }: TaskRun): boolean => status.state === "running" && status.healthy === true;
    const ready = new Set([...this.runs.all.values()].filter(isReady).map(({ status }) => status.id as string));
    if (this.#ready?.symmetricDifference(ready).size === 0) return;
    this.#ready = ready;
    this.#peers.changed();
  }

  /** Writes down what is remembered, before the process ends. */
  async close(): Promise<void> {
    this.#session?.close("the agent stops");
    await this.runs
      .flush()
      .catch((error: unknown) => this.log.error("cannot keep attempts", { reason: reasonOf(error) }));
  }
}
