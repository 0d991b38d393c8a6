// The network between machines: which way is open, how long a message takes. Ways are cut in one direction or both; whoever waits for a
// way is told when something changed.

import type { Chance } from "../kernel/chance.ts";
import type { Scheduler } from "../kernel/scheduler.ts";

/** A machine as the network sees it. */
export interface Station {
  readonly address: string;
  readonly isUp: boolean;
}

export type Weather = {
  /** Mean delay one way. */
  readonly delayMs: number;
  /** Part of the messages that is lost and sent again. */
  readonly loss: number;
};

export const FAIR_WEATHER: Weather = { delayMs: 1, loss: 0 };
/** TCP waits so long before it sends again, doubling each time. */
const RESEND_MS = 200;
const MAX_RESENDS = 5;

export class Network {
  readonly scheduler: Scheduler;
  readonly #chance: Chance;
  readonly #stations = new Map<string, Station>();
  readonly #cuts = new Set<string>();
  /** Addresses whose messages wait behind a full queue, with the extra delay. */
  readonly #clogged = new Map<string, number>();
  readonly #listeners = new Set<() => void>();
  weather: Weather = FAIR_WEATHER;

  constructor(scheduler: Scheduler, chance: Chance) {
    this.scheduler = scheduler;
    this.#chance = chance;
  }

  get chance(): Chance {
    return this.#chance;
  }

  add(station: Station): void {
    this.#stations.set(station.address, station);
  }

  get addresses(): readonly string[] {
    return [...this.#stations.keys()];
  }

  /** Messages from one address to the other vanish. */
  cut(from: string, to: string): void {
    this.#cuts.add(`${from}>${to}`);
    this.changed();
  }

  /** Cuts one station from all others, both ways. */
  isolate(address: string): void {
    for (const other of this.#stations.keys()) {
      if (other === address) continue;
      this.#cuts.add(`${address}>${other}`);
      this.#cuts.add(`${other}>${address}`);
    }
    this.changed();
  }

  /** Messages may take longer than usual. */
  get isTroubled(): boolean {
    return this.#clogged.size > 0 || this.weather !== FAIR_WEATHER;
  }

  clog(address: string, extraMs: number): void {
    this.#clogged.set(address, extraMs);
  }

  /** All is well between this address and the others. */
  mend(address: string): void {
    for (const cut of this.#cuts) if (cut.split(">").includes(address)) this.#cuts.delete(cut);
    this.#clogged.delete(address);
    this.changed();
  }

  mendAll(): void {
    this.#cuts.clear();
    this.#clogged.clear();
    this.weather = FAIR_WEATHER;
    this.changed();
  }

  /** Calls back whenever a way may have opened or closed; gives the way to stop it. */
  onChange(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  changed(): void {
    for (const listener of this.#listeners) listener();
  }

  /** Whether a message would get from the first address over the others to the last. */
  isOpen(way: readonly string[]): boolean {
    return way.every((address, at) => {
      if (this.#stations.get(address)?.isUp !== true) return false;
      const next = way[at + 1];
      return next === undefined || !this.#cuts.has(`${address}>${next}`);
    });
  }

  /** How long a message takes on a way, given that it is open. */
  delayMs(way: readonly string[]): number {
    let delayMs = 0;
    for (let hop = 1; hop < way.length; hop++) {
      delayMs += this.weather.delayMs * (0.5 + this.#chance.fraction()) + 0.05;
      if (this.weather.loss > 0) delayMs += this.#resendsMs();
    }
    if (this.#clogged.size > 0) for (const address of way) delayMs += this.#clogged.get(address) ?? 0;
    return delayMs;
  }

  #resendsMs(): number {
    let waitMs = 0;
    for (let resend = 0; resend < MAX_RESENDS && this.#chance.happens(this.weather.loss); resend++)
      waitMs += RESEND_MS * 2 ** resend;
    return waitMs;
  }
}
