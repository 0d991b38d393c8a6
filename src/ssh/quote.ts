// Quoting for a remote POSIX shell: the only place where an argv becomes a command line. Pure.

import { assertNever } from "../core/model/invariant.ts";

const PLAIN = /^[A-Za-z0-9_@%+=:,./-]+$/;

/** How root is reached: by being it, through sudo without a password, or through sudo with one (given on standard input). */
export type RootAccess = "is-root" | "sudo" | "sudo-password";

/** One word for a POSIX shell, whatever characters it has (but NUL, which no argv can carry). */
export function quoteWord(word: string): string {
  return PLAIN.test(word) ? word : `'${word.replaceAll("'", String.raw`'\''`)}'`;
}

/** A command line that a POSIX shell splits into exactly this argv. */
export function quoteArgv(argv: readonly string[]): string {
  return argv.map(quoteWord).join(" ");
}

/**
 * The argv that runs `argv` as root. `-k` makes sudo ignore a remembered password, so that it reads one from standard input
 * exactly when `access` says so: otherwise the command itself would read the password as its input.
 */
export function rootArgv(access: RootAccess, argv: readonly string[]): readonly string[] {
  switch (access) {
    case "is-root":
      return argv;
    case "sudo":
      return ["sudo", "-k", "-n", "--", ...argv];
    case "sudo-password":
      return ["sudo", "-k", "-S", "-p", "", "--", ...argv];
    default:
      return assertNever(access);
  }
}
