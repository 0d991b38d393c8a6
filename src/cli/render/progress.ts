// Progress of services while a command waits: redrawn in place on a terminal, a line per change elsewhere.

import type { ProgressView, TaskView } from "../../core/model/views.ts";
import type { CliContext } from "../context.ts";
import { clean } from "./clean.ts";
import { type Paint, paintFor, plain, type Tone } from "./color.ts";
import { LiveLines } from "./live.ts";
import { stateOf, toneOf } from "./tasks.ts";

export class ProgressPrinter {
  readonly #context: CliContext;
  readonly #live: LiveLines;
  readonly #paint: Paint;
  readonly #said = new Map<string, string>();

  constructor(context: CliContext) {
    this.#context = context;
    this.#paint = paintFor(context.hasColor.stderr);
    this.#live = new LiveLines({
      write: (text) => context.process.stderr.write(text),
      size: () => context.terminal.size(),
    });
  }

  show(progress: readonly ProgressView[]): void {
    if (this.#context.isTerminal) {
      this.#live.show(progressLines(progress, this.#context.terminal.size().rows - 1, this.#paint));
      return;
    }
    for (const service of progress) {
      for (const task of service.tasks)
        this.#once(task.id, `${task.name} on ${nodeOf(task)}: v${task.specVersion} ${wordsOf(task, plain)}`);
      this.#once(service.serviceId, summaryOf(service, plain));
    }
  }

  /** Tells something beside the progress: a broken connection. */
  note(line: string): void {
    if (this.#context.isTerminal) this.#live.print(line);
    else this.#context.process.stderr.write(`${line}\n`);
  }

  #once(key: string, line: string): void {
    if (this.#said.get(key) === line) return;
    this.#said.set(key, line);
    this.#context.process.stderr.write(`${line}\n`);
  }
}

/** As many lines as there is room for: every task, or else those that are on their way or in trouble, or else the services alone. Pure. */
export function progressLines(progress: readonly ProgressView[], room: number, paint: Paint): readonly string[] {
  const full = progress.flatMap((service) => [summaryOf(service, paint), ...service.tasks.map(lineOf(paint))]);
  if (full.length <= room) return full;
  const unsettled = progress.flatMap((service) => {
    const tasks = service.tasks.filter((task) => toneOf(task) === "busy" || toneOf(task) === "bad");
    return [summaryOf(service, paint), ...tasks.map(lineOf(paint))];
  });
  return unsettled.length <= room ? unsettled : progress.map((service) => summaryOf(service, paint));
}

function lineOf(paint: Paint): (task: TaskView) => string {
  return (task) =>
    `  ${task.name.padEnd(24)}  ${nodeOf(task).padEnd(12)}  v${task.specVersion}  ${wordsOf(task, paint)}`;
}

function nodeOf(task: TaskView): string {
  return task.node ?? "-";
}

function wordsOf(task: TaskView, paint: Paint): string {
  const reason = clean(task.reason);
  return `${paint(toneOf(task), stateOf(task))}${reason === "" ? "" : `: ${reason}`}`;
}

function summaryOf(service: ProgressView, paint: Paint): string {
  const counted = service.state.startsWith("remov") ? "" : `, ${service.healthy} of ${service.desired} healthy`;
  const message = service.message === "" || service.message === service.state ? "" : `: ${clean(service.message)}`;
  return `${service.service}: ${paint(toneOfService(service), service.state)}${counted}${message}`;
}

function toneOfService(service: ProgressView): Tone {
  if (service.done) return service.ok ? "good" : "bad";
  return "busy";
}
