// What takes davit away from a host: a script that was put there at the join, run as root by systemd when the user davit writes into a FIFO.
// So `node rm` needs the cluster's key only (no sudo, no user's key), and works when the agent does not. Texts and argv; runs nothing. Pure.

import {
  AGENT_BINARY,
  AGENT_DIR,
  CONFIG_DIR,
  NODE_FILE,
  RUNTIME_DIR,
  STATE_DIR,
  UNIT,
  UNIT_FILE,
  USER,
  USER_HOME,
} from "../paths.ts";
import { CLOSE_FIREWALL } from "./host-firewall.ts";

export const REMOVAL_PROGRAM = `${AGENT_DIR}/remove`;
export const REMOVAL_SERVICE_FILE = "/etc/systemd/system/davit-remove.service";
export const REMOVAL_SOCKET_FILE = "/etc/systemd/system/davit-remove.socket";
const FIFO = "/run/davit-remove.fifo";
const LOG = "/run/davit-remove.log";

/** What is asked for: volumes are kept unless they are to go as well. */
export type RemovalMode = "keep-volumes" | "with-volumes";
export const REMOVAL_MODES: readonly RemovalMode[] = ["keep-volumes", "with-volumes"];

/** Last lines of the log: how it ended. */
export const REMOVED = "davit: removed";
export const NOT_REMOVED = "davit: not removed";

/** Removes everything that the join put on the host. Steps that find nothing to do are no error: a second run finishes the first. */
export const REMOVAL_SCRIPT = `#!/bin/sh
# Takes davit away from this host. "$1": keep-volumes or with-volumes. Docker stays.
set -u
export LC_ALL=C PATH="$PATH:/usr/local/sbin:/usr/sbin:/sbin"
trap '' HUP PIPE
failed=
try() { "$@" >/dev/null || { failed=1; echo "could not run: $*"; }; }
cluster=$(sed -n 's/.*"clusterId" *: *"\\([0-9a-z]*\\)".*/\\1/p' ${NODE_FILE} 2>/dev/null)
if [ -e ${UNIT_FILE} ]; then
  try systemctl disable --quiet --now ${UNIT}
  echo "stopped the agent"
fi
if command -v docker >/dev/null && docker version >/dev/null 2>&1 && [ -n "$cluster" ]; then
  containers=$(docker ps -aq --filter "label=davit.cluster=$cluster")
  if [ -n "$containers" ]; then
    docker stop -t 10 $containers >/dev/null 2>&1
    try docker rm -f -v $containers
    echo "removed $(echo "$containers" | wc -l) containers"
  fi
  if docker network inspect davit0 >/dev/null 2>&1; then try docker network rm davit0; echo "removed the network davit0"; fi
  volumes=$(docker volume ls -q --filter "label=davit.cluster=$cluster")
  if [ -n "$volumes" ]; then
    if [ "$1" = with-volumes ]; then try docker volume rm $volumes; echo "removed the volumes:" $volumes
    else echo "kept the volumes:" $volumes; fi
  fi
elif [ -n "$cluster" ]; then
  failed=1; echo "Docker does not answer: containers of davit may be left"
fi
${CLOSE_FIREWALL}
# after the containers: until they are gone, the rules keep them apart
if [ -x ${AGENT_BINARY} ]; then
  if ${AGENT_BINARY} agent network-remove; then echo "removed davit's network from the host"
  else failed=1; fi
fi
if [ -n "$failed" ]; then echo "${NOT_REMOVED}"; exit 1; fi
rm -rf ${UNIT_FILE} ${STATE_DIR} ${RUNTIME_DIR} ${CONFIG_DIR} /run/davit-bootstrap
echo "removed ${UNIT}, ${CONFIG_DIR}, ${STATE_DIR} and ${RUNTIME_DIR}"
rm -rf ${USER_HOME}
userdel -f ${USER} 2>/dev/null
groupdel ${USER} 2>/dev/null
echo "removed the user ${USER} and the cluster's key"
rm -rf ${AGENT_DIR} ${REMOVAL_SERVICE_FILE} ${REMOVAL_SOCKET_FILE} /etc/systemd/system/sockets.target.wants/davit-remove.socket
systemctl stop --quiet davit-remove.socket 2>/dev/null
systemctl daemon-reload
systemd-run --quiet --collect --on-active=10 rm -f ${LOG}
echo "Docker stays"
echo "${REMOVED}"
`;

export const REMOVAL_SOCKET_UNIT = `[Unit]
Description=Request to take davit away from this host

[Socket]
ListenFIFO=${FIFO}
SocketUser=root
SocketGroup=${USER}
SocketMode=0660
RemoveOnStop=yes
ExecStartPre=-/bin/rm -f ${FIFO}

[Install]
WantedBy=sockets.target
`;

export const REMOVAL_SERVICE_UNIT = `[Unit]
Description=Take davit away from this host

[Service]
Type=oneshot
KillMode=process
StandardOutput=truncate:${LOG}
StandardError=inherit
ExecStart=/bin/sh -c 'read -r mode <&3 && exec ${REMOVAL_PROGRAM} "$mode"'
`;

/** What the cluster's key asks for to have the host cleaned, and what sshd's forced command then runs: it waits for the end, and tells all. */
export function removalRequest(mode: RemovalMode): { readonly asked: readonly string[]; readonly run: string } {
  const wait = `n=0; sleep 1; until grep -qs '^davit: ' ${LOG} || [ $n -ge 600 ]; do sleep 0.2; n=$((n + 1)); done; cat ${LOG}`;
  return {
    asked: ["davit", "remove", mode],
    run: `[ -p ${FIFO} ] || { echo no removal unit here; exit 1; }; echo ${mode} > ${FIFO}; ${wait}`,
  };
}
