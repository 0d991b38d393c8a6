// Runs one command line in a context: prepares its words, finds the command, turns every error into text and an exit code.

import { run } from "@stricli/core";
import { buildCli } from "./app.ts";
import { prepareArguments, takeHost } from "./arguments.ts";
import { complete } from "./complete.ts";
import type { CliContext } from "./context.ts";
import { EXIT, exitCodeOfRun } from "./exit-codes.ts";
import { renderError, renderErrorAsJson } from "./render/error.ts";

export type RunSetting = {
  /** The context for the value of --host; throws `invalid_input` when that is no address. */
  readonly contextFor: (host: string | undefined) => CliContext;
  /** For errors before there is a context. */
  readonly writeError: (text: string) => void;
  /** Errors show where in the code they come from. */
  readonly withStack: boolean;
};

/** Resolves with the exit code; never rejects. */
export async function runOn(argv: readonly string[], setting: RunSetting): Promise<number> {
  const asJson = argv.includes("--json");
  try {
    if (argv[0] === "__complete") return await runCompletion(argv.slice(argv[1] === "--" ? 2 : 1), setting);
    const { host, wantsJson, words } = prepareArguments(argv);
    const context = setting.contextFor(host);
    await run(buildCli({ withStack: setting.withStack, asJson: wantsJson }), words, context);
    return exitCodeOfRun(context.process.exitCode);
  } catch (error) {
    setting.writeError(`${asJson ? renderErrorAsJson(error) : renderError(error, setting.withStack)}\n`);
    return EXIT.usage;
  }
}

async function runCompletion(typed: readonly string[], setting: RunSetting): Promise<number> {
  try {
    const { host, rest } = takeHost(typed);
    await complete(setting.contextFor(host), rest);
  } catch {
    // half a --host is no address yet
  }
  return EXIT.ok;
}
