// Exact moments at which something is to happen: a process dies between what it wrote and hearing that it is written.

export class Moments<Name extends string> {
  readonly #armed = new Map<Name, () => void>();

  /** `run` happens the next time that the moment is reached, once. */
  once(name: Name, run: () => void): void {
    this.#armed.set(name, run);
  }

  reach(name: Name): void {
    const run = this.#armed.get(name);
    if (run === undefined) return;
    this.#armed.delete(name);
    run();
  }

  /** What has not happened by now does not happen any more. */
  clear(): void {
    this.#armed.clear();
  }
}
