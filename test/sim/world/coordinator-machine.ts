// One machine with a coordinator's data, and the real coordinator on it: store, epoch, commit door, trust, loops and sessions, put together as
// src/coordinator/main.ts does, with the simulation's ports. It is killed, loses its power, is started again.

import { nextTick } from "../fakes/calendar.ts";
import { beginEpoch, clusterOf } from "../../../src/coordinator/begin.ts";
import { CommitDoor } from "../../../src/coordinator/commit-door.ts";
import { Coordinator } from "../../../src/coordinator/coordinator.ts";
import { startKeyRotation } from "../../../src/coordinator/key-rotation.ts";
import { createTrust } from "../../../src/coordinator/trust.ts";
import type { Command, CommandContext } from "../../../src/core/commands/command.ts";
import { DavitError } from "../../../src/core/model/errors.ts";
import { ID_BYTES, idFromBytes, idSourceFrom } from "../../../src/core/model/ids.ts";
import type { EpochChain } from "../../../src/core/model/lease.ts";
import type { IssuerKey, Node } from "../../../src/core/model/records.ts";
import type { Clock } from "../../../src/ports/clock.ts";
import type { AgentDialer, ControlStream } from "../../../src/ports/node-session.ts";
import { nextReconnectMs } from "../../../src/ssh/reconnect.ts";
import { Connection } from "../fakes/connection.ts";
import { SimStore, type StoreFile } from "../fakes/sim-store.ts";
import type { Station } from "../fakes/network.ts";
import { publicKey, signerBy, simHasher, verifierOf } from "../fakes/trust.ts";
import type { Chance } from "../kernel/chance.ts";
import { HostClock } from "../kernel/host-clock.ts";
import { Moments } from "../kernel/moments.ts";
import { Life } from "../kernel/scheduler.ts";
import type { Host } from "./host.ts";
import type { Universe } from "./universe.ts";

const RESTART_MS = 1_000;
/** A pause that a coordinator is sure to notice, and to start all leases anew after. */
const NOTICED_PAUSE_MS = 2_010;
/** As src/ssh waits for a host that does not answer. */
const CONNECT_TIMEOUT_MS = 3_000;
/** Messages each way until a stream stands: TCP, key exchange, authentication, the socket. */
const HANDSHAKES = 4;

/** A coordinator in one of its lives. */
export type Coordinating = {
  readonly machine: CoordinatorMachine;
  readonly life: Life;
  readonly chain: EpochChain;
  readonly epoch: number;
  readonly nonce: string;
  readonly door: CommitDoor;
  readonly coordinator: Coordinator;
  readonly clock: Clock;
  readonly startedMs: number;
};

export class CoordinatorMachine implements Station {
  readonly address: string;
  readonly file: StoreFile;
  readonly clock: HostClock;
  readonly chance: Chance;
  /** A transaction was handed to the store; it is durable, and nobody has heard of it. */
  readonly moments = new Moments<"submitted" | "durable">();
  readonly #universe: Universe;
  readonly #hosts: ReadonlyMap<string, Host>;
  readonly #connections = new Set<Connection>();
  #machine: Life | undefined = new Life("coordinator's machine");
  #process: Life | undefined;
  #running: Coordinating | undefined;
  /** Whether the coordinator is to be started again when it ends. */
  isSupervised = true;
  /** When it last went on after a pause, in true time. */
  resumedMs = 0;
  #pausedMs = 0;
  /** Why it ended for good, once it did: agents obey another one. */
  refused: string | undefined;

  constructor(
    universe: Universe,
    address: string,
    file: StoreFile,
    hosts: ReadonlyMap<string, Host>,
    clockRate: number,
  ) {
    this.#universe = universe;
    this.address = address;
    this.file = file;
    this.#hosts = hosts;
    this.chance = universe.chance.fork(address);
    this.clock = new HostClock(universe.scheduler, clockRate, this.chance.between(10_000, 10_000_000));
    universe.network.add(this);
    file.onEpoch = (chain) => universe.witnesses.forEach((witness) => witness.epochBegun(chain));
    file.onSubmit = (commit) => {
      const running = this.#running;
      if (running !== undefined) for (const witness of universe.witnesses) witness.submitted(running, commit);
      this.moments.reach("submitted");
    };
    file.onDurable = (commit, revision, state) => {
      const running = this.#running;
      if (running !== undefined)
        for (const witness of universe.witnesses) witness.durable(running, commit, revision, state);
      this.moments.reach("durable");
    };
  }

  get isUp(): boolean {
    return this.#machine !== undefined;
  }

  /** The coordinator, once it has begun its epoch; undefined while there is none. */
  get running(): Coordinating | undefined {
    // of a process that is still beginning there is only the one before it
    return this.#process?.isAlive === true && this.#running?.life === this.#process ? this.#running : undefined;
  }

  get life(): Life | undefined {
    return this.#process;
  }

  start(): void {
    if (this.#machine === undefined || this.#process?.isAlive === true || this.refused !== undefined) return;
    const life = new Life("coordinator", this.#machine);
    this.#process = life;
    this.resumedMs = 0;
    this.#begin(life).catch((error: unknown) => {
      if (!life.isAlive) return;
      this.#write(`cannot start: ${String(error)}`);
      this.kill();
    });
  }

  async #begin(life: Life): Promise<void> {
    const { scheduler, journal } = this.#universe;
    const clock = this.clock.portOf(life);
    const chance = this.chance.fork(`life ${scheduler.count}`);
    const store = new SimStore(this.file, scheduler, chance.fork("store"), life);
    const loaded = await store.load();
    const chain = await beginEpoch(store, loaded, chance.port);
    const head = chain.at(-1) ?? { epoch: 0, nonce: "" };
    const { state, revision } = loaded;
    const fatal = (error: DavitError): void => this.#end(life, error);
    const door = new CommitDoor({ store, clock, epoch: head.epoch, state, revision, fatal });
    const issuerKeys = (): readonly string[] => [...door.state.issuerKey.values()].map((key) => key.publicJwk);
    const newest = (ids: readonly string[] | undefined): string => newestKey([...door.state.issuerKey.values()], ids);
    const trust = createTrust({
      cluster: clusterOf(state),
      epoch: head,
      clock,
      signerFor: (ids) => signerBy(() => newest(ids)),
      verifierOf: (jwk) => verifierOf(() => [jwk]),
      issuerKeys,
    });
    const log = journal.logOf(this.address);
    const coordinator = new Coordinator({
      door,
      chain,
      clock,
      random: chance.fork("plan").port,
      hasher: simHasher,
      nextTick,
      log,
      dialer: this.#dialer(life),
      reconnectMs: nextReconnectMs,
      trust,
      unseal: (sealed) => sealed,
      forked: fatal,
      forget: () => {},
    });
    this.#running = { machine: this, life, chain, ...head, door, coordinator, clock, startedMs: scheduler.nowMs };
    for (const witness of this.#universe.witnesses) witness.coordinatorStarted(this.#running);
    this.#write(`begins epoch ${head.epoch}`);
    coordinator.start();
    let keys = 0;
    const newKey = async (): Promise<IssuerKey> => issuerKey(`issuer-${head.epoch}-${++keys}`, clock.nowMs());
    startKeyRotation({ door, clock, log, newKey });
  }

  /** It found that it must not go on. */
  #end(life: Life, error: DavitError): void {
    if (!life.isAlive) return;
    this.#write(`ends: ${error.message}`);
    if (error.code === "forked_history") this.refused = error.message;
    // main.ts ends the loops and then itself
    this.#universe.scheduler.after(1, life, () => this.kill());
  }

  /** Runs a user's command on it; rejects when it is not there, and never settles when it ends in the middle. */
  command<Result>(command: Command<Result>): Promise<{ readonly result: Result; readonly revision: number }> {
    const { running } = this;
    if (running === undefined) return Promise.reject(new DavitError("unavailable", "no coordinator answers"));
    const context: CommandContext = {
      nowMs: running.clock.nowMs(),
      newId: idSourceFrom(idFromBytes(this.chance.port.bytes(ID_BYTES))),
      hash: (text) => simHasher.hash(text),
      hashBytes: (bytes) => simHasher.hashBytes(bytes),
      nextTick,
      hasFence: true,
    };
    return running.door.commit((state) => command(state, context));
  }

  /** SIGKILL. What the operating system has of its file stays. */
  kill(afterMs: number = RESTART_MS): void {
    const life = this.#process;
    if (life?.isAlive !== true) return;
    this.file.processEnded();
    life.end();
    for (const connection of this.#connections) connection.processEnded("coordinator");
    this.#connections.clear();
    if (this.isSupervised) this.#universe.scheduler.after(afterMs, this.#machine, () => this.start());
  }

  /** SIGTERM: nodes are told. */
  stop(): void {
    const { running } = this;
    if (running === undefined) return;
    running.coordinator.stop("the coordinator stops; your containers go on");
    this.#universe.scheduler.after(20, running.life, () => this.kill());
  }

  pause(forMs: number): void {
    this.#pausedMs = this.#universe.nowMs;
    this.#process?.pauseUntil(this.#universe.nowMs + forMs);
    if (forMs > NOTICED_PAUSE_MS) this.resumedMs = Math.max(this.resumedMs, this.#universe.nowMs + forMs);
  }

  resume(): void {
    this.#machine?.unpause();
    this.#process?.unpause();
    this.#universe.scheduler.resumed();
    const { nowMs } = this.#universe;
    if (this.resumedMs <= nowMs) return;
    // a pause that was cut short may be too short to be noticed
    this.resumedMs = nowMs - this.#pausedMs > NOTICED_PAUSE_MS ? nowMs : 0;
  }

  powerOff(): void {
    if (this.#machine === undefined) return;
    this.#write("loses its power");
    this.file.powerLost(this.chance.happens(0.5));
    this.#forgetStep();
    this.#machine.end();
    this.#machine = undefined;
    this.#connections.clear();
    this.#universe.network.changed();
  }

  powerOn(): void {
    if (this.#machine !== undefined) return;
    this.#write("boots");
    this.#machine = new Life("coordinator's machine");
    this.clock.reboot();
    this.#universe.network.changed();
    if (this.isSupervised)
      this.#universe.scheduler.after(this.chance.between(500, 3_000), this.#machine, () => this.start());
  }

  /** Whether a step of its wall clock can be told from time: with the power off, and before both clocks of a new boot are noted, by nobody. */
  get canTellSteps(): boolean {
    const [cluster] = this.file.state.cluster.values();
    return this.isUp && cluster?.clock?.bootId === this.clock.bootId();
  }

  /** A step forward that is not noted durably cannot be told from time any more; one back makes it wait a little longer, if anything. */
  #forgetStep(): void {
    const [cluster] = this.file.state.cluster.values();
    const noted = cluster?.clock;
    if (noted?.bootId !== this.clock.bootId()) return;
    this.clock.believe(Math.max(0, this.clock.nowMs() - noted.wallMs - (this.clock.bootMs() - noted.bootMs)));
  }

  #dialer(life: Life): AgentDialer<Node> {
    return {
      control: (target, via) => this.#dial(life, target, via),
      isReachableVia: async (target, via) => {
        (await this.#dial(life, target, via)).close("only looked");
        return true;
      },
    };
  }

  async #dial(life: Life, target: Node, via: Node | undefined): Promise<ControlStream> {
    const { scheduler, network } = this.#universe;
    const way = [this.address, ...(via === undefined ? [] : [via.address.host]), target.address.host];
    const back = way.toReversed();
    const isOpen = (): boolean => network.isOpen(way) && network.isOpen(back);
    const untilMs = scheduler.nowMs + CONNECT_TIMEOUT_MS;
    for (let step = 0; step < HANDSHAKES; step++) {
      const tripMs = network.delayMs(way) + network.delayMs(back);
      if (!isOpen() || scheduler.nowMs + tripMs > untilMs) {
        await scheduler.later(untilMs - scheduler.nowMs, life, () => undefined);
        throw new DavitError(
          "ssh_failed",
          `connect to ${target.name}: no answer within ${CONNECT_TIMEOUT_MS / 1_000} s`,
        );
      }
      await scheduler.later(tripMs, life, () => undefined);
    }
    const host = this.#hosts.get(target.address.host);
    const agent = host?.agentLife;
    if (host?.core === undefined || agent === undefined)
      throw new DavitError("ssh_failed", `reach the agent of ${target.name}: connection refused`);
    const { witnesses } = this.#universe;
    const connection: Connection = new Connection(network, way, { coordinator: life, agent }, (side, frame) => {
      const running = this.#running;
      if (side === "coordinator" && running?.life === life)
        for (const witness of witnesses)
          witness.heard(running, target.id, frame as Parameters<typeof witness.heard>[2]);
      if (side === "agent" && running?.life === life)
        for (const witness of witnesses)
          witness.told(
            host,
            { epoch: running.epoch, nonce: running.nonce },
            frame as Parameters<typeof witness.told>[2],
          );
    });
    this.#connections.add(connection);
    host.connections.add(connection);
    host.accept(connection.agent);
    return connection.coordinator;
  }

  #write(what: string): void {
    this.#universe.journal.write(this.address, what);
  }
}

function newestKey(keys: readonly IssuerKey[], ids: readonly string[] | undefined): string {
  const known = keys.filter((key) => ids?.includes(key.id) === true);
  const newest = (known.length > 0 ? known : keys).toSorted((a, b) => b.createdAtMs - a.createdAtMs)[0];
  return newest?.id ?? "";
}

/** A signing key of the cluster as it is stored. */
export function issuerKey(id: string, createdAtMs: number): IssuerKey {
  return { id, publicJwk: publicKey(id), sealedPrivateJwk: "", createdAtMs };
}
