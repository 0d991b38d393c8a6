// The steps of joins that run at the same time: on a terminal what each host does now, with what is done above; elsewhere a line a step.

import type { JoinProgress } from "../../core/model/views.ts";
import { type CliContext, note } from "../context.ts";
import { clean } from "../render/clean.ts";
import { type Paint, paintFor } from "../render/color.ts";
import { LiveLines } from "../render/live.ts";
import { duration } from "../render/units.ts";

/** Shorter steps need no time beside them. */
const WORTH_TELLING_MS = 100;

export class JoinBoard {
  readonly #context: CliContext;
  readonly #live: LiveLines;
  readonly #paint: Paint;
  /** What is being done now, by host and step: a host may do several at once. */
  readonly #now = new Map<string, Map<string, string>>();
  #isHeld = false;

  constructor(context: CliContext) {
    this.#context = context;
    this.#paint = paintFor(context.hasColor.stderr);
    this.#live = new LiveLines({
      write: (text) => context.process.stderr.write(text),
      size: () => context.terminal.size(),
    });
  }

  step(target: string, progress: JoinProgress): void {
    const { state, step, message, elapsedMs } = progress;
    const running = this.#now.get(target) ?? new Map<string, string>();
    this.#now.set(target, running);
    if (state === "started") {
      running.set(step, `${target}  ${step}: ${clean(message)} …`);
      this.#draw();
      return;
    }
    running.delete(step);
    const time = elapsedMs >= WORTH_TELLING_MS ? ` (${duration(elapsedMs)})` : "";
    const words = `${state === "skipped" ? "nothing to do: " : ""}${clean(message)}${time}`;
    const tone = state === "failed" ? "bad" : state === "skipped" ? "quiet" : "good";
    this.#print(`${target}  ${this.#paint(tone, state === "failed" ? `${step} failed` : step)}: ${words}`);
  }

  /** The host does nothing any more. */
  ended(target: string): void {
    this.#now.delete(target);
    this.#draw();
  }

  /** Takes the live lines away. */
  close(): void {
    if (this.#context.isTerminal) this.#live.clear();
  }

  #print(line: string): void {
    if (this.#context.isTerminal) this.#live.print(line, this.#isHeld ? [] : this.#lines());
    else note(this.#context, line);
  }

  #draw(): void {
    if (this.#context.isTerminal && !this.#isHeld) this.#live.show(this.#lines());
  }

  #lines(): readonly string[] {
    return [...this.#now.values()].flatMap((running) => [...running.values()]);
  }

  /** Keeps the live lines away while a question is on the terminal. */
  async hold<Answer>(ask: () => Promise<Answer>): Promise<Answer> {
    this.close();
    this.#isHeld = true;
    try {
      return await ask();
    } finally {
      this.#isHeld = false;
      this.#draw();
    }
  }
}
