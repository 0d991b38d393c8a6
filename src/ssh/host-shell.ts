// HostShell over one SSH connection: commands, files, streams to unix sockets. Every command line is quoted by quote.ts, and a password for
// sudo travels on standard input only.

import { constants } from "node:os";
import { randomBytes } from "node:crypto";
import type { Duplex } from "node:stream";
import type { ClientChannel } from "ssh2";
import { DavitError, reasonOf } from "../core/model/errors.ts";
import type { ExecOptions, ExecResult, HostShell } from "../ports/host-shell.ts";
import type { Connection } from "./connection.ts";
import { dialSocket } from "./dial.ts";
import { quoteArgv, type RootAccess, rootArgv } from "./quote.ts";
import { showTarget } from "./target.ts";

/** Long enough for what a bootstrap step asks at once; steps that install say their own. */
export const EXEC_TIMEOUT_MS = 60_000;
const MAX_OUTPUT_BYTES = 1024 * 1024;
const UPLOAD_TIMEOUT_MS = 10 * 60_000;

/** Writes standard input to "$1" by way of a temporary file. The length is checked: a cut connection looks like an end of input. */
const UPLOAD_SCRIPT = `set -eu
umask 077
trap 'rm -f "$4"' EXIT
cat > "$4"
[ "$(wc -c < "$4")" -eq "$3" ] || { echo "the upload was cut short" >&2; exit 1; }
chmod "$2" "$4"
sync "$4"
mv -f "$4" "$1"
trap - EXIT`;

export type ShellOptions = { readonly rootAccess: RootAccess; readonly sudoPassword?: string };

/** A shell on an open connection. How root is reached is found by `findRootAccess`. */
export class SshHostShell implements HostShell {
  readonly target: string;
  readonly closed: Promise<string>;
  readonly #connection: Connection;
  readonly #options: ShellOptions;

  constructor(connection: Connection, options: ShellOptions) {
    this.#connection = connection;
    this.#options = options;
    this.target = showTarget(connection.target);
    this.closed = connection.closed;
  }

  async exec(argv: readonly string[], options: ExecOptions = {}): Promise<ExecResult> {
    const access = options.root === true ? this.#options.rootAccess : "is-root";
    const password = access === "sudo-password" ? `${this.#options.sudoPassword ?? ""}\n` : "";
    const stdin = Buffer.concat([Buffer.from(password), Buffer.from(options.stdin ?? "")]);
    const what = `run ${argv[0] ?? ""} on ${this.target}`;
    return await runCommand(this.#connection, quoteArgv(rootArgv(access, argv)), stdin, what, options);
  }

  async upload(
    path: string,
    content: Uint8Array,
    options: { readonly mode: number; readonly root?: boolean },
  ): Promise<void> {
    const temporary = `${path}.${randomBytes(6).toString("hex")}.part`;
    const argv = [
      "sh",
      "-c",
      UPLOAD_SCRIPT,
      "upload",
      path,
      options.mode.toString(8),
      String(content.length),
      temporary,
    ];
    const result = await this.exec(argv, {
      stdin: content,
      root: options.root ?? false,
      timeoutMs: UPLOAD_TIMEOUT_MS,
    });
    if (result.exitCode !== 0)
      throw new DavitError("ssh_failed", `write ${path} on ${this.target}: ${lastLine(result.stderr)}`);
  }

  dial(socketPath: string): Promise<Duplex> {
    return dialSocket(this.#connection, socketPath);
  }

  async close(): Promise<void> {
    this.#connection.close();
    await this.closed;
  }
}

/** The last line that says something: what tools put their reason in. */
export function lastLine(output: string): string {
  return output.trim().split("\n").at(-1)?.trim() || "it said nothing";
}

function runCommand(
  connection: Connection,
  command: string,
  stdin: Uint8Array,
  what: string,
  options: ExecOptions,
): Promise<ExecResult> {
  return new Promise((resolve, reject) => {
    const failed = (error: unknown): void => {
      void lostReason(connection, reasonOf(error)).then((reason) =>
        reject(new DavitError("ssh_failed", `${what}: ${reason}`, { cause: error })),
      );
    };
    try {
      // listeners are set in the callback itself: all of a quick command's answer may come in one packet
      connection.client.exec(command, (error, channel) => {
        if (error) failed(error);
        else collect(channel, stdin, what, connection, options).then(resolve, reject);
      });
    } catch (error) {
      failed(error);
    }
  });
}

function collect(
  channel: ClientChannel,
  stdin: Uint8Array,
  what: string,
  connection: Connection,
  options: ExecOptions,
): Promise<ExecResult> {
  const timeoutMs = options.timeoutMs ?? EXEC_TIMEOUT_MS;
  return new Promise((resolve, reject) => {
    const stdout = new CappedText();
    const stderr = new CappedText();
    let exitCode: number | undefined;
    const timer = setTimeout(() => {
      channel.signal("KILL");
      channel.close();
      reject(new DavitError("timeout", `${what}: not done within ${timeoutMs / 1000} s`));
    }, timeoutMs);
    for (const [stream, text] of [
      [channel, stdout],
      [channel.stderr, stderr],
    ] as const) {
      stream.on("data", (chunk: Buffer) => {
        const piece = text.add(chunk);
        options.onOutput?.(piece);
      });
    }
    channel.on("exit", (code: number | null, signal?: NodeJS.Signals) => {
      exitCode = code ?? 128 + (signal === undefined ? 0 : constants.signals[signal]);
    });
    // a command that ends before it read its input makes the write fail: its exit code tells the story
    channel.on("error", () => undefined);
    channel.on("close", () => {
      clearTimeout(timer);
      if (exitCode !== undefined) return resolve({ exitCode, stdout: stdout.end(), stderr: stderr.end() });
      return void lostReason(connection, "the session ended without an exit code").then((reason) =>
        reject(new DavitError("ssh_failed", `${what}: ${reason}`)),
      );
    });
    channel.end(stdin);
  });
}

/** Why a session failed: if the connection below it ended, that says more. */
async function lostReason(connection: Connection, otherwise: string): Promise<string> {
  const settled = new Promise<string>((resolve) => setImmediate(() => resolve(otherwise)));
  return await Promise.race([connection.closed.then((reason) => `the connection ended: ${reason}`), settled]);
}

/** Text up to a limit; the rest is counted as read and dropped. */
class CappedText {
  readonly #decoder = new TextDecoder();
  #text = "";
  #bytes = 0;

  /** Keeps a piece and gives its text. */
  add(chunk: Uint8Array): string {
    const text = this.#decoder.decode(chunk, { stream: true });
    if (this.#bytes < MAX_OUTPUT_BYTES) this.#text += text;
    this.#bytes += chunk.length;
    return text;
  }

  end(): string {
    return this.#text.slice(0, MAX_OUTPUT_BYTES) + this.#decoder.decode();
  }
}
