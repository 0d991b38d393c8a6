// Limits of what one caller and all callers together may hold open. The constants carry why they are what they are.

import { DavitError } from "../core/model/errors.ts";

/** Requests answered at once: more would only wait for each other. Event streams are counted apart. */
export const MAX_CONCURRENT = 256;
/** Open event streams and terminals of one caller: a script that forgets to close them must not take the coordinator's memory. */
export const MAX_STREAMS = 64;

/** Counts what is open by name. */
export class StreamLimit {
  readonly #open = new Map<string, number>();
  readonly #max: number;

  constructor(max: number = MAX_STREAMS) {
    this.#max = max;
  }

  /** Takes a place for a caller; gives the way to return it, which works once. Throws `too_many`. */
  take(name: string): () => void {
    const open = this.#open.get(name) ?? 0;
    if (open >= this.#max) {
      throw new DavitError("too_many", `open stream: ${name} has ${open} open already`, {
        wayOut: "close some of them",
      });
    }
    this.#open.set(name, open + 1);
    let isTaken = true;
    return () => {
      if (!isTaken) return;
      isTaken = false;
      const left = (this.#open.get(name) ?? 1) - 1;
      if (left === 0) this.#open.delete(name);
      else this.#open.set(name, left);
    };
  }
}
