// Finds out how root is reached on a host, before anything needs it.

import { DavitError } from "../core/model/errors.ts";
import { lastLine, SshHostShell } from "./host-shell.ts";
import type { Connection } from "./connection.ts";
import type { RootAccess } from "./quote.ts";

export type RootAccessFound =
  | { readonly access: RootAccess }
  | { readonly access?: undefined; readonly problem: DavitError };

/** Tries: being root, sudo without a password, sudo with the given one. */
export async function findRootAccess(
  connection: Connection,
  sudoPassword: string | undefined,
): Promise<RootAccessFound> {
  const plain = new SshHostShell(connection, { rootAccess: "is-root" });
  const probe =
    "[ $(id -u) = 0 ] && echo is-root && exit; command -v sudo >/dev/null || { echo none; exit; }; sudo -k -n true && echo sudo || echo refused";
  const first = await plain.exec(["sh", "-c", probe]);
  const answer = first.stdout.trim();
  if (answer === "is-root" || answer === "sudo") return { access: answer };
  const user = connection.target.user;
  if (answer === "none") {
    return {
      problem: new DavitError("preflight_failed", `sudo is not installed, and ${user} is not root`, {
        wayOut: "join as root, or install sudo and give this user the right to use it",
      }),
    };
  }
  if (sudoPassword === undefined) {
    const needsPassword = /password/i.test(first.stderr);
    return {
      problem: new DavitError(
        "preflight_failed",
        needsPassword ? `sudo asks ${user} for a password` : `sudo refuses ${user}: ${lastLine(first.stderr)}`,
        {
          wayOut: needsPassword
            ? "give it with --sudo-password-stdin, or join as root"
            : "give this user the right to use sudo, or join as root",
        },
      ),
    };
  }
  const shell = new SshHostShell(connection, { rootAccess: "sudo-password", sudoPassword });
  const second = await shell.exec(["true"], { root: true, timeoutMs: 20_000 });
  if (second.exitCode === 0) return { access: "sudo-password" };
  const wrong = /incorrect|sorry|try again|no password/i.test(second.stderr);
  return {
    problem: new DavitError(
      "preflight_failed",
      wrong ? `sudo did not accept ${user}'s password` : `sudo refuses ${user}: ${lastLine(second.stderr)}`,
      {
        wayOut: wrong
          ? "give the right password with --sudo-password-stdin"
          : "give this user the right to use sudo, or join as root",
      },
    ),
  };
}
