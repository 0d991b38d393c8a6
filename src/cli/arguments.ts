// The words of a command line before its command is known: which coordinator is meant, whether errors are wanted as JSON, `help`, and the
// end of davit's own flags in `service exec`. Pure.

import { DavitError } from "../core/model/errors.ts";

export type PreparedArguments = {
  /** The value of --host; undefined when it was not given. */
  readonly host: string | undefined;
  readonly wantsJson: boolean;
  /** What is left for the command itself; never empty. */
  readonly words: readonly string[];
};

const EXEC_FLAGS_WITH_VALUE = new Set(["-u", "--user", "-w", "--workdir", "--host"]);

/** Throws `invalid_input` when --host has no value. */
export function prepareArguments(argv: readonly string[]): PreparedArguments {
  const { host, rest } = takeHost(escapeExec(argv));
  const own = ownWords(rest);
  return { host, wantsJson: own.includes("--json"), words: asHelp(rest) };
}

/** A bare `davit` shows the help, and `davit help node` is `davit node --help`. */
function asHelp(words: readonly string[]): readonly string[] {
  if (words.length === 0) return ["--help"];
  return words[0] === "help" ? [...words.slice(1), "--help"] : words;
}

/** The words before `--`. */
function ownWords(argv: readonly string[]): readonly string[] {
  const end = argv.indexOf("--");
  return end === -1 ? argv : argv.slice(0, end);
}

/** --host may stand anywhere before `--`. Throws `invalid_input` when it has no value. */
export function takeHost(argv: readonly string[]): {
  readonly host: string | undefined;
  readonly rest: readonly string[];
} {
  const at = ownWords(argv).findIndex((word) => word === "--host" || word.startsWith("--host="));
  if (at === -1) return { host: undefined, rest: argv };
  const isInline = argv[at] !== "--host";
  const host = isInline ? argv[at]?.slice("--host=".length) : argv[at + 1];
  if (host === undefined || host === "" || host.startsWith("--"))
    throw new DavitError("invalid_input", "read --host: it has no value", {
      wayOut: "write --host ssh://user@host, a socket's path, or https://host",
    });
  return { host, rest: [...argv.slice(0, at), ...argv.slice(at + (isInline ? 1 : 2))] };
}

/** In `service exec -it web ls -la` the flags after the service are those of the command: as if `--` stood before them. */
function escapeExec(argv: readonly string[]): readonly string[] {
  let at = 0;
  while (argv[at]?.startsWith("--host") === true) at += argv[at] === "--host" ? 2 : 1;
  if (argv[at] !== "service" || argv[at + 1] !== "exec") return argv;
  at += 2;
  while (argv[at]?.startsWith("-") === true) {
    if (argv[at] === "--") return argv;
    at += EXEC_FLAGS_WITH_VALUE.has(argv[at] ?? "") ? 2 : 1;
  }
  if (at + 1 >= argv.length || argv[at + 1] === "--") return argv;
  return [...argv.slice(0, at + 1), "--", ...argv.slice(at + 1)];
}
