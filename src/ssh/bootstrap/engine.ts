// Step: the container engine. One that is there is used as it is; else it comes from the host's own package manager. The installation goes
// on by itself if the connection is cut: packages that are half unpacked help nobody, and the next run waits for it and goes on from there.

import { DavitError } from "../../core/model/errors.ts";
import { assertNever } from "../../core/model/invariant.ts";
import type { HostShell } from "../../ports/host-shell.ts";
import { lastLine } from "../host-shell.ts";
import { quoteArgv } from "../quote.ts";
import { DAEMON_CONFIG, type Installation, installArgv, planEngine, refreshArgv } from "./engine-plan.ts";
import type { HostFacts } from "./facts.ts";
import { planTools } from "./network-plan.ts";
import { ENGINE_MARKER } from "../paths.ts";
import type { StepOutcome } from "./steps.ts";

const INSTALL_TIMEOUT_MS = 15 * 60_000;
/** How long another installation on the host may take before the join gives up: unattended upgrades take some minutes. */
const LOCK_WAIT_S = 300;

/** Makes sure that an engine runs, and what the network needs is there: one installation where both are missing. */
export async function ensureEngine(
  shell: HostShell,
  facts: HostFacts,
  note: (message: string) => void,
): Promise<StepOutcome<void>> {
  const plan = planEngine(facts);
  const tools = planTools(facts);
  if (tools.kind === "impossible") throw new DavitError("preflight_failed", tools.message, { wayOut: tools.wayOut });
  const more = tools.kind === "install" ? tools.packages : [];
  switch (plan.kind) {
    case "present":
    case "start": {
      if (tools.kind === "install")
        await install(shell, { ...tools, refresh: false }, toolScript({ ...tools, refresh: false }), note);
      if (plan.kind === "start") await startEngine(shell);
      const engine =
        plan.kind === "start"
          ? "Docker was installed but off; it was started and enabled"
          : `Docker ${plan.version} is there and is used as it is`;
      const message = more.length === 0 ? engine : `${engine}; installed ${more.join(", ")} with ${facts.packager}`;
      return { value: undefined, message, skipped: plan.kind === "present" && more.length === 0 };
    }
    case "install": {
      const whole = { ...plan, packages: [...plan.packages, ...more] };
      await install(shell, whole, installScript(whole), note);
      return { value: undefined, message: `installed ${whole.packages.join(", ")} with ${plan.with}` };
    }
    case "impossible":
      throw new DavitError("preflight_failed", plan.message, { wayOut: plan.wayOut });
    default:
      return assertNever(plan);
  }
}

async function startEngine(shell: HostShell): Promise<void> {
  const result = await shell.exec(["systemctl", "enable", "--now", "docker"], {
    root: true,
    timeoutMs: 120_000,
  });
  if (result.exitCode === 0) return;
  throw new DavitError("bootstrap_failed", `start Docker on ${shell.target}: ${lastLine(result.stderr)}`, {
    wayOut: "look at `journalctl -u docker` on the host, repair it, then join again",
  });
}

async function install(
  shell: HostShell,
  plan: Installation,
  script: string,
  note: (message: string) => void,
): Promise<void> {
  const lines = new LineFeed((line) => note(line));
  const argv = ["sh", "-c", DETACHED_RUN, "davit-bootstrap", script];
  const result = await shell.exec(argv, {
    root: true,
    timeoutMs: INSTALL_TIMEOUT_MS,
    onOutput: (text) => lines.push(text),
  });
  if (result.exitCode === 0) return;
  const reason =
    result.stdout.split("\n").findLast((line) => /^(E:|dpkg: error|Error:|davit:)/.test(line)) ??
    lastLine(result.stdout);
  throw new DavitError("bootstrap_failed", `install ${plan.packages.join(", ")} on ${shell.target}: ${reason}`, {
    wayOut: `run it on the host to see more (${quoteArgv(installArgv(plan))}), repair it, then join again`,
  });
}

/**
 * Runs "$1" in a session of its own, shows its output, and ends as it ended. When an earlier run of it is still going (its connection was cut),
 * it is waited for instead.
 */
const DETACHED_RUN = `set -u
dir=/run/davit-bootstrap
mkdir -p -m 0700 "$dir"
if [ -f "$dir/pid" ] && kill -0 "$(cat "$dir/pid")" 2>/dev/null; then
  echo "davit: an earlier installation still runs: waiting for it"
else
  rm -f "$dir/code"
  setsid sh -c '(eval "$2"); echo $? > "$1/code"' davit-bootstrap "$dir" "$1" > "$dir/log" 2>&1 < /dev/null &
  echo $! > "$dir/pid"
fi
tail -n +1 -s 0.1 -f --pid="$(cat "$dir/pid")" "$dir/log"
code=$(cat "$dir/code" 2>/dev/null || echo 1)
rm -rf "$dir"
exit "$code"`;

/** The installation of an engine, for `sh`, as root. */
export function installScript(plan: Installation): string {
  return [
    SETTINGS,
    `mkdir -p ${ENGINE_MARKER.slice(0, ENGINE_MARKER.lastIndexOf("/"))} /etc/docker`,
    `date -u +%FT%TZ > ${ENGINE_MARKER}`,
    `[ -e /etc/docker/daemon.json ] || printf %s ${quoteArgv([DAEMON_CONFIG])} > /etc/docker/daemon.json`,
    ...packageLines(plan),
    "systemctl is-active --quiet docker || systemctl enable --now docker",
  ].join("\n");
}

/** The same of packages that need nothing around them. */
export function toolScript(plan: Installation): string {
  return [SETTINGS, ...packageLines(plan)].join("\n");
}

const SETTINGS = `export LC_ALL=C DEBIAN_FRONTEND=noninteractive NEEDRESTART_SUSPEND=1 PATH="$PATH:/usr/local/sbin:/usr/sbin:/sbin"
set -e`;

function packageLines(plan: Installation): readonly string[] {
  const refresh = refreshArgv(plan);
  const command = quoteArgv(installArgv(plan));
  const tries = refresh === undefined ? command : `${command} || { ${quoteArgv(refresh)} && ${command}; }`;
  return [
    ...(plan.with === "apt" ? [WAIT_FOR_DPKG, "dpkg --configure -a"] : []),
    ...(refresh !== undefined && plan.refresh ? [quoteArgv(refresh)] : []),
    tries,
    // the distribution starts a unit of its own at once; davit has another, which runs while there are routes
    ...(plan.packages.includes("haproxy") ? ["systemctl disable --quiet --now haproxy || true"] : []),
  ];
}

/** dpkg itself does not wait for its lock; apt does, but says less. */
const WAIT_FOR_DPKG = `left=${LOCK_WAIT_S}
while holder=$(awk -v inode="$(stat -c %i /var/lib/dpkg/lock-frontend 2>/dev/null || echo none)" '{ n = split($6, at, ":"); if ($2 != "->" && at[n] == inode) { print $5; exit } }' /proc/locks) && [ -n "$holder" ]; do
  name=$(tr '\\0' ' ' < "/proc/$holder/cmdline" 2>/dev/null | cut -c1-80)
  [ "$left" -gt 0 ] || { echo "davit: gave up after ${LOCK_WAIT_S} s: process $holder ($name) still installs packages"; exit 1; }
  [ $((left % 10)) -ne 0 ] || echo "davit: waiting for process $holder ($name), which is installing packages"
  left=$((left - 1))
  sleep 1
done`;

/** Cuts output into lines that are worth showing. */
class LineFeed {
  readonly #show: (line: string) => void;
  #rest = "";

  constructor(show: (line: string) => void) {
    this.#show = show;
  }

  push(text: string): void {
    const lines = (this.#rest + text).split(/\r?\n|\r/);
    this.#rest = (lines.pop() ?? "").slice(0, 1_000);
    for (const line of lines) if (/^(Setting up|Unpacking|Get:|davit:|E:)/.test(line)) this.#show(line.trim());
  }
}
