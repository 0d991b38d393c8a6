// davit completion bash|zsh|fish: a script for the shell. What may be typed is asked of `davit __complete` at each Tab: words of the tree of
// commands, and names of nodes, services and stacks from the coordinator.

import { buildCommand } from "@stricli/core";
import { type CliContext, say } from "../context.ts";

const SCRIPTS = {
  bash: `_davit() {
  local IFS=$'\\n'
  COMPREPLY=($(compgen -W "$(davit __complete -- "\${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null)" -- "\${COMP_WORDS[COMP_CWORD]}"))
  [[ \${COMPREPLY[0]} == *= ]] && compopt -o nospace
}
complete -o default -F _davit davit`,
  zsh: `#compdef davit
_davit() {
  local -a found
  found=(\${(f)"$(davit __complete -- "\${(@)words[2,CURRENT]}" 2>/dev/null)"})
  if (( \${#found} )); then compadd -a found; else _files; fi
}
if [ "$funcstack[1]" = _davit ]; then _davit; else compdef _davit davit; fi`,
  fish: `function __davit_complete
  set -l typed (commandline -opc) (commandline -ct)
  davit __complete -- $typed[2..-1] 2>/dev/null
end
complete -c davit -a '(__davit_complete)'`,
} as const;
const SHELLS = Object.keys(SCRIPTS);

type Shell = keyof typeof SCRIPTS;

export const completion = buildCommand<Record<never, never>, [Shell], CliContext>({
  docs: {
    brief: "print a completion script: bash, zsh or fish",
    fullDescription: [
      "bash: source <(davit completion bash)",
      "zsh: davit completion zsh > a file named _davit in fpath",
      "fish: davit completion fish > ~/.config/fish/completions/davit.fish",
    ].join("\n"),
  },
  parameters: {
    positional: {
      kind: "tuple",
      parameters: [
        { parse: parseShell, placeholder: "SHELL", brief: "bash, zsh or fish", proposeCompletions: () => SHELLS },
      ],
    },
    flags: {},
  },
  func(_flags, shell) {
    say(this, SCRIPTS[shell]);
  },
});

function parseShell(text: string): Shell {
  if (text === "bash" || text === "zsh" || text === "fish") return text;
  throw new Error(`there is a script for ${SHELLS.join(", ")}`);
}
