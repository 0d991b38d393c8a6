// Says what the demo does: each step with its time, each claim with whether it was found true. Keeps the count.

import { styleText } from "node:util";

export type Claim = { readonly holds: boolean; readonly detail?: string };

export class Teller {
  readonly #startedMs = performance.now();
  #passed = 0;
  #failed = 0;

  get passed(): number {
    return this.#passed;
  }

  get failed(): number {
    return this.#failed;
  }

  say(text: string): void {
    console.log(text);
  }

  act(title: string): void {
    console.log(`\n${styleText("bold", title)}`);
  }

  /** Does a step and says how long it took. */
  async step<Value>(what: string, work: () => Promise<Value>): Promise<Value> {
    const started = performance.now();
    console.log(`${this.#clock()} ${what} …`);
    const value = await work();
    console.log(`${this.#clock()} ${what}: ${seconds(performance.now() - started)}`);
    return value;
  }

  /** Prints a claim with what was seen. One that is not true does not end the demo: the rest is worth seeing. */
  async claim(sentence: string, look: () => Promise<Claim>): Promise<void> {
    const { holds, detail } = await look().catch((error: unknown): Claim => ({ holds: false, detail: String(error) }));
    if (holds) this.#passed++;
    else this.#failed++;
    const mark = holds ? styleText("green", "✓") : styleText("red", "✗");
    console.log(`${this.#clock()}   ${mark} ${sentence}${detail === undefined ? "" : ` (${detail})`}`);
  }

  /** Passes on what a program says, indented. */
  passOn = (text: string): void => {
    const lines = text.split("\n").filter((line) => line.trim() !== "");
    for (const line of lines) console.log(`           ${styleText("dim", line)}`);
  };

  #clock(): string {
    return styleText("dim", `[${seconds(performance.now() - this.#startedMs).padStart(7)}]`);
  }
}

export function seconds(milliseconds: number): string {
  return `${(milliseconds / 1000).toFixed(1)} s`;
}
