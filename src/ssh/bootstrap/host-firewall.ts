// Step: a way through the firewall that the host runs itself, as rules of that firewall.

import { DavitError } from "../../core/model/errors.ts";
import type { HostShell } from "../../ports/host-shell.ts";
import { lastLine } from "../host-shell.ts";
import { quoteArgv } from "../quote.ts";
import type { HostFacts } from "./facts.ts";
import { FIREWALL_NAME, type MeshSettings, planFirewall, TUNNEL_PORT } from "./network-plan.ts";
import { STATE_DIR } from "../paths.ts";
import type { StepOutcome } from "./steps.ts";

/** Opens what the network needs. Rules that are there already are no error, to ufw and to firewalld alike. */
export async function ensureFirewall(
  shell: HostShell,
  facts: HostFacts,
  mesh: MeshSettings,
): Promise<StepOutcome<void>> {
  const plan = planFirewall(facts, mesh);
  if (plan === undefined)
    return { value: undefined, message: "no firewall of the host's own is active", skipped: true };
  for (const argv of plan.commands) {
    const result = await shell.exec(argv, { root: true });
    if (result.exitCode === 0) continue;
    throw new DavitError(
      "bootstrap_failed",
      `open ${plan.firewall} on ${shell.target}: ${quoteArgv(argv)}: ${lastLine(result.stderr || result.stdout)}`,
      { wayOut: "run it on the host to see more, repair it, then join again" },
    );
  }
  return { value: undefined, message: `opened in ${plan.firewall}: ${plan.opened}` };
}

/** For the removal, in `sh`, while the mesh's files are still there: takes the rules out again. */
export const CLOSE_FIREWALL = `if command -v ufw >/dev/null; then
  ufw show added 2>/dev/null | sed -n "s/^ufw \\(.*\\) comment '${FIREWALL_NAME}'$/\\1/p" | while read -r rule; do ufw --force delete $rule >/dev/null 2>&1; done
fi
if systemctl is-active -q firewalld; then
  for port in $(sed -n 's/^ListenPort = //p' ${STATE_DIR}/mesh/wireguard.conf 2>/dev/null) ${TUNNEL_PORT}; do
    firewall-cmd -q --remove-port="$port/udp"; firewall-cmd -q --permanent --remove-port="$port/udp"
  done
  for link in davit-wg davit-vx; do
    firewall-cmd -q --zone=trusted --remove-interface=$link; firewall-cmd -q --permanent --zone=trusted --remove-interface=$link
  done
fi 2>/dev/null`;
