// The one script that asks a host everything before anything is changed: one round trip instead of thirty. It answers in sections,
// "=== name" and then raw lines; facts.ts reads them. Every probe may fail: a missing tool gives an empty section, never an end.

import {
  AGENT_BINARY,
  CONTROL_SOCKET,
  ENGINE_MARKER,
  ISSUERS_FILE,
  NODE_FILE,
  UNIT,
  UNIT_FILE,
  USER,
  USER_HOME,
} from "../paths.ts";
import { TOOL_PROGRAMS } from "./network-plan.ts";

/** Kernel features and the modules that bring them. */
const MODULES = ["overlay", "bridge", "veth", "nf_tables", "ip_tables", "vxlan", "br_netfilter", "wireguard"];

const HAS_MODULE = `has_module() {
  [ -d "/sys/module/$1" ] && { echo yes; return; }
  dir=/lib/modules/$(uname -r)
  if [ -d "$dir" ]; then
    grep -q "/$1\\.ko" "$dir/modules.builtin" "$dir/modules.dep" 2>/dev/null && { echo yes; return; }
    modprobe -n -q "$1" 2>/dev/null && { echo yes; return; }
  fi
  case $1 in
    overlay) grep -qw overlay /proc/filesystems && { echo yes; return; } ;;
    ip_tables) [ -e /proc/net/ip_tables_names ] && { echo yes; return; } ;;
    bridge) probe_link bridge && { echo yes; return; } ;;
    veth) probe_link veth && { echo yes; return; } ;;
    vxlan) probe_link vxlan id 7373 dstport 0 && { echo yes; return; } ;;
    wireguard) probe_link wireguard && { echo yes; return; } ;;
    br_netfilter) [ -e /proc/sys/net/bridge ] && { echo yes; return; } ;;
  esac
  [ -d "$dir" ] && echo no || echo unknown
}
probe_link() {
  [ "$(id -u)" = 0 ] && ip link add davitprobe type "$@" 2>/dev/null && ip link del davitprobe
}`;

const LOCK_HOLDER = `lock_holder() {
  inode=$(stat -c %i "$1" 2>/dev/null) || return 0
  awk -v inode="$inode" '{ n = split($6, at, ":"); if ($2 != "->" && at[n] == inode) print $5 }' /proc/locks | sort -u | while read -r pid; do
    echo "$pid $(tr '\\0' ' ' < "/proc/$pid/cmdline" 2>/dev/null | cut -c1-80)"
  done
}`;

/** The whole script, for `sh`. It wants root, and tells what it can without. */
export const PREFLIGHT_SCRIPT = `export LC_ALL=C PATH="$PATH:/usr/local/sbin:/usr/sbin:/sbin"
exec 2>/dev/null
section() { echo "=== $1"; }
${HAS_MODULE}
${LOCK_HOLDER}
section time; date +%s%3N
section uid; id -u
section hostname; hostname || cat /proc/sys/kernel/hostname
section os; cat /etc/os-release
section machine; uname -m
section kernel; uname -r
section init; cat /proc/1/comm; [ -d /run/systemd/system ] && echo systemd-is-running
section features; for module in ${MODULES.join(" ")}; do echo "$module $(has_module $module)"; done
section cgroups; if [ -f /sys/fs/cgroup/cgroup.controllers ]; then cat /sys/fs/cgroup/cgroup.controllers; else awk '$4 == 1 { print $1 }' /proc/cgroups; fi
section disk; for dir in /var/lib /usr /etc /run; do echo "$dir $(df -Pk "$dir" | awk 'NR == 2 { print $4 }')"; done
section memory; awk '/^MemTotal|^MemAvailable/ { print $1, $2 }' /proc/meminfo
section listening
awk '$4 == "0A" { print "tcp " $2 }' /proc/net/tcp /proc/net/tcp6
awk '$4 == "07" { print "udp " $2 }' /proc/net/udp /proc/net/udp6
section addresses; ip -4 -o addr show | awk '{ print $2, $4 }'
section routes; ip -4 route show table main | awk '$1 != "default" { for (i = 1; i < NF; i++) if ($i == "dev") print $(i + 1), $1 }'
section packager; command -v apt-get; command -v dnf
section dpkg-audit; command -v dpkg >/dev/null && { dpkg --audit | head -c 2000; ls /var/lib/dpkg/updates; }
section dpkg-lock; for lock in /var/lib/dpkg/lock-frontend /var/lib/dpkg/lock; do lock_holder $lock; done | sort -u
section candidates
if command -v docker >/dev/null || command -v dockerd >/dev/null; then :
elif command -v apt-get >/dev/null; then apt-cache policy docker.io | grep -q 'Candidate: [0-9]' && echo docker.io
elif command -v dnf >/dev/null; then dnf -q repoquery --available --qf '%{name}\\n' docker-ce moby-engine docker-cli | sort -u; fi
section docker
command -v dockerd
timeout 10 docker version --format 'server {{.Server.Version}} {{.Server.APIVersion}}' || dockerd --version | awk '{ sub(",", "", $3); print "program", $3 }'
systemctl is-active docker
[ -e ${ENGINE_MARKER} ] && echo by-davit
section sshd
timeout 5 sshd -T -C user=${USER},host=localhost,addr=127.0.0.1,laddr=127.0.0.1,lport=22 | grep -E '^(allow(users|groups|tcpforwarding|streamlocalforwarding)|deny(users|groups)|disableforwarding|pubkeyauthentication|authorizedkeysfile|maxsessions) '
section tools; for tool in ${TOOL_PROGRAMS.join(" ")}; do command -v $tool >/dev/null && echo $tool; done
section firewalls; command -v ufw >/dev/null && ufw status | grep -q '^Status: active' && echo ufw; systemctl is-active -q firewalld && echo firewalld
section user; id -nG ${USER}
section apparmor; cat /sys/module/apparmor/parameters/enabled; command -v apparmor_parser
section node; cat ${NODE_FILE}
section issuers; cat ${ISSUERS_FILE}
section unit; cat ${UNIT_FILE}
section unit-active; systemctl is-active ${UNIT}
section unit-stale; for file in ${NODE_FILE} ${ISSUERS_FILE} ${UNIT_FILE} ${AGENT_BINARY}; do [ "$file" -nt ${CONTROL_SOCKET} ] && echo "$file"; done
section keys; cat ${USER_HOME}/.ssh/authorized_keys
section binary; [ -f ${AGENT_BINARY} ] && sha256sum ${AGENT_BINARY} | cut -c1-64
section end
`;
