// The present lease, and its copy on tmpfs: gone after a reboot, as it must be; after a restart of the agent only the rest counts.

import { reasonOf } from "../../../src/core/model/errors.ts";
import type { Clock } from "../../../src/ports/clock.ts";
import type { Log } from "../../../src/ports/log.ts";
import type { WorkPosition } from "../../../src/core/model/work.ts";
import {
  type AgentLease,
  beginSession,
  confirmLease,
  isLeaseHeld,
  sendBeat,
  startLease,
  takeGrant,
} from "../lease/lease.ts";
import type { AgentDisk } from "../state/disk.ts";

const FILE = "lease.json";
/** What a fence reads too: it must end what runs by a lease when the agent does not. */
type Stored = { readonly endsBootMs: number; readonly confirmedBootMs?: number };

export class LeaseKeeper {
  readonly #disk: AgentDisk;
  readonly #clock: Clock;
  readonly #log: Log;
  #lease: AgentLease;
  #isWriting = false;
  /** Tasks with a lease of their own may go on, or begin. */
  onConfirmed: () => void = () => {};

  private constructor(disk: AgentDisk, clock: Clock, log: Log, lease: AgentLease) {
    this.#disk = disk;
    this.#clock = clock;
    this.#log = log;
    this.#lease = lease;
  }

  static async load(disk: AgentDisk, clock: Clock, log: Log): Promise<LeaseKeeper> {
    const text = await disk.readVolatile(FILE);
    const { endsBootMs, confirmedBootMs } = text === undefined ? { endsBootMs: 0 } : (JSON.parse(text) as Stored);
    return new LeaseKeeper(disk, clock, log, startLease(endsBootMs, confirmedBootMs));
  }

  /** Boot-time milliseconds. */
  get endsBootMs(): number {
    return this.#lease.endsBootMs;
  }

  /** What is left, in milliseconds, of a task's own lease of this length; 0 or less when it is over. */
  leftOf(leaseMs: number): number {
    return this.#lease.confirmedBootMs + leaseMs - this.#clock.bootMs();
  }

  get isHeld(): boolean {
    return isLeaseHeld(this.#lease, this.#clock.bootMs());
  }

  beginSession(): void {
    this.#lease = beginSession(this.#lease);
  }

  /** The number of a beat that is sent now. */
  beat(): number {
    const { lease, seq } = sendBeat(this.#lease, this.#clock.bootMs());
    this.#lease = lease;
    return seq;
  }

  /** `work`: what the grant is for; `held`: what this node has. */
  granted(seq: number, leaseMs: number, work?: WorkPosition, held?: WorkPosition): void {
    this.#become(confirmLease(takeGrant(this.#lease, seq, leaseMs, work), held));
  }

  /** The node has taken work over: grants that were for it count. */
  holds(held: WorkPosition | undefined): void {
    this.#become(confirmLease(this.#lease, held));
  }

  #become(lease: AgentLease): void {
    const before = this.#lease;
    this.#lease = lease;
    if (lease.endsBootMs !== before.endsBootMs || lease.confirmedBootMs !== before.confirmedBootMs) void this.#write();
    if (lease.confirmedBootMs !== before.confirmedBootMs) this.onConfirmed();
  }

  async #write(): Promise<void> {
    if (this.#isWriting) return;
    this.#isWriting = true;
    try {
      for (let written: AgentLease | undefined; written !== this.#lease;) {
        written = this.#lease;
        await this.#disk.writeVolatile(FILE, JSON.stringify(stored(written)));
      }
    } catch (error) {
      this.#log.error("cannot write the lease", { reason: reasonOf(error) });
    } finally {
      this.#isWriting = false;
    }
  }
}

/** Nothing was confirmed in this boot: nothing is said, which JSON has a way for. */
function stored({ endsBootMs, confirmedBootMs }: AgentLease): Stored {
  return { endsBootMs, ...(Number.isFinite(confirmedBootMs) ? { confirmedBootMs } : {}) };
}
