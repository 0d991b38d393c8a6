// A command in a container from its start to its end or to the end of patience, with what it said: command probes and hooks. The engine has
// no way to end a command: one that is late goes on until its container stops.

import type { Clock } from "../../../src/ports/clock.ts";
import type { ContainerEngine, ExecRequest } from "../../../src/ports/container-engine.ts";
import { endOfText, MAX_OUTPUT_BYTES } from "../loop/last-lines.ts";

export type CommandEnd = {
  /** Undefined when it had not ended in time. */
  readonly exitCode: number | undefined;
  /** The end of its output, trimmed, at most MAX_OUTPUT_BYTES. */
  readonly output: string;
};

/** Runs a command for at most `timeoutMs`. Rejects with EngineError when it cannot be started. */
export async function runCommand(
  engine: ContainerEngine,
  clock: Clock,
  containerId: string,
  request: Omit<ExecRequest, "tty" | "stdin">,
  timeoutMs: number,
): Promise<CommandEnd> {
  let output = "";
  const decoder = new TextDecoder();
  const session = await engine.exec(containerId, { ...request, tty: false, stdin: false }, (_, bytes) => {
    output = (output + decoder.decode(bytes, { stream: true })).slice(-MAX_OUTPUT_BYTES);
  });
  const { promise: late, resolve } = Promise.withResolvers<undefined>();
  const timer = clock.after(timeoutMs, () => resolve(undefined));
  try {
    const exitCode = await Promise.race([session.exited, late]);
    return { exitCode, output: endOfText(output) };
  } finally {
    timer.cancel();
    session.close();
  }
}

/** "curl -f localhost: exit code 7: refused", for a command that failed or was late. */
export function describeEnd(command: string, end: CommandEnd, timeoutMs: number): string {
  const how = end.exitCode === undefined ? `no end within ${timeoutMs / 1_000} s` : `exit code ${end.exitCode}`;
  return `${command}: ${how}${end.output === "" ? "" : `: ${end.output}`}`;
}
