// The agent's systemd unit. Pure.

import { AGENT_BINARY, RUNTIME_DIR, STATE_DIR, USER } from "../paths.ts";

/**
 * /run/davit is kept over restarts of the agent: the rest of its lease is in there. Containers are the engine's, so they outlive the unit.
 * An agent that hangs is restarted by the watchdog, however often; when memory runs out, a container goes first.
 */
export const AGENT_UNIT = `[Unit]
Description=davit agent
Documentation=man:systemd.service(5)
Wants=network-online.target docker.service
After=network-online.target docker.service
StartLimitIntervalSec=0

[Service]
Type=notify
ExecStart=${AGENT_BINARY} agent
Group=${USER}
RuntimeDirectory=${RUNTIME_DIR.slice("/run/".length)}
RuntimeDirectoryMode=0750
RuntimeDirectoryPreserve=yes
StateDirectory=${STATE_DIR.slice("/var/lib/".length)}
StateDirectoryMode=0700
UMask=0077
Restart=always
RestartSec=1
WatchdogSec=30
TimeoutStartSec=60
TimeoutStopSec=15
OOMScoreAdjust=-900
LimitNOFILE=65536
Environment=BUN_RUNTIME_TRANSPILER_CACHE_PATH=0

[Install]
WantedBy=multi-user.target
`;
