// What a checker finds: the invariant by name and a sentence. The first one ends the run.

export type Violation = { readonly invariant: string; readonly sentence: string; readonly atMs: number };

export class Findings {
  readonly #now: () => number;
  #first: Violation | undefined;

  constructor(now: () => number) {
    this.#now = now;
  }

  get first(): Violation | undefined {
    return this.#first;
  }

  report(invariant: string, sentence: string): void {
    this.#first ??= { invariant, sentence, atMs: this.#now() };
  }

  /** Reports unless it holds; the sentence is made only then. */
  check(invariant: string, holds: boolean, sentence: () => string): void {
    if (!holds) this.report(invariant, sentence());
  }
}
