// What every command is given: streams, environment, and the way to the coordinator. Commands reach nothing else.

import type { CommandContext } from "@stricli/core";
import type { DavitClient } from "../client/types.ts";

export interface CliContext extends CommandContext {
  readonly process: CommandContext["process"] & {
    readonly stdout: { write(text: string): void };
    readonly stderr: { write(text: string): void };
    exitCode?: number | string | null;
  };
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly cwd: string;
  /** Whether progress may redraw lines. */
  readonly isTerminal: boolean;
  /** Whether questions can be asked. */
  readonly canAsk: boolean;
  readonly width: number;
  readonly nowMs: () => number;
  /** The coordinator's client, made at the first use. */
  readonly client: () => Promise<DavitClient>;
  /** Whether the coordinator runs on this machine, so that it can use this user's ssh-agent. */
  readonly isLocal: boolean;
  /** Asks on the terminal; undefined when there is none. `hidden` shows nothing of the answer. */
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

/** The flag of everything that reads. */
export const JSON_FLAG = { kind: "boolean", brief: "print JSON", default: false } as const;
