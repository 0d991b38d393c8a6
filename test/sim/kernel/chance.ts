// Chance as a function of a seed: every part of a simulation draws from a fork of its own, so that one part's extra draw does not
// change what happens in another.

import type { Random } from "../../../src/ports/random.ts";

export class Chance {
  readonly #seed: string;
  #a: number;
  #b: number;
  #c: number;
  #d: number;

  constructor(seed: string) {
    this.#seed = seed;
    this.#a = Bun.hash.murmur32v3(seed, 1);
    this.#b = Bun.hash.murmur32v3(seed, 2);
    this.#c = Bun.hash.murmur32v3(seed, 3);
    this.#d = 1;
    for (let round = 0; round < 12; round++) this.#word();
  }

  /** Another source of chance, whose draws are its own. */
  fork(name: string): Chance {
    return new Chance(`${this.#seed}/${name}`);
  }

  /** 0 ≤ x < 1. */
  fraction(): number {
    return this.#word() / 4_294_967_296;
  }

  /** A whole number, 0 ≤ x < `below`. */
  below(below: number): number {
    return Math.floor(this.fraction() * below);
  }

  /** A number between two others. */
  between(from: number, to: number): number {
    return from + this.fraction() * (to - from);
  }

  /** True with this probability. */
  happens(probability: number): boolean {
    return this.fraction() < probability;
  }

  /** Exponentially distributed. */
  around(mean: number): number {
    return -Math.log(1 - this.fraction()) * mean;
  }

  pick<Item>(items: readonly Item[]): Item | undefined {
    return items[this.below(items.length)];
  }

  /** One of several, of which there is at least one. */
  one<Item>(first: Item, ...others: readonly Item[]): Item {
    return others[this.below(others.length + 1) - 1] ?? first;
  }

  /** As the code under test knows chance. */
  get port(): Random {
    return {
      bytes: (length) => Uint8Array.from({ length }, () => this.#word() & 255),
      fraction: () => this.fraction(),
    };
  }

  /** Small Fast Counter, 32 bits (Chris Doty-Humphrey). */
  #word(): number {
    const sum = (this.#a + this.#b + this.#d) | 0;
    this.#d = (this.#d + 1) | 0;
    this.#a = this.#b ^ (this.#b >>> 9);
    this.#b = (this.#c + (this.#c << 3)) | 0;
    this.#c = ((this.#c << 21) | (this.#c >>> 11)) + sum;
    return sum >>> 0;
  }
}
