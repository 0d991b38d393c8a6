// Step: the system user davit and the cluster's key, so that the user's own key and sudo are needed for the join only.

import { DavitError } from "../../core/model/errors.ts";
import type { HostShell } from "../../ports/host-shell.ts";
import { lastLine } from "../host-shell.ts";
import type { HostFacts } from "./facts.ts";
import { AGENT_BINARY, USER, USER_HOME } from "../paths.ts";
import { REMOVAL_MODES, removalRequest } from "./removal.ts";
import type { StepOutcome } from "./steps.ts";

/** Commands that the cluster's key may run, each as it is asked for: streams where sshd forbids forwarding to sockets, and the removal. */
const COMMANDS: readonly (readonly [asked: string, run: string])[] = [
  [`${AGENT_BINARY} agent dial control`, `exec ${AGENT_BINARY} agent dial control`],
  [`${AGENT_BINARY} agent dial http`, `exec ${AGENT_BINARY} agent dial http`],
  ...REMOVAL_MODES.map((mode): readonly [string, string] => [
    removalRequest(mode).asked.join(" "),
    removalRequest(mode).run,
  ]),
];

/**
 * The line of authorized_keys for the cluster's key. `restrict` takes everything away (terminal, agent, user rc); `port-forwarding` gives
 * back streams to sockets and, for trying other nodes through this one, TCP. Any other command is refused.
 */
export function authorizedKeysLine(publicKey: string): string {
  const cases = COMMANDS.map(([asked, run]) => `'${asked}') ${run} ;;`).join(" ");
  const command = `case \\"$SSH_ORIGINAL_COMMAND\\" in ${cases} *) echo this key opens streams to the agent only >&2; exit 126 ;; esac`;
  return `restrict,port-forwarding,command="${command}" ${publicKey.trim().split(/\s+/).slice(0, 2).join(" ")} davit\n`;
}

/** sshd must be able to read it as davit, and davit must not be able to write it: hence root's, and readable. */
const SCRIPT = `set -eu
export PATH="$PATH:/usr/local/sbin:/usr/sbin:/sbin"
getent group ${USER} >/dev/null || groupadd --system ${USER}
getent passwd ${USER} >/dev/null || useradd --system --gid ${USER} --home-dir ${USER_HOME} --no-create-home --shell /bin/sh --comment "davit cluster access" ${USER}
usermod --password '*' --shell /bin/sh --home ${USER_HOME} ${USER}
dir=$(dirname "$2")
mkdir -p "$dir"
case $dir in ${USER_HOME}/*) chmod 0755 ${USER_HOME} "$dir" ;; esac
printf %s "$1" > "$2.part"
chmod 0644 "$2.part"
mv -f "$2.part" "$2"
if command -v restorecon >/dev/null; then restorecon -R "$dir"; fi`;

/** Makes sure that the cluster's key logs in as davit. */
export async function ensureAccess(shell: HostShell, facts: HostFacts, publicKey: string): Promise<StepOutcome<void>> {
  const line = authorizedKeysLine(publicKey);
  const path = authorizedKeysPath(facts);
  if (facts.userGroups.includes(USER) && facts.installed.authorizedKeys === line.trim()) {
    return {
      value: undefined,
      message: `user ${USER} and the cluster's key are there`,
      skipped: true,
    };
  }
  const result = await shell.exec(["sh", "-c", SCRIPT, "davit-access", line, path], { root: true });
  if (result.exitCode !== 0)
    throw new DavitError("bootstrap_failed", `make the user ${USER} on ${shell.target}: ${lastLine(result.stderr)}`);
  return { value: undefined, message: `made the user ${USER}, which the cluster's key logs in as` };
}

/** The first place where sshd looks for davit's keys; sshd_config(5): %u is the user, %h the home, a relative path is in the home. */
export function authorizedKeysPath(facts: HostFacts): string {
  const files = facts.sshd["authorizedkeysfile"] ?? [];
  const first = files.includes(".ssh/authorized_keys") ? ".ssh/authorized_keys" : (files[0] ?? ".ssh/authorized_keys");
  const path = first.replaceAll("%u", USER).replaceAll("%h", USER_HOME).replaceAll("%%", "%");
  return path.startsWith("/") ? path : `${USER_HOME}/${path}`;
}
