// davit completion bash|zsh|fish: a script for the shell. Words come from the tree of commands; names of nodes, services and stacks are
// asked of the coordinator while typing.

import { buildCommand } from "@stricli/core";
import { DavitError } from "../../core/model/errors.ts";
import { type CliContext, say } from "../context.ts";

const SCRIPTS: Readonly<Record<string, string>> = {
  bash: `_davit() {
  local IFS=$'\\n'
  COMPREPLY=($(compgen -W "$(davit completion words -- "\${COMP_WORDS[@]:1:COMP_CWORD-1}" 2>/dev/null)" -- "\${COMP_WORDS[COMP_CWORD]}"))
}
complete -o default -F _davit davit`,
  zsh: `#compdef davit
_davit() {
  local -a found
  found=(\${(f)"$(davit completion words -- "\${words[@]:1:$((CURRENT - 2))}" 2>/dev/null)"})
  compadd -a found
}
compdef _davit davit`,
  fish: `function __davit_words
  set -l typed (commandline -opc)
  davit completion words -- $typed[2..-1] 2>/dev/null
end
complete -c davit -f -a '(__davit_words)'`,
};

export const completion = buildCommand<Record<never, never>, string[], CliContext>({
  docs: {
    brief: "print a completion script: bash, zsh or fish",
    fullDescription:
      "bash: source <(davit completion bash)   zsh: davit completion zsh > a file in fpath   fish: davit completion fish | source",
  },
  parameters: {
    positional: { kind: "array", parameter: { parse: String, placeholder: "SHELL", brief: "bash, zsh or fish" } },
    flags: {},
  },
  async func(_flags, shell, ...typed) {
    if (shell === "words") return say(this, (await wordsAfter(this, typed)).join("\n"));
    const script = SCRIPTS[shell ?? ""];
    if (script === undefined)
      throw new DavitError("invalid_input", `'${shell ?? ""}' is not a shell that is known`, {
        wayOut: "davit completion bash, zsh or fish",
      });
    say(this, script);
  },
});

/** What may come after the words typed so far. */
async function wordsAfter(context: CliContext, typed: readonly string[]): Promise<readonly string[]> {
  const { NOUNS, VERBS } = await import("../app.ts");
  const nouns: Readonly<Record<string, { readonly verbs: object }>> = NOUNS;
  const [noun, verb] = typed;
  if (noun === undefined) return [...Object.keys(VERBS), ...Object.keys(NOUNS)];
  const verbs = nouns[noun]?.verbs;
  if (verbs !== undefined && verb === undefined) return Object.keys(verbs).map(kebab);
  try {
    const client = await context.client();
    if (noun === "node" && verb !== "add") return (await client.nodes()).map((node) => node.name);
    if (noun === "service")
      return (await client.services()).map((service) => (verb === "scale" ? `${service.name}=` : service.name));
    if (noun === "stack") return (await client.stacks()).map((stack) => stack.name);
    if (noun === "token" && verb === "revoke") return (await client.tokens()).map((token) => token.name);
    if (noun === "registry") return (await client.registries()).map((registry) => registry.host);
  } catch {
    // no coordinator: the shell offers file names
  }
  return [];
}

function kebab(name: string): string {
  return name.replaceAll(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
}
