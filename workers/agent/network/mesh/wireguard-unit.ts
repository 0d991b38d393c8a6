// The mesh's own systemd unit and what it runs: the encrypted link must outlive the agent, come back when its program dies, and be there at
// boot before containers, with nobody to ask. Texts only. Pure.

import type { Changes } from "./changes.ts";
import { MESH_LINK } from "./names.ts";

export const WIREGUARD_UNIT_NAME = "davit-wireguard.service";

/** Bytes of a socket's queue: with the kernel's own 208 KiB wireguard-go loses a seventh of the packets at full speed. */
const QUEUE_BYTES = 4_194_304;

/** The condition makes the link by the kernel's module: where that works, the unit is done and there is no program to run. */
export function renderUnit(setupPath: string): string {
  return `[Unit]
Description=davit mesh (WireGuard)
Before=davit-agent.service docker.service
StartLimitIntervalSec=0

[Service]
Type=exec
ExecCondition=/bin/sh -c '! ip link add ${MESH_LINK} type wireguard 2>/dev/null'
ExecStartPre=-/bin/sh -c '[ "$(cat /proc/sys/net/core/rmem_default)" -ge ${QUEUE_BYTES} ] || echo ${QUEUE_BYTES} >/proc/sys/net/core/rmem_default'
ExecStart=/bin/sh -c 'exec wireguard-go -f ${MESH_LINK}'
ExecStartPost=-/bin/sh ${setupPath}
Environment=LOG_LEVEL=error
Restart=always
RestartSec=1
OOMScoreAdjust=-900
LimitNOFILE=65536

[Install]
WantedBy=multi-user.target
`;
}

/** Puts everything onto a link that has just come. What is there already is no error. */
export function renderSetup(configPath: string, all: Changes): string {
  return `# Written by the davit agent: what the mesh was when it last changed.
export PATH="$PATH:/usr/local/sbin:/usr/sbin:/sbin"
n=0
until wg show ${MESH_LINK} >/dev/null 2>&1 || [ $n -ge 100 ]; do sleep 0.05; n=$((n + 1)); done
wg syncconf ${MESH_LINK} ${configPath}
ip -4 -force -batch - 2>/dev/null <<'END'
${all.ip.join("\n")}
END
bridge -force -batch - 2>/dev/null <<'END'
${all.bridge.join("\n")}
END
exit 0
`;
}
