// Calls that must not overlap: each begins once the one before it is over, however that ended.

export class OneByOne {
  #last: Promise<unknown> = Promise.resolve();

  run<Result>(call: () => Promise<Result>): Promise<Result> {
    const running = this.#last.then(call);
    this.#last = running.catch(() => undefined);
    return running;
  }
}
