// Time as an input. Leases use bootMs, which goes on during suspend; wall time is for people and for delays between steps.

/** A cancelled timer never fires. */
export interface Timer {
  cancel(): void;
}

export interface Clock {
  /** Milliseconds since 1970; may jump. */
  nowMs(): number;
  /** Milliseconds since the machine's boot, suspend included; never goes back (CLOCK_BOOTTIME). */
  bootMs(): number;
  /** Of the boot that bootMs counts from: two boots, and two machines, have different ones. */
  bootId(): string;
  /** Calls back once, after at least `delayMs`. */
  after(delayMs: number, run: () => void): Timer;
  /** Resolves after `delayMs`. */
  sleep(delayMs: number): Promise<void>;
}
