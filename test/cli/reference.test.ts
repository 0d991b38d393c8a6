// docs/cli.md is made here from the commands themselves. After a change: npx bun --bun run vitest run test/cli/reference -u

import { join } from "node:path";
import { type Application, type CommandContext, generateHelpTextForAllCommands } from "@stricli/core";
import { expect, test } from "vitest";
import { buildCli } from "../../src/cli/app.ts";
import { EXIT_MEANINGS } from "../../src/cli/exit-codes.ts";
import { UP_HELP } from "../../src/coordinator/options.ts";

const REFERENCE = join(import.meta.dirname, "../../docs/cli.md");

const HEAD = `# The command line

Every command is a client of the coordinator's HTTP API and of nothing else. \`davit --help\`, \`davit NOUN --help\` and
\`davit NOUN VERB --help\` show what is written here; \`davit completion bash\` (or zsh, fish) prints a script for Tab.

## Which coordinator

\`--host ADDRESS\`, which may stand anywhere on the line, or \`DAVIT_HOST\`:

| address | meaning |
| --- | --- |
| (none) | the socket of this user's \`davit up\`, or else that of \`davit install\` |
| \`/path/davit.sock\` | a unix socket; no token is needed |
| \`ssh://[user@]host[:port]\` | over SSH, with the keys, jump hosts and known hosts of \`~/.ssh\`; a path to the socket may follow |
| \`http://…\`, \`https://…\` | with a token in \`DAVIT_TOKEN\` (\`davit token create\`) |

## Output

Results go to standard output, everything else (progress, warnings, errors) to standard error. On a terminal progress is
redrawn in place and states are coloured (not with \`NO_COLOR\`); elsewhere each change is one line. \`--json\`
prints the shapes of the API on everything that reads, and makes errors JSON too: \`{"error": {code, message, wayOut, details}}\`.
Errors say what failed and why, then the way out. \`DAVIT_DEBUG=1\` adds where in the code.

Commands that change services wait until every task is healthy and every node in reach leads to it. Ctrl-C ends the waiting, not the change. What is watched
after that (\`update_config.monitor\`) goes on in the background, unless \`--wait-monitor\` waits for it too.

## Exit codes

| code | meaning |
| --- | --- |
`;

test("docs/cli.md shows every command, flag and exit code as they are", async () => {
  const codes = EXIT_MEANINGS.map(([code, meaning]) => `| ${code} | ${meaning} |`).join("\n");
  // the help needs no context: stricli's type asks for the plainest one
  const app = buildCli({ withStack: false, asJson: false }) as unknown as Application<CommandContext>;
  const commands = generateHelpTextForAllCommands(app);
  const sections = commands.map(([route, help]) => `### ${route}\n\n\`\`\`\n${withoutHints(route, help)}\n\`\`\`\n`);
  const text = `${HEAD}${codes}\n\n\`service exec\` ends with the exit code of the command that it ran.\n\n## Commands\n\n${sections.join("\n")}`;
  await expect(text).toMatchFileSnapshot(REFERENCE);
});

/** Without what is the same for every command. The coordinator's options are its own, so is their help. */
function withoutHints(route: string, help: string): string {
  if (route === "davit up") return UP_HELP.trim();
  return help
    .split("\n")
    .filter((line) => !/^ *(-h +)?--(help)? {2,}|--help$/.test(line))
    .join("\n")
    .replace(/\n*FLAGS\n*$/, "")
    .trim();
}
