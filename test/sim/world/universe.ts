// What all parts of one simulation share: time, chance, the journal, the network, the programs in images, and whoever watches.

import type { Commit } from "../../../src/ports/store.ts";
import type { Epoch, EpochChain } from "../../../src/core/model/lease.ts";
import type { ClusterId, NodeId } from "../../../src/core/model/ids.ts";
import { asId } from "../../../src/core/model/ids.ts";
import type { AgentFrame, CoordinatorFrame } from "../../../src/core/protocol/frames.ts";
import type { State } from "../../../src/core/model/world.ts";
import type { Door } from "../fakes/peer-links.ts";
import { Network } from "../fakes/network.ts";
import type { Box, Program } from "../fakes/machine-engine.ts";
import { Chance } from "../kernel/chance.ts";
import { Journal } from "../kernel/journal.ts";
import { Scheduler } from "../kernel/scheduler.ts";
import type { Coordinating } from "./coordinator-machine.ts";
import type { Host } from "./host.ts";

export const CLUSTER_ID: ClusterId = asId("c".repeat(25));

/** Told of what truly happens. Checkers are made of it; none of it is seen by the code under test. */
export interface Witness {
  created(host: Host, box: Box): void;
  started(host: Host, box: Box): void;
  ended(host: Host, box: Box): void;
  /** A fence kills what its agent has not stopped; its lease ended then, by the machine's boot clock. */
  fenced(host: Host, box: Box, leaseEndedBootMs: number): void;
  /** A machine's kernel has other rules. */
  routed(host: Host): void;
  /** An agent asked its engine for something. */
  asked(host: Host, what: string, box: Box): void;
  /** An agent's file was written. */
  wrote(host: Host, file: string, before: string | undefined, text: string): void;
  /** A coordinator hands a transaction to its store: it was built in this very moment. */
  submitted(coordinator: Coordinating, commit: Commit): void;
  /** A transaction is durable; `state` has it. */
  durable(coordinator: Coordinating, commit: Commit, revision: number, state: State): void;
  epochBegun(chain: EpochChain): void;
  /** A coordinator heard a node's agent. */
  heard(coordinator: Coordinating, id: NodeId, frame: AgentFrame): void;
  /** An agent was told something. */
  told(host: Host, epoch: Epoch | undefined, frame: CoordinatorFrame): void;
  coordinatorStarted(coordinator: Coordinating): void;
}

/** A witness that takes no notice: checkers override what they care for. */
export class Bystander implements Witness {
  created(_host: Host, _box: Box): void {}
  started(_host: Host, _box: Box): void {}
  ended(_host: Host, _box: Box): void {}
  fenced(_host: Host, _box: Box, _leaseEndedBootMs: number): void {}
  routed(_host: Host): void {}
  asked(_host: Host, _what: string, _box: Box): void {}
  wrote(_host: Host, _file: string, _before: string | undefined, _text: string): void {}
  submitted(_coordinator: Coordinating, _commit: Commit): void {}
  durable(_coordinator: Coordinating, _commit: Commit, _revision: number, _state: State): void {}
  epochBegun(_chain: EpochChain): void {}
  heard(_coordinator: Coordinating, _id: NodeId, _frame: AgentFrame): void {}
  told(_host: Host, _epoch: Epoch | undefined, _frame: CoordinatorFrame): void {}
  coordinatorStarted(_coordinator: Coordinating): void {}
}

export class Universe {
  readonly scheduler = new Scheduler();
  readonly chance: Chance;
  readonly journal: Journal;
  readonly network: Network;
  readonly programs = new Map<string, Program>();
  readonly witnesses: Witness[] = [];
  readonly hosts: Host[] = [];
  /** Where agents listen to their peers, by mesh address. */
  readonly doors = new Map<string, Door>();

  /** Rarer than on real machines, so that what is simulated is not mostly words of peers. */
  peerIntervalMs = 3_000;

  constructor(seed: string, isTraced: boolean) {
    this.chance = new Chance(seed);
    this.journal = new Journal(this.scheduler, isTraced);
    this.network = new Network(this.scheduler, this.chance.fork("network"));
  }

  get nowMs(): number {
    return this.scheduler.nowMs;
  }

  readonly programOf = (image: string): Program => this.programs.get(image) ?? { pullMs: 500, readyMs: 0 };
}
