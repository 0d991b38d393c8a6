// Progress of services while a command waits: redrawn in place on a terminal, a line per change elsewhere.

import type { ProgressView } from "../../core/model/views.ts";
import type { CliContext } from "../context.ts";
import { cut } from "./table.ts";
import { stateOf } from "./tasks.ts";

/** Task lines a service may take on a terminal before the rest is summed up. */
const MAX_TASK_LINES = 12;

export class ProgressPrinter {
  readonly #context: CliContext;
  readonly #said = new Map<string, string>();
  #drawnLines = 0;

  constructor(context: CliContext) {
    this.#context = context;
  }

  show(progress: readonly ProgressView[]): void {
    if (this.#context.isTerminal) this.#redraw(progress);
    else this.#append(progress);
  }

  #redraw(progress: readonly ProgressView[]): void {
    const lines = progress.flatMap(linesOf).map((line) => cut(line, this.#context.width - 1));
    const up = this.#drawnLines === 0 ? "" : `\u001b[${this.#drawnLines}A\u001b[0J`;
    this.#drawnLines = lines.length;
    this.#context.process.stderr.write(`${up}${lines.join("\n")}\n`);
  }

  #append(progress: readonly ProgressView[]): void {
    for (const service of progress) {
      for (const task of service.tasks)
        this.#once(
          task.id,
          `${task.name} on ${task.node ?? "-"}: ${stateOf(task)}${task.reason === "" ? "" : `: ${task.reason}`}`,
        );
      this.#once(service.serviceId, summary(service));
    }
  }

  #once(key: string, line: string): void {
    if (this.#said.get(key) === line) return;
    this.#said.set(key, line);
    this.#context.process.stderr.write(`${line}\n`);
  }
}

function linesOf(service: ProgressView): string[] {
  const shown = service.tasks.slice(0, MAX_TASK_LINES);
  const rest = service.tasks.length - shown.length;
  return [
    summary(service),
    ...shown.map(
      (task) =>
        `  ${task.name.padEnd(24)} ${(task.node ?? "-").padEnd(12)} ${stateOf(task)}${task.reason === "" ? "" : `: ${task.reason}`}`,
    ),
    ...(rest > 0 ? [`  … and ${rest} more`] : []),
  ];
}

function summary(service: ProgressView): string {
  return `${service.service}: ${service.state}, ${service.healthy} of ${service.desired} healthy${service.message === "" ? "" : `: ${service.message}`}`;
}
