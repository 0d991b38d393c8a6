// What every command is given: streams, environment, time, and the way to the coordinator. Commands reach nothing else.

import type { CommandContext } from "@stricli/core";
import type { NextTick } from "../core/model/job.ts";
import type { DavitClient } from "../client/types.ts";

export type StreamName = "stdout" | "stderr";

/** Standard input and output as a command in a container needs them: bytes, keys as they are pressed, and the size of the window. */
export interface Terminal {
  /** Standard input and output are both a terminal. */
  readonly isInteractive: boolean;
  size(): { readonly columns: number; readonly rows: number };
  onResize(resized: () => void): () => void;
  /** Hands every key through, Ctrl-C too, until the result is called. */
  setRaw(): () => void;
  /** Reads standard input until the result is called. */
  onInput(receive: (bytes: Uint8Array) => void, ended: () => void): () => void;
  write(stream: StreamName, bytes: Uint8Array): void;
}

export interface CliContext extends CommandContext {
  readonly process: CommandContext["process"] & {
    readonly stdout: { write(text: string): void };
    readonly stderr: { write(text: string): void };
    exitCode?: number | string | null;
  };
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly cwd: string;
  /** Whether progress may redraw lines: standard error is a terminal. */
  readonly isTerminal: boolean;
  /** Whether a stream shows colours. */
  readonly hasColor: Readonly<Record<StreamName, boolean>>;
  /** Whether questions can be asked. */
  readonly canAsk: boolean;
  readonly terminal: Terminal;
  readonly nowMs: () => number;
  /** When schedules fire, loaded at the first use. */
  readonly calendar: () => Promise<NextTick>;
  /** Calls back once, after the delay, unless the result is called before. */
  readonly after: (delayMs: number, run: () => void) => () => void;
  /** The coordinator's client, made at the first use. */
  readonly client: () => Promise<DavitClient>;
  /** Whether the coordinator runs on this machine, so that it can use this user's ssh-agent. */
  readonly isLocal: boolean;
  /** Asks on the terminal; undefined when there is none or the user ends the input. `hidden` shows nothing of the answer. */
  readonly ask: (question: string, options?: { readonly hidden?: boolean }) => Promise<string | undefined>;
  /** All of standard input as text. */
  readonly readStdin: () => Promise<string>;
  /** Calls back on Ctrl-C instead of ending the process, until the result is called. */
  readonly onInterrupt: (interrupted: () => void) => () => void;
}

/** Writes a line to standard output. */
export function say(context: CliContext, text: string): void {
  context.process.stdout.write(`${text}\n`);
}

/** Writes a line to standard error: what is not the command's result. */
export function note(context: CliContext, text: string): void {
  context.process.stderr.write(`${text}\n`);
}

/** Prints a value as JSON, for `--json`. */
export function sayJson(context: CliContext, value: unknown): void {
  say(context, JSON.stringify(value, undefined, 2));
}

/** Resolves after the delay, or when the signal aborts. */
export function pause(context: CliContext, delayMs: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal?.aborted === true) return resolve();
    const cancel = context.after(delayMs, resolve);
    signal?.addEventListener("abort", () => (cancel(), resolve()), { once: true });
  });
}

/** The flag of everything that reads. */
export const JSON_FLAG = { kind: "boolean", brief: "print JSON", default: false } as const;
/** Of what prints JSON in any case, so that scripts may ask for it everywhere. */
export const ALWAYS_JSON_FLAG = { kind: "boolean", brief: "print JSON, which it always does", default: false } as const;
