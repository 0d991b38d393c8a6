// Runs programs of the host (ip, wg, nft, systemctl) for the parts of the network: argument lists, never a shell, each with an end. What a
// program said when it failed is in the error.

import { spawn } from "node:child_process";
import { DavitError } from "../../../src/core/model/errors.ts";

export type CommandOptions = {
  readonly stdin?: string;
  /** Milliseconds after which it is killed. Default: ten seconds. */
  readonly timeoutMs?: number;
};

export type CommandEnd = { readonly exitCode: number; readonly stdout: string; readonly stderr: string };

/** Runs argv[0] to its end. Never rejects: a program that is not there has exit code 127, one that was late 124. */
export type HostCommand = (argv: readonly string[], options?: CommandOptions) => Promise<CommandEnd>;

const DEFAULT_TIMEOUT_MS = 10_000;
const PATHS = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/** The real thing. */
export const runOnHost: HostCommand = (argv, options = {}) => {
  const [program = "", ...rest] = argv;
  const timeoutMs = options.timeoutMs ?? DEFAULT_TIMEOUT_MS;
  return new Promise((resolve) => {
    const child = spawn(program, rest, { env: { PATH: PATHS, LC_ALL: "C" } });
    let stdout = "";
    let stderr = "";
    const timer = setTimeout(() => {
      child.kill("SIGKILL");
      // a child of its own may live on and keep these open: who waits for their end waits for it
      child.stdout.destroy();
      child.stderr.destroy();
      resolve({ exitCode: 124, stdout, stderr: `no end within ${timeoutMs / 1_000} s` });
    }, timeoutMs);
    child.stdout.setEncoding("utf8").on("data", (text: string) => (stdout += text));
    child.stderr.setEncoding("utf8").on("data", (text: string) => (stderr += text));
    child.on("error", (error) => {
      clearTimeout(timer);
      resolve({ exitCode: 127, stdout, stderr: error.message });
    });
    child.on("close", (code) => {
      clearTimeout(timer);
      resolve({ exitCode: code ?? 1, stdout, stderr });
    });
    child.stdin.on("error", () => undefined);
    child.stdin.end(options.stdin ?? "");
  });
};

/** Its standard output. Rejects with `unavailable` and what it said when it does not end with 0; `what` reads "make the mesh". */
export async function mustRun(
  run: HostCommand,
  what: string,
  argv: readonly string[],
  options?: CommandOptions,
): Promise<string> {
  const end = await run(argv, options);
  if (end.exitCode === 0) return end.stdout;
  const said = (end.stderr.trim() || end.stdout.trim() || `exit code ${end.exitCode}`)
    .split("\n")
    .slice(0, 4)
    .join("; ");
  throw new DavitError("unavailable", `${what}: ${argv.slice(0, 4).join(" ")}: ${said}`, {
    wayOut:
      end.exitCode === 127
        ? `install the package that has ${argv[0] ?? "it"}: davit node update, with the node's name, does it`
        : "see the agent's log on the host",
  });
}
