// Runs a program and gathers what it said. Nothing throws for an exit code: callers decide.

import { spawn } from "node:child_process";

export type CommandResult = { readonly exitCode: number; readonly stdout: string; readonly stderr: string };
export type CommandOptions = {
  readonly env?: Readonly<Record<string, string | undefined>>;
  readonly cwd?: string;
  readonly stdin?: string;
  /** Kills it then; the exit code is 124 as from timeout(1). Default: two minutes. */
  readonly timeoutMs?: number;
  /** Ctrl-C when it is aborted. */
  readonly interrupt?: AbortSignal;
  /** Called with each piece of its output as it comes, of both streams. */
  readonly onOutput?: (text: string) => void;
};

const DEFAULT_TIMEOUT_MS = 120_000;

/** Runs argv[0] with its arguments to its end. A program that cannot be started has exit code 127. */
export function runCommand(argv: readonly [string, ...string[]], options: CommandOptions = {}): Promise<CommandResult> {
  const [program, ...rest] = argv;
  return new Promise((resolve) => {
    const child = spawn(program, rest, { env: { ...process.env, ...options.env }, cwd: options.cwd });
    let stdout = "";
    let stderr = "";
    let isLate = false;
    const timer = setTimeout(() => {
      isLate = true;
      child.kill("SIGKILL");
    }, options.timeoutMs ?? DEFAULT_TIMEOUT_MS);
    options.interrupt?.addEventListener("abort", () => child.kill("SIGINT"));
    child.stdout.setEncoding("utf8").on("data", (text: string) => {
      stdout += text;
      options.onOutput?.(text);
    });
    child.stderr.setEncoding("utf8").on("data", (text: string) => {
      stderr += text;
      options.onOutput?.(text);
    });
    child.on("error", (error) => {
      clearTimeout(timer);
      resolve({ exitCode: 127, stdout, stderr: error.message });
    });
    child.on("close", (code, signal) => {
      clearTimeout(timer);
      resolve({ exitCode: isLate ? 124 : (code ?? (signal === null ? 1 : 128)), stdout, stderr });
    });
    child.stdin.on("error", () => undefined);
    child.stdin.end(options.stdin ?? "");
  });
}

/** Its standard output, trimmed; throws with what it said when it did not end with 0. */
export async function mustRun(argv: readonly [string, ...string[]], options: CommandOptions = {}): Promise<string> {
  const result = await runCommand(argv, options);
  if (result.exitCode !== 0) {
    const said = `${result.stderr}\n${result.stdout}`.trim().slice(-4_000);
    throw new Error(`${argv.join(" ")}: exit code ${result.exitCode}: ${said}`);
  }
  return result.stdout.trim();
}
