// Runs commands of the command line in this process, with a client of a served API, an output that is kept, and a clock that only moves
// when it is told to: short waits pass at once, longer ones when the test says so.

import type { DavitClient } from "../../src/client/types.ts";
import type { CliContext, StreamName, Terminal } from "../../src/cli/context.ts";
import { createCalendar } from "../../src/system/calendar.ts";
import { runOn } from "../../src/cli/run.ts";

export type HarnessOptions = {
  readonly client?: DavitClient;
  readonly isTerminal?: boolean;
  readonly hasColor?: boolean;
  /** Answers to questions, in order; absent: there is nobody to ask. */
  readonly answers?: readonly (string | undefined)[];
  readonly stdin?: string;
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd?: string;
  readonly size?: { readonly columns: number; readonly rows: number };
  readonly nowMs?: number;
  /** Delays that pass at once. Default: up to a second. */
  readonly passes?: (delayMs: number) => boolean;
};

export class Harness {
  stdout = "";
  stderr = "";
  /** Everything in the order it was written, as a terminal gets it. */
  screen = "";
  readonly asked: string[] = [];
  readonly terminalEvents: string[] = [];
  onKey: ((bytes: Uint8Array) => void) | undefined;
  onKeysEnd: (() => void) | undefined;
  onResized: (() => void) | undefined;
  nowMs: number;
  readonly #options: HarnessOptions;
  readonly #answers: (string | undefined)[];
  readonly #timers = new Map<() => void, number>();
  #interrupt: (() => void) | undefined;

  constructor(options: HarnessOptions = {}) {
    this.#options = options;
    this.#answers = [...(options.answers ?? [])];
    this.nowMs = options.nowMs ?? 1_000_000;
  }

  /** Runs a command to its end; gives its exit code. */
  async run(...argv: string[]): Promise<number> {
    return await runOn(argv, {
      contextFor: () => this.context(),
      writeError: (text) => this.#write("stderr", text),
      withStack: false,
    });
  }

  /** Ctrl-C. */
  interrupt(): void {
    this.#interrupt?.();
  }

  get canInterrupt(): boolean {
    return this.#interrupt !== undefined;
  }

  /** Lets every timer fire that is due within this time. */
  elapse(ms: number): void {
    this.nowMs += ms;
    for (const [run, delayMs] of this.#timers) {
      if (delayMs > ms) continue;
      this.#timers.delete(run);
      run();
    }
  }

  context(): CliContext {
    const { client, isTerminal = false, hasColor = false, answers, stdin = "", env = {}, cwd = "/" } = this.#options;
    return {
      process: {
        stdout: { write: (text) => this.#write("stdout", text) },
        stderr: { write: (text) => this.#write("stderr", text) },
        exitCode: null,
      },
      env,
      cwd,
      isTerminal,
      hasColor: { stdout: hasColor, stderr: hasColor },
      canAsk: answers !== undefined,
      terminal: this.#terminal(),
      nowMs: () => this.nowMs,
      calendar: async () => createCalendar(),
      after: (delayMs, run) => this.#after(delayMs, run),
      client: async () => {
        if (client === undefined) throw new Error("this command needs no coordinator");
        return client;
      },
      isLocal: true,
      ask: async (question) => {
        this.asked.push(question);
        return this.#answers.shift();
      },
      readStdin: async () => stdin,
      onInterrupt: (interrupted) => {
        this.#interrupt = interrupted;
        return () => (this.#interrupt = undefined);
      },
    };
  }

  #after(delayMs: number, run: () => void): () => void {
    const passes = this.#options.passes ?? ((ms) => ms <= 1_000);
    if (passes(delayMs)) {
      const timer = setImmediate(() => {
        this.nowMs += delayMs;
        run();
      });
      return () => clearImmediate(timer);
    }
    this.#timers.set(run, delayMs);
    return () => void this.#timers.delete(run);
  }

  #terminal(): Terminal {
    const told = (event: string) => () => void this.terminalEvents.push(event);
    return {
      isInteractive: this.#options.isTerminal ?? false,
      size: () => this.#options.size ?? { columns: 80, rows: 24 },
      onResize: (resized) => ((this.onResized = resized), told("resize off")),
      setRaw: () => (told("raw on")(), told("raw off")),
      onInput: (receive, ended) => {
        this.onKey = receive;
        this.onKeysEnd = ended;
        return told("input off");
      },
      write: (stream, bytes) => this.#write(stream, new TextDecoder().decode(bytes)),
    };
  }

  #write(stream: StreamName, text: string): void {
    this[stream] += text;
    this.screen += text;
  }
}

/** What a terminal shows after these writes: it knows line breaks, the way up, and clearing what is below. */
export function shownBy(writes: string): string {
  const lines: string[] = [""];
  let row = 0;
  // the escape character as a visible one, so that patterns have no control characters
  for (const part of writes.replaceAll("\u001b[", "␛").split(/(\n|␛\d+A|␛0J)/)) {
    const up = /^␛(\d+)A$/.exec(part)?.[1];
    if (part === "\n") row += 1;
    else if (up !== undefined) row -= Number(up);
    else if (part === "␛0J") lines.length = row;
    else lines[row] = (lines[row] ?? "") + part.replaceAll("␛", "\u001b[");
    lines[row] ??= "";
  }
  return lines.join("\n");
}
