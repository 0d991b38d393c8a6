// Steps: the agent's binary, its files and its unit, until it answers. The binary travels compressed while packages are installed.

import { DavitError } from "../../core/model/errors.ts";
import type { HostShell } from "../../ports/host-shell.ts";
import { lastLine } from "../host-shell.ts";
import type { HostFacts } from "./facts.ts";
import { AGENT_BINARY, AGENT_DIR, CONFIG_DIR, ISSUERS_FILE, NODE_FILE, UNIT, UNIT_FILE } from "../paths.ts";
import {
  REMOVAL_PROGRAM,
  REMOVAL_SCRIPT,
  REMOVAL_SERVICE_FILE,
  REMOVAL_SERVICE_UNIT,
  REMOVAL_SOCKET_FILE,
  REMOVAL_SOCKET_UNIT,
} from "./removal.ts";
import type { StepOutcome } from "./steps.ts";
import { AGENT_UNIT } from "./units.ts";

export type AgentBinary = {
  /** gzip of the binary. */
  readonly gz: Uint8Array;
  /** Lower-case hex of the binary itself, unpacked. */
  readonly sha256: string;
};

/** A binary of some 40 MB compressed, over a slow line. */
const UPLOAD_TIMEOUT_MS = 15 * 60_000;
const START_TIMEOUT_MS = 90_000;

/** Unpacks standard input beside the binary, compares the hash, and only then takes its place. */
const UPLOAD_SCRIPT = `set -eu
mkdir -p ${AGENT_DIR}
new=${AGENT_BINARY}.$$.part
trap 'rm -f "$new"' EXIT
rm -f ${AGENT_BINARY}.*.part
nice gzip -dc > "$new"
[ "$(nice sha256sum "$new" | cut -c1-64)" = "$1" ] || { echo "the hash differs after the upload" >&2; exit 1; }
chmod 0755 "$new"
sync "$new"
mv -f "$new" ${AGENT_BINARY}
if command -v restorecon >/dev/null; then restorecon -R ${AGENT_DIR}; fi
trap - EXIT`;

/** Puts the binary there unless it is there already. True if it did. */
export async function ensureBinary(
  shell: HostShell,
  installedSha256: string,
  binary: AgentBinary,
): Promise<StepOutcome<boolean>> {
  if (installedSha256 === binary.sha256)
    return {
      value: false,
      message: `the agent is current (${binary.sha256.slice(0, 12)})`,
      skipped: true,
    };
  const result = await shell.exec(["sh", "-c", UPLOAD_SCRIPT, "davit-upload", binary.sha256], {
    root: true,
    stdin: binary.gz,
    timeoutMs: UPLOAD_TIMEOUT_MS,
  });
  if (result.exitCode !== 0) {
    throw new DavitError("bootstrap_failed", `upload the agent to ${shell.target}: ${lastLine(result.stderr)}`, {
      wayOut: `check the room on the file system of ${AGENT_DIR} (df -h ${AGENT_DIR}), then try again`,
    });
  }
  return {
    value: true,
    message: `uploaded the agent (${(binary.gz.length / 1e6).toFixed(1)} MB compressed)`,
  };
}

export type AgentConfig = {
  readonly clusterId: string;
  readonly nodeId: string;
  readonly nodeName: string;
  /** Public JWK texts. */
  readonly issuerKeys: readonly string[];
};

type HostFile = { readonly path: string; readonly mode: number; readonly content: string };

/** Files of a node, in the order in which they are written. */
export function agentFiles(config: AgentConfig): readonly HostFile[] {
  const { clusterId, nodeId, nodeName } = config;
  const issuers = config.issuerKeys.map((key): unknown => JSON.parse(key));
  return [
    {
      path: NODE_FILE,
      mode: 0o644,
      content: `${JSON.stringify({ nodeId, nodeName, clusterId })}\n`,
    },
    { path: ISSUERS_FILE, mode: 0o644, content: `${JSON.stringify(issuers)}\n` },
    { path: UNIT_FILE, mode: 0o644, content: AGENT_UNIT },
    { path: REMOVAL_PROGRAM, mode: 0o755, content: REMOVAL_SCRIPT },
    { path: REMOVAL_SERVICE_FILE, mode: 0o644, content: REMOVAL_SERVICE_UNIT },
    { path: REMOVAL_SOCKET_FILE, mode: 0o644, content: REMOVAL_SOCKET_UNIT },
  ];
}

/** Reads "path", "mode" and a base64 text per line from standard input; says which files it changed. */
const WRITE_SCRIPT = `set -eu
umask 022
mkdir -p ${CONFIG_DIR} ${AGENT_DIR}
while read -r path mode text; do
  printf %s "$text" | base64 -d > "$path.part"
  if cmp -s "$path.part" "$path"; then rm -f "$path.part"; continue; fi
  chmod "$mode" "$path.part"
  sync "$path.part"
  mv -f "$path.part" "$path"
  echo "changed $path"
done
${AGENT_BINARY} agent keygen > ${CONFIG_DIR}/.keygen.part || { cat ${CONFIG_DIR}/.keygen.part; exit 1; }
echo "key $(tr -d '\\n' < ${CONFIG_DIR}/.keygen.part)"
rm -f ${CONFIG_DIR}/.keygen.part`;

export type Configured = { readonly agentKey: string; readonly changed: readonly string[] };

/** Writes the files that differ, makes the agent's key if there is none, and gives its public half. */
export async function ensureFiles(shell: HostShell, config: AgentConfig): Promise<StepOutcome<Configured>> {
  const stdin = agentFiles(config)
    .map(({ path, mode, content }) => `${path} ${mode.toString(8)} ${Buffer.from(content).toString("base64")}\n`)
    .join("");
  const result = await shell.exec(["sh", "-c", WRITE_SCRIPT], { root: true, stdin });
  const lines = result.stdout.split("\n");
  const agentKey =
    lines
      .find((line) => line.startsWith("key "))
      ?.slice("key ".length)
      .trim() ?? "";
  if (result.exitCode !== 0 || !isPublicJwk(agentKey)) {
    throw new DavitError(
      "bootstrap_failed",
      `write the agent's files on ${shell.target}: ${lastLine(result.stderr || result.stdout)}`,
      {
        wayOut: `try again; \`${AGENT_BINARY} agent keygen\` on the host shows more`,
      },
    );
  }
  const changed = lines.filter((line) => line.startsWith("changed ")).map((line) => line.slice("changed ".length));
  const message =
    changed.length === 0
      ? "the agent's files and its key are there"
      : `wrote ${changed.join(", ")}; the agent's own key stays on the host`;
  return { value: { agentKey, changed }, message, skipped: changed.length === 0 };
}

function isPublicJwk(text: string): boolean {
  try {
    const key: unknown = JSON.parse(text);
    return typeof key === "object" && key !== null && "kty" in key && key.kty === "OKP" && "x" in key && !("d" in key);
  } catch {
    return false;
  }
}

/** Enables the unit, and starts it, or restarts it if what it runs from has changed. Resolves once the agent said that it is ready. */
export async function ensureRunning(shell: HostShell, facts: HostFacts, changed: boolean): Promise<StepOutcome<void>> {
  if (!changed && facts.installed.unitActive && !facts.installed.unitStale)
    return { value: undefined, message: "the agent runs", skipped: true };
  const verb = facts.installed.unitActive ? "restart" : "start";
  const script = `systemctl daemon-reload && systemctl enable --quiet --no-reload ${UNIT} davit-remove.socket && systemctl ${verb} davit-remove.socket ${UNIT}`;
  const result = await shell.exec(["sh", "-c", script], {
    root: true,
    timeoutMs: START_TIMEOUT_MS,
  });
  if (result.exitCode === 0)
    return {
      value: undefined,
      message:
        verb === "start" ? "the agent was started and enabled" : "the agent was restarted; its containers went on",
    };
  const said = await shell.exec(["journalctl", "-u", UNIT, "-n", "15", "-o", "cat", "--no-pager"], {
    root: true,
  });
  throw new DavitError("bootstrap_failed", `start the agent on ${shell.target}: ${lastLine(result.stderr)}`, {
    wayOut: `look at \`journalctl -u ${UNIT}\` on the host, then join again`,
    details: said.stdout
      .trim()
      .split("\n")
      .map((message) => ({ where: UNIT, message })),
  });
}
