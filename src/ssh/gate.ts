// Limits how much happens at once. sshd refuses handshakes in parallel (MaxStartups 10:30:100) and newer ones punish a source that
// makes many: so a coordinator that lost all nodes at once must not knock with all of them at the same door.

/** At most `limit` holders at a time; the others wait in order. */
export class Gate {
  readonly #limit: number;
  readonly #waiting: (() => void)[] = [];
  #held = 0;

  constructor(limit: number) {
    this.#limit = limit;
  }

  /** Takes a place, now or never. The caller must `leave` if it got one. */
  tryEnter(): boolean {
    if (this.#held >= this.#limit) return false;
    this.#held += 1;
    return true;
  }

  leave(): void {
    const next = this.#waiting.shift();
    if (next === undefined) this.#held -= 1;
    else next();
  }

  async run<Result>(work: () => Promise<Result>): Promise<Result> {
    if (!this.tryEnter()) await new Promise<void>((resolve) => this.#waiting.push(resolve));
    try {
      return await work();
    } finally {
      this.leave();
    }
  }
}

/** Handshakes in progress from this coordinator: each costs both sides some milliseconds of CPU, and all share the coordinator's. */
const MAX_HANDSHAKES = 16;
/** Handshakes in progress with one sshd: below the 10 from which its default MaxStartups drops some at random. */
const MAX_HANDSHAKES_PER_HOST = 4;

/** The gates of one coordinator: per SSH server that is knocked at, and over all. */
export class HandshakeGates {
  readonly #all = new Gate(MAX_HANDSHAKES);
  readonly #perHost = new Map<string, { readonly gate: Gate; users: number }>();

  /** Runs a handshake with `host` once both gates have a place. */
  async run<Result>(host: string, work: () => Promise<Result>): Promise<Result> {
    const entry = this.#perHost.get(host) ?? { gate: new Gate(MAX_HANDSHAKES_PER_HOST), users: 0 };
    this.#perHost.set(host, entry);
    entry.users += 1;
    try {
      return await entry.gate.run(() => this.#all.run(work));
    } finally {
      entry.users -= 1;
      if (entry.users === 0) this.#perHost.delete(host);
    }
  }
}
