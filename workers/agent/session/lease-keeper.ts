// The present lease, and its copy on tmpfs: gone after a reboot, as it must be; after a restart of the agent only the rest counts.

import { reasonOf } from "../../../src/core/model/errors.ts";
import type { Clock } from "../../../src/ports/clock.ts";
import type { Log } from "../../../src/ports/log.ts";
import { type AgentLease, beginSession, isLeaseHeld, sendBeat, startLease, takeGrant } from "../lease/lease.ts";
import type { AgentDisk } from "../state/disk.ts";

const FILE = "lease.json";

export class LeaseKeeper {
  readonly #disk: AgentDisk;
  readonly #clock: Clock;
  readonly #log: Log;
  #lease: AgentLease;
  #isWriting = false;

  private constructor(disk: AgentDisk, clock: Clock, log: Log, lease: AgentLease) {
    this.#disk = disk;
    this.#clock = clock;
    this.#log = log;
    this.#lease = lease;
  }

  static async load(disk: AgentDisk, clock: Clock, log: Log): Promise<LeaseKeeper> {
    const text = await disk.readVolatile(FILE);
    const endsBootMs = text === undefined ? 0 : (JSON.parse(text) as { readonly endsBootMs: number }).endsBootMs;
    return new LeaseKeeper(disk, clock, log, startLease(endsBootMs));
  }

  /** Boot-time milliseconds. */
  get endsBootMs(): number {
    return this.#lease.endsBootMs;
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

  granted(seq: number, leaseMs: number): void {
    const before = this.#lease.endsBootMs;
    this.#lease = takeGrant(this.#lease, seq, leaseMs);
    if (this.#lease.endsBootMs !== before) void this.#write();
  }

  async #write(): Promise<void> {
    if (this.#isWriting) return;
    this.#isWriting = true;
    try {
      for (let written = -1; written !== this.#lease.endsBootMs;) {
        written = this.#lease.endsBootMs;
        await this.#disk.writeVolatile(FILE, JSON.stringify({ endsBootMs: written }));
      }
    } catch (error) {
      this.#log.error("cannot write the lease", { reason: reasonOf(error) });
    } finally {
      this.#isWriting = false;
    }
  }
}
