// What must not overlap is done one after the other, in the order in which it was asked for: each begins upon what the one before it left, also
// where that one failed.

export class Turns {
  #last: Promise<unknown> = Promise.resolve();

  take<Result>(work: () => Promise<Result>): Promise<Result> {
    const mine = this.#last.then(work);
    this.#last = mine.catch(() => undefined);
    return mine;
  }
}
