// davit __complete, which the scripts of `davit completion` call: what may come next after the words typed so far, one a line.

import { proposeCompletions } from "@stricli/core";
import { buildCli } from "./app.ts";
import { type CliContext, say } from "./context.ts";

/** `typed` ends with the word that is being typed, which may be empty. Never fails: a completion that does not know says nothing. */
export async function complete(context: CliContext, typed: readonly string[]): Promise<void> {
  const app = buildCli({ withStack: false, asJson: false });
  try {
    const found = await proposeCompletions(app, typed.length === 0 ? [""] : typed, context);
    const words = found.map(({ completion }) => completion).filter((word) => word !== "--" && word !== "-h");
    if (words.length > 0) say(context, words.join("\n"));
  } catch {
    // words that fit no command: the shell offers files
  }
}
