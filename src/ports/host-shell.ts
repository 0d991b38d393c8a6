// One host over SSH. argv is an array; quoting for the remote shell is done in one place, in ssh/.

import type { Duplex } from "node:stream";

export type ExecResult = { readonly exitCode: number; readonly stdout: string; readonly stderr: string };

export type ExecOptions = {
  readonly stdin?: string | Uint8Array;
  /** Runs through sudo when the user is not root. */
  readonly root?: boolean;
  /** Ends the command and rejects with `timeout`. Default: EXEC_TIMEOUT_MS of the adapter. */
  readonly timeoutMs?: number;
  /** Called with each piece of output as it comes. */
  readonly onOutput?: (text: string) => void;
};

export interface HostShell {
  /** "user@host:port", for messages. */
  readonly target: string;
  /** Resolves for every exit code; rejects with `ssh_failed` or `timeout`. stdout and stderr are cut at 1 MiB each. */
  exec(argv: readonly string[], options?: ExecOptions): Promise<ExecResult>;
  /** Writes a file atomically: to a temporary name, mode set, renamed. */
  upload(path: string, content: Uint8Array, options: { readonly mode: number; readonly root?: boolean }): Promise<void>;
  /** A duplex to a unix socket of the host. */
  dial(socketPath: string): Promise<Duplex>;
  close(): Promise<void>;
  /** Resolves once the connection has ended, with why. */
  readonly closed: Promise<string>;
}
