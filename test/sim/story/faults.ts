// Faults: each kind begins at random moments and ends after a while. A run has some of the kinds; after it all of them end.

import { NO_TROUBLE } from "../fakes/machine-engine.ts";
import { GOOD_DISK } from "../fakes/agent-files.ts";
import { GOOD_STORE } from "../fakes/sim-store.ts";
import { FAIR_WEATHER } from "../fakes/network.ts";
import type { Chance } from "../kernel/chance.ts";
import type { Cluster } from "../world/cluster.ts";
import type { Host } from "../world/host.ts";
import { phasesOf, type Phase } from "./phases.ts";
import type { Strangers } from "./strangers.ts";

/** Begins, and gives what ends it, if anything does. */
type Begin = (cluster: Cluster, host: Host, chance: Chance, strangers: Strangers) => (() => void) | undefined;

export type Fault = {
  readonly name: string;
  /** Mean time between two of them, in a run that has the kind. */
  readonly everyMs: number;
  /** Mean time until it ends. */
  readonly lastsMs: number;
  readonly begin: Begin;
};

const NETWORK: readonly Fault[] = [
  fault("slow network", 60_000, 30_000, ({ universe: { network } }, _, chance) => {
    network.weather = { ...network.weather, delayMs: chance.between(5, 100) };
    return () => (network.weather = { ...network.weather, delayMs: FAIR_WEATHER.delayMs });
  }),
  fault("lossy network", 60_000, 30_000, ({ universe: { network } }, _, chance) => {
    network.weather = { ...network.weather, loss: chance.between(0.02, 0.3) };
    return () => (network.weather = { ...network.weather, loss: 0 });
  }),
  fault("node cut from coordinator", 30_000, 8_000, ({ universe: { network }, machine }, host) => {
    network.cut(host.address, machine.address);
    network.cut(machine.address, host.address);
    return () => network.mend(host.address);
  }),
  fault("node cut one way", 30_000, 8_000, ({ universe: { network }, machine }, host, chance) => {
    if (chance.happens(0.5)) network.cut(host.address, machine.address);
    else network.cut(machine.address, host.address);
    return () => network.mend(host.address);
  }),
  fault("node isolated", 40_000, 15_000, ({ universe: { network } }, host) => {
    network.isolate(host.address);
    return () => network.mend(host.address);
  }),
  fault("coordinator isolated", 60_000, 12_000, ({ universe: { network }, machine }) => {
    network.isolate(machine.address);
    return () => network.mend(machine.address);
  }),
  fault("node clogged", 40_000, 15_000, ({ universe: { network } }, host, chance) => {
    network.clog(host.address, chance.between(200, 5_000));
    return () => network.mend(host.address);
  }),
  fault("frames come twice", 30_000, 0, (_, host) => {
    for (const connection of host.connections) connection.repeat();
    return undefined;
  }),
  fault("a stranger connects", 40_000, 0, (_cluster, host, chance, strangers) => {
    strangers.visit(host, chance);
    return undefined;
  }),
];

const PROCESSES: readonly Fault[] = [
  fault("agent killed", 20_000, 0, (_, host, chance) => {
    host.killAgent(chance.one(100, 1_000, 1_000, 10_000));
    return undefined;
  }),
  fault("agent killed in mid-write", 40_000, 0, (_, host) => {
    host.moments.once("written", () => host.killAgent());
    return undefined;
  }),
  fault("agent killed in mid-call", 40_000, 0, (_, host) => {
    host.moments.once("asked", () => host.killAgent());
    return undefined;
  }),
  fault("agent's files lost", 120_000, 0, (_, host) => {
    host.loseFiles();
    return undefined;
  }),
  fault("agent restarted", 40_000, 0, (_, host) => {
    void host.stopAgent();
    return undefined;
  }),
  fault("agent paused", 40_000, 0, (_, host, chance) => {
    host.pauseAgent(chance.one(500, 3_000, 10_000, 40_000, 300_000));
    return undefined;
  }),
  fault("host loses power", 40_000, 15_000, (_, host) => {
    host.powerOff();
    return () => host.powerOn();
  }),
  fault("host suspended", 60_000, 0, (_, host, chance) => {
    host.suspend(chance.one(1_000, 5_000, 20_000, 60_000, 300_000));
    return undefined;
  }),
  fault("coordinator killed", 25_000, 0, ({ machine }, _, chance) => {
    machine.kill(chance.one(50, 1_000, 1_000, 15_000));
    return undefined;
  }),
  fault("coordinator killed before a commit", 60_000, 0, ({ machine }) => {
    machine.moments.once("submitted", () => machine.kill());
    return undefined;
  }),
  fault("coordinator killed after a commit", 60_000, 0, ({ machine }) => {
    machine.moments.once("durable", () => machine.kill());
    return undefined;
  }),
  fault("an old coordinator returns", 120_000, 0, (_cluster, _host, _chance, strangers) => {
    strangers.copyForLater();
    return undefined;
  }),
  fault("coordinator stopped", 60_000, 0, ({ machine }) => {
    machine.stop();
    return undefined;
  }),
  fault("coordinator paused", 40_000, 0, ({ machine }, _, chance) => {
    machine.pause(chance.one(300, 1_500, 5_000, 30_000));
    return undefined;
  }),
  fault("coordinator loses power", 60_000, 8_000, ({ machine }) => {
    machine.powerOff();
    return () => machine.powerOn();
  }),
];

const DISKS_AND_CLOCKS: readonly Fault[] = [
  fault("wall clock stepped", 40_000, 20_000, (_, host, chance) => {
    host.clock.stepWall(chance.between(-3_600_000, 3_600_000));
    return chance.happens(0.5) ? () => host.clock.setWall() : undefined;
  }),
  fault("coordinator's wall clock stepped", 80_000, 20_000, ({ machine }, _, chance) => {
    const byMs = Math.round(chance.between(-600_000, 3_600_000));
    // less is what slewing does, which nobody tells from time
    if (machine.canTellSteps && Math.abs(byMs) >= 1_000) machine.clock.stepWall(byMs);
    return undefined;
  }),
  fault("coordinator's disk slow", 50_000, 15_000, ({ machine: { file } }, _, chance) => {
    file.health = { ...file.health, syncMs: chance.one(100, 1_000, 10_000) };
    return () => (file.health = { ...file.health, syncMs: GOOD_STORE.syncMs });
  }),
  fault("coordinator's disk fails", 80_000, 2_000, ({ machine: { file } }) => {
    file.health = { ...file.health, fault: "the disk reports an error" };
    return () => (file.health = { syncMs: file.health.syncMs });
  }),
  fault("agent's disk slow", 40_000, 15_000, (_, host, chance) => {
    host.files.health = { ...host.files.health, syncMs: chance.one(50, 500, 5_000) };
    return () => (host.files.health = { ...host.files.health, syncMs: GOOD_DISK.syncMs });
  }),
  fault("agent's disk fails", 60_000, 3_000, (_, host) => {
    host.files.health = { ...host.files.health, fault: "no space left on device" };
    return () => (host.files.health = { syncMs: host.files.health.syncMs });
  }),
];

const ENGINES: readonly Fault[] = [
  fault("engine restarted", 40_000, 2_000, (_, { engine }, chance) => {
    engine.daemonDown(chance.happens(0.3));
    return () => engine.daemonUp();
  }),
  fault("engine away for long", 90_000, 30_000, (_, { engine }) => {
    engine.daemonDown(false);
    return () => engine.daemonUp();
  }),
  fault("engine hangs", 60_000, 20_000, (_, { engine }) => {
    engine.trouble = { ...engine.trouble, hangs: 0.2 };
    return () => (engine.trouble = { ...engine.trouble, hangs: 0 });
  }),
  fault("engine slow", 60_000, 20_000, (_, { engine }, chance) => {
    engine.trouble = { ...engine.trouble, slowness: chance.one(3, 10, 40) };
    return () => (engine.trouble = { ...engine.trouble, slowness: 1 });
  }),
  fault("network rules fail", 40_000, 20_000, (_, { rules }, chance) => {
    rules.trouble = chance.one(0.5, 0.9, 1);
    return () => (rules.trouble = 0);
  }),
  fault("exit events lost", 40_000, 30_000, (_, { engine }) => {
    engine.trouble = { ...engine.trouble, lostEvents: 0.7 };
    return () => (engine.trouble = { ...engine.trouble, lostEvents: 0 });
  }),
  fault("engine events late", 40_000, 30_000, (_, { engine }, chance) => {
    engine.trouble = { ...engine.trouble, eventDelayMs: chance.one(500, 3_000, 15_000) };
    return () => (engine.trouble = { ...engine.trouble, eventDelayMs: 0 });
  }),
  fault("names taken", 60_000, 20_000, (_, { engine }) => {
    engine.trouble = { ...engine.trouble, takenNames: 0.5 };
    return () => (engine.trouble = { ...engine.trouble, takenNames: 0 });
  }),
  fault("pulls fail", 60_000, 20_000, (_, { engine }) => {
    engine.trouble = { ...engine.trouble, badPulls: 0.6 };
    return () => (engine.trouble = { ...engine.trouble, badPulls: 0 });
  }),
  fault("container dies", 15_000, 0, (_, { engine }, chance) => {
    const box = chance.pick(engine.running.filter((one) => one.request !== undefined));
    if (box !== undefined) engine.exit(box, chance.one(0, 1, 137, 139), chance.happens(0.2));
    return undefined;
  }),
  fault("container removed by somebody", 40_000, 0, (_, { engine }, chance) => {
    const box = chance.pick([...engine.boxes.values()].filter((one) => one.request !== undefined));
    if (box !== undefined) engine.remove(box);
    return undefined;
  }),
  fault("image removed by somebody", 60_000, 0, (_, { engine }, chance) => {
    const image = chance.pick([...engine.images]);
    if (image !== undefined) engine.images.delete(image);
    return undefined;
  }),
];

export const FAULTS: readonly Fault[] = [...NETWORK, ...PROCESSES, ...DISKS_AND_CLOCKS, ...ENGINES];

function fault(name: string, everyMs: number, lastsMs: number, begin: Begin): Fault {
  return { name, everyMs, lastsMs, begin };
}

/** How often each fault met each phase, as "fault/phase". */
export type Matrix = Map<string, number>;

export class FaultMaker {
  readonly #cluster: Cluster;
  readonly #chance: Chance;
  readonly #strangers: Strangers;
  readonly kinds: readonly Fault[];
  readonly matrix: Matrix = new Map();
  #isOver = false;

  constructor(cluster: Cluster, kinds: readonly Fault[], strangers: Strangers) {
    this.#cluster = cluster;
    this.#strangers = strangers;
    this.#chance = cluster.universe.chance.fork("faults");
    this.kinds = kinds;
  }

  start(): void {
    for (const kind of this.kinds) this.#later(kind);
  }

  #later(kind: Fault): void {
    this.#cluster.universe.scheduler.after(this.#chance.around(kind.everyMs), undefined, () => {
      if (this.#isOver) return;
      this.#begin(kind);
      this.#later(kind);
    });
  }

  #begin(kind: Fault): void {
    const { universe, nodes, state } = this.#cluster;
    const host = this.#chance.pick(nodes);
    if (host === undefined) return;
    universe.journal.write("fault", `${kind.name} (${host.name})`);
    for (const phase of phasesOf(state)) this.#count(kind.name, phase);
    const end = kind.begin(this.#cluster, host, this.#chance, this.#strangers);
    if (end === undefined) return;
    universe.scheduler.after(this.#chance.around(kind.lastsMs), undefined, () => {
      if (this.#isOver) return;
      universe.journal.write("fault", `${kind.name} (${host.name}) is over`);
      end();
    });
  }

  #count(name: string, phase: Phase): void {
    const key = `${name}/${phase}`;
    this.matrix.set(key, (this.matrix.get(key) ?? 0) + 1);
  }

  /** Everything works again. */
  stop(): void {
    const { universe, machine, nodes } = this.#cluster;
    this.#isOver = true;
    universe.journal.write("fault", "all faults are over");
    universe.network.mendAll();
    machine.file.health = GOOD_STORE;
    machine.moments.clear();
    machine.resume();
    machine.powerOn();
    for (const host of nodes) {
      host.moments.clear();
      host.files.health = GOOD_DISK;
      host.engine.trouble = NO_TROUBLE;
      host.rules.trouble = 0;
      host.clock.setWall();
      host.resume();
      host.powerOn();
      if (!host.engine.daemon.isAlive) host.engine.daemonUp();
    }
  }
}
