// A process beside the measured coordinator, as the coordinator's own speaks to it.

import { join } from "node:path";
import { createInterface } from "node:readline";
import { Readable } from "node:stream";
type Line = { readonly ready?: true; readonly id?: number; readonly answer?: unknown };

export class HelperProcess<Command> {
  readonly #child: Bun.Subprocess<"pipe", "pipe", "inherit">;
  readonly #asked = new Map<number, (answer: unknown) => void>();
  #count = 0;

  private constructor(child: Bun.Subprocess<"pipe", "pipe", "inherit">) {
    this.#child = child;
  }

  /** Resolves once it is ready. `script`: its file, beside this one. */
  static async start<Command>(script: string, socketPath: string): Promise<HelperProcess<Command>> {
    const child = Bun.spawn([process.execPath, join(import.meta.dirname, script), socketPath], {
      stdin: "pipe",
      stdout: "pipe",
      stderr: "inherit",
    });
    const helper = new HelperProcess<Command>(child);
    const ready = Promise.withResolvers<void>();
    createInterface({ input: Readable.fromWeb(child.stdout as never) }).on("line", (text) => {
      const line = JSON.parse(text) as Line;
      if (line.ready === true) ready.resolve();
      else helper.#asked.get(line.id ?? 0)?.(line.answer);
    });
    await ready.promise;
    return helper;
  }

  ask<Answer>(command: Command): Promise<Answer> {
    const id = ++this.#count;
    return new Promise((resolve) => {
      this.#asked.set(id, resolve as (answer: unknown) => void);
      void this.#child.stdin.write(`${JSON.stringify({ id, command })}\n`);
      void this.#child.stdin.flush();
    });
  }

  stop(): void {
    this.#child.kill();
  }
}
