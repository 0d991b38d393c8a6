// The process of simulated agents, as the measured coordinator speaks to it.

import { join } from "node:path";
import { createInterface } from "node:readline";
import { Readable } from "node:stream";
import type { AgentsCommand } from "./messages.ts";

type Line = { readonly ready?: true; readonly id?: number; readonly answer?: unknown };

export class AgentsProcess {
  readonly #child: Bun.Subprocess<"pipe", "pipe", "inherit">;
  readonly #asked = new Map<number, (answer: unknown) => void>();
  #count = 0;

  private constructor(child: Bun.Subprocess<"pipe", "pipe", "inherit">) {
    this.#child = child;
  }

  /** Resolves once its agents can be reached. */
  static async start(socketPath: string, apiPath: string): Promise<AgentsProcess> {
    const child = Bun.spawn([process.execPath, join(import.meta.dirname, "agents.ts"), socketPath, apiPath], {
      stdin: "pipe",
      stdout: "pipe",
      stderr: "inherit",
    });
    const agents = new AgentsProcess(child);
    const ready = Promise.withResolvers<void>();
    createInterface({ input: Readable.fromWeb(child.stdout as never) }).on("line", (text) => {
      const line = JSON.parse(text) as Line;
      if (line.ready === true) ready.resolve();
      else agents.#asked.get(line.id ?? 0)?.(line.answer);
    });
    await ready.promise;
    return agents;
  }

  ask<Answer>(command: AgentsCommand): Promise<Answer> {
    const id = ++this.#count;
    return new Promise((resolve) => {
      this.#asked.set(id, resolve as (answer: unknown) => void);
      void this.#child.stdin.write(`${JSON.stringify({ id, ...command })}\n`);
      void this.#child.stdin.flush();
    });
  }

  stop(): void {
    this.#child.kill();
  }
}
