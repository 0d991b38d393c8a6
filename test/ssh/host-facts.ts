// A sound, bare Debian 12 as the preflight script tells of it, and the cluster that it is to join.

import { type HostFacts, parseFacts } from "../../src/ssh/bootstrap/facts.ts";
import type { PreflightContext } from "../../src/ssh/bootstrap/judge-preflight.ts";

export const CLUSTER = "c".repeat(25);
export const NOW_MS = 1_700_000_000_000;
export const context: PreflightContext = {
  clusterId: CLUSTER,
  addressPool: "10.210.0.0/16",
  published: new Map(),
  mesh: { port: 51_820, encryption: "wireguard" },
  host: "192.0.2.11",
  members: new Map([["n".repeat(25), "web-1"]]),
  wallMs: NOW_MS,
  wallErrorMs: 50,
};

/** What the script says on a sound, bare Debian 12. */
const DEBIAN_12: Readonly<Record<string, string>> = {
  time: String(NOW_MS),
  uid: "0",
  hostname: "web-1",
  os: 'PRETTY_NAME="Debian GNU/Linux 12 (bookworm)"\nVERSION_ID="12"\nID=debian',
  machine: "x86_64",
  kernel: "6.1.0-18-amd64",
  init: "systemd\nsystemd-is-running",
  features:
    "overlay yes\nbridge yes\nveth yes\nnf_tables yes\nip_tables unknown\nvxlan yes\nbr_netfilter yes\nwireguard yes",
  cgroups: "cpuset cpu io memory hugetlb pids rdma misc",
  disk: "/var/lib 20000000\n/usr 20000000\n/etc 20000000\n/run 400000",
  memory: "MemTotal: 2000000\nMemAvailable: 1500000",
  listening: "tcp 00000000:0016\ntcp 0100007F:0277\nudp 00000000:0044\ntcp 00000000000000000000000000000000:0016",
  addresses: "lo 127.0.0.1/8\neth0 192.0.2.11/24",
  routes: "eth0 192.0.2.0/24",
  packager: "/usr/bin/apt-get",
  "dpkg-audit": "",
  "dpkg-lock": "",
  candidates: "docker.io\niptables",
  docker: "inactive",
  sshd: "allowtcpforwarding yes\nallowstreamlocalforwarding yes\ndisableforwarding no\npubkeyauthentication yes\nauthorizedkeysfile .ssh/authorized_keys .ssh/authorized_keys2",
  tools: "ip",
  firewalls: "",
  user: "",
  apparmor: "",
  node: "",
  issuers: "",
  unit: "",
  "unit-active": "inactive",
  "unit-stale": "",
  keys: "",
  binary: "",
  end: "",
};

/** A sound host but for these sections of its answer. */
export function factsOf(changes: Readonly<Record<string, string>> = {}): HostFacts {
  const sections = { ...DEBIAN_12, ...changes };
  return parseFacts(
    Object.entries(sections)
      .map(([name, text]) => `=== ${name}\n${text}\n`)
      .join(""),
  );
}
