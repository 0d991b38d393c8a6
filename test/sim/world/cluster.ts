// A whole cluster in virtual time: a coordinator's machine and hosts that have joined. Who changes it from here on is the story.

import { asId } from "../../../src/core/model/ids.ts";
import type { Change } from "../../../src/core/model/records.ts";
import { meshAddress, nextSubnet, parseCidr } from "../../../src/core/model/subnets.ts";
import { applyChanges, type State } from "../../../src/core/model/world.ts";
import { StoreFile } from "../fakes/sim-store.ts";
import { publicKey } from "../fakes/trust.ts";
import { CoordinatorMachine, type Coordinating, issuerKey } from "./coordinator-machine.ts";
import { Host } from "./host.ts";
import { CLUSTER_ID, Universe } from "./universe.ts";

const POOL = "10.210.0.0/16";
const FIRST_KEY = "issuer-first";

export type ClusterPlan = {
  readonly seed: string;
  readonly nodes: number;
  readonly isTraced?: boolean;
  /** The largest error of a machine's clock, as a part. */
  readonly drift?: number;
};

export class Cluster {
  readonly universe: Universe;
  /** By address. */
  readonly hosts = new Map<string, Host>();
  readonly machine: CoordinatorMachine;
  /** Machines that had a copy of the coordinator's data and came back. */
  readonly oldMachines: CoordinatorMachine[] = [];
  readonly #drift: number;

  constructor(plan: ClusterPlan) {
    this.universe = new Universe(plan.seed, plan.isTraced ?? false);
    this.#drift = plan.drift ?? 0;
    const chance = this.universe.chance.fork("cluster");
    const file = new StoreFile();
    applyChanges(file.state, founding(this.universe.nowMs));
    this.machine = new CoordinatorMachine(this.universe, "coordinator", file, this.hosts, this.#rate());
    const nowMs = this.machine.clock.nowMs();
    for (let number = 1; number <= plan.nodes; number++) {
      const host = this.#addHost(number, chance.one(2, 4, 8));
      const labels = { disk: chance.one("ssd", "hdd"), zone: chance.one("a", "b") };
      const record = host.record(this.#subnet(file.state), nowMs, labels);
      host.meshAddress = meshAddress(parseCidr(POOL), record.subnet);
      applyChanges(file.state, [{ op: "put", kind: "node", record }]);
    }
  }

  /** Power on everywhere. */
  start(): void {
    this.machine.start();
    for (const host of this.hosts.values()) host.startAgent();
  }

  get nodes(): readonly Host[] {
    return [...this.hosts.values()];
  }

  get running(): Coordinating | undefined {
    return this.machine.running;
  }

  /** What is committed, durably. */
  get state(): State {
    return this.machine.file.state;
  }

  run(forMs: number, stop: () => boolean = () => false): boolean {
    const { scheduler } = this.universe;
    return scheduler.runUntil(scheduler.nowMs + forMs, stop);
  }

  /** A machine with what the coordinator's data were when they were copied. */
  oldMachine(file: StoreFile): CoordinatorMachine {
    const address = `old-coordinator-${this.oldMachines.length + 1}`;
    const machine = new CoordinatorMachine(this.universe, address, file, this.hosts, this.#rate());
    this.oldMachines.push(machine);
    return machine;
  }

  #addHost(number: number, cpus: number): Host {
    const host = new Host(this.universe, {
      id: asId<"node">(`node${String(number).padStart(2, "0")}`.padEnd(25, "0")),
      name: `n${number}`,
      address: `10.0.0.${number + 10}`,
      clockRate: this.#rate(),
      resources: { cpus, memoryBytes: cpus * 2_000_000_000, generic: {} },
      issuerKeys: [publicKey(FIRST_KEY)],
    });
    this.hosts.set(host.address, host);
    return host;
  }

  #rate(): number {
    return 1 + (this.universe.chance.fraction() * 2 - 1) * this.#drift;
  }

  #subnet(state: State): string {
    const taken = new Set([...state.node.values()].map((node) => node.subnet));
    return nextSubnet(parseCidr(POOL), taken) ?? "";
  }
}

/** What the first start of a coordinator makes, with keys that are none. */
function founding(nowMs: number): readonly Change[] {
  return [
    {
      op: "put",
      kind: "cluster",
      record: { id: CLUSTER_ID, name: "default", createdAtMs: nowMs, addressPool: POOL },
    },
    { op: "put", kind: "issuerKey", record: issuerKey(FIRST_KEY, 1_800_000_000_000) },
    { op: "put", kind: "clusterKey", record: { id: "cluster", publicKey: "cluster", sealedPrivateKey: "" } },
  ];
}
