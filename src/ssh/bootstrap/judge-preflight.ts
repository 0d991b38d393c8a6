// Judges the facts of a host: which of them stand in the way of joining, and what to do about each. All at once, so that a host is repaired
// once and not ten times. A table of checks; each gives findings. Pure.

import type { HostFacts } from "./facts.ts";
import { judgeNetwork } from "./judge-network.ts";
import type { MeshSettings } from "./network-plan.ts";
import { minimumApiVersion, planEngine } from "./engine-plan.ts";
import { USER } from "../paths.ts";

/** `stops`: the join must not go on. Otherwise it is told and the join goes on. */
export type Finding = {
  readonly where: string;
  readonly stops: boolean;
  readonly message: string;
  readonly wayOut: string;
};

export type PreflightContext = {
  readonly clusterId: string;
  readonly addressPool: string;
  readonly mesh: MeshSettings;
  /** Names of the services by the ports that every node answers on for them: "tcp/8100". */
  readonly published: ReadonlyMap<string, string>;
  /** What the host is joined by, and its peers reach it by: a name or an address. */
  readonly host: string;
  /** Names of the cluster's nodes by id: a host that is one of them is not joined twice. */
  readonly members: ReadonlyMap<string, string>;
  /** The coordinator's wall clock halfway through the asking, and half of how long it took: the error of the comparison. */
  readonly wallMs: number;
  readonly wallErrorMs: number;
};

type Check = (facts: HostFacts, context: PreflightContext) => readonly Finding[];

const MIB = 1024 * 1024;
/** The agent, its state and logs; images come on top, and the engine says itself when it is full. */
const MIN_STATE_BYTES = 512 * MIB;
/** docker.io with containerd and runc takes some 300 MiB there, and the agent's binary 110 MiB, twice while it is replaced. */
const MIN_PROGRAM_BYTES = 300 * MIB;
const ENGINE_PROGRAM_BYTES = 350 * MIB;
/** Machines sold as "512 MB" show some 460 MiB. */
const MIN_MEMORY_BYTES = 440 * MIB;
/** Certificates of registries and log times go wrong beyond it; leases do not depend on it. */
const MAX_SKEW_MS = 60_000;
const NOTED_SKEW_MS = 2_000;

/** Everything that is wrong, what stops the join first. */
export function judgePreflight(facts: HostFacts, context: PreflightContext): readonly Finding[] {
  const findings = CHECKS.flatMap((check) => check(facts, context));
  return [...findings.filter((finding) => finding.stops), ...findings.filter((finding) => !finding.stops)];
}

const CHECKS: readonly Check[] = [
  checkSystem,
  checkMachine,
  checkSystemd,
  checkFeatures,
  checkCgroups,
  checkDisk,
  checkMemory,
  checkClock,
  judgeNetwork,
  checkMembership,
  checkEngine,
  checkPackager,
  checkLogin,
  checkForwarding,
];

function fault(where: string, message: string, wayOut: string): readonly Finding[] {
  return [{ where, stops: true, message, wayOut }];
}

function note(where: string, message: string, wayOut: string): readonly Finding[] {
  return [{ where, stops: false, message, wayOut }];
}

function checkSystem(facts: HostFacts): readonly Finding[] {
  const { id, version, name } = facts.os;
  const major = Number.parseInt(version, 10);
  const supported: Readonly<Record<string, boolean>> = {
    debian: major >= 12,
    ubuntu: Number.parseFloat(version) >= 22.04,
    fedora: major >= 40,
    rocky: major >= 9,
    almalinux: major >= 9,
  };
  if (supported[id] === true) return [];
  const others =
    "davit joins Debian 12 and 13, Ubuntu 22.04 and 24.04, Fedora from 40, Rocky Linux and AlmaLinux from 9";
  const reason = supported[id] === false ? `${name} is too old` : `${name} is not supported`;
  return fault("operating system", reason, supported[id] === false ? `upgrade it: ${others}` : others);
}

function checkMachine(facts: HostFacts): readonly Finding[] {
  if (facts.machine === "x86_64" || facts.machine === "aarch64") return [];
  return fault("architecture", `${facts.machine} is not supported`, "use a 64-bit host: x86_64 or aarch64");
}

function checkSystemd(facts: HostFacts): readonly Finding[] {
  if (facts.hasSystemd) return [];
  return fault(
    "systemd",
    `systemd does not run here: process 1 is ${facts.init || "unknown"}`,
    "use a host that was booted with systemd; an ordinary container is not one",
  );
}

const FEATURE_NEEDS: Readonly<Record<string, string>> = {
  overlay: "images",
  bridge: "the network of containers",
  veth: "the network of containers",
  nf_tables: "service addresses and isolation",
  vxlan: "published ports",
  br_netfilter: "isolation on one host",
};

function checkFeatures(facts: HostFacts): readonly Finding[] {
  const wayOut = "boot a kernel of the distribution, or load the module (modprobe) and name it in /etc/modules-load.d";
  const missing = Object.entries(FEATURE_NEEDS).filter(([name]) => facts.features[name] === "no");
  return missing.flatMap(([name, use]) =>
    fault("kernel", `the kernel ${facts.kernel} has no ${name}: ${use} need it`, wayOut),
  );
}

function checkCgroups(facts: HostFacts): readonly Finding[] {
  const missing = ["cpu", "memory", "pids"].filter((name) => !facts.cgroupControllers.includes(name));
  if (missing.length === 0) return [];
  const wayOut = missing.includes("memory")
    ? "add cgroup_enable=memory to the kernel's command line (on a Raspberry Pi: /boot/firmware/cmdline.txt) and reboot"
    : "boot a kernel of the distribution";
  return fault("cgroups", `the kernel offers no ${missing.join(", ")} controller`, wayOut);
}

function checkDisk(facts: HostFacts): readonly Finding[] {
  const program = MIN_PROGRAM_BYTES + (facts.docker.installed ? 0 : ENGINE_PROGRAM_BYTES);
  const needs: readonly (readonly [string, number])[] = [
    ["/var/lib", MIN_STATE_BYTES],
    ["/usr", program],
    ["/etc", MIB],
    ["/run", MIB],
  ];
  return needs.flatMap(([dir, need]) => {
    const free = facts.diskFreeBytes[dir];
    if (free === undefined || Number.isNaN(free) || free >= need) return [];
    return fault(
      "disk",
      `${dir} has ${inMib(free)} free, and ${inMib(need)} are needed`,
      `make room on the file system of ${dir} (df -h ${dir})`,
    );
  });
}

function checkMemory(facts: HostFacts): readonly Finding[] {
  if (facts.memoryBytes === 0 || facts.memoryBytes >= MIN_MEMORY_BYTES) return [];
  return fault(
    "memory",
    `the host has ${inMib(facts.memoryBytes)}, and ${inMib(MIN_MEMORY_BYTES)} are needed`,
    "give it more memory",
  );
}

function inMib(bytes: number): string {
  return `${Math.floor(bytes / MIB)} MiB`;
}

function checkClock(facts: HostFacts, context: PreflightContext): readonly Finding[] {
  const skewMs = facts.wallMs - context.wallMs;
  const certainMs = Math.abs(skewMs) - context.wallErrorMs;
  if (!(certainMs > NOTED_SKEW_MS)) return [];
  const message = `its clock is ${(Math.abs(skewMs) / 1000).toFixed(0)} s ${skewMs > 0 ? "ahead of" : "behind"} the coordinator's`;
  const wayOut = "switch time synchronisation on, here and there (timedatectl set-ntp true)";
  return certainMs > MAX_SKEW_MS ? fault("clock", message, wayOut) : note("clock", message, wayOut);
}

function checkMembership(facts: HostFacts, context: PreflightContext): readonly Finding[] {
  const node = parseNode(facts.installed.node);
  if (node === undefined) return [];
  if (node.clusterId !== context.clusterId) {
    return fault(
      "membership",
      `the host is node ${node.nodeName} of another davit cluster (${node.clusterId.slice(0, 8)})`,
      "remove it there first (davit node rm), or delete /etc/davit/node.json here if that cluster is gone",
    );
  }
  const name = context.members.get(node.nodeId);
  if (name === undefined) return [];
  return fault(
    "membership",
    `the host is already node ${name} of this cluster`,
    `use \`davit node update ${name} --address\` if its address changed, or remove it first (davit node rm ${name})`,
  );
}

/** What node.json says; undefined if there is none, or if a cut left half of one. */
export function parseNode(text: string): { clusterId: string; nodeId: string; nodeName: string } | undefined {
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value !== "object" || value === null || !("clusterId" in value) || !("nodeId" in value))
      return undefined;
    const nodeName = "nodeName" in value ? String(value.nodeName) : "?";
    return { clusterId: String(value.clusterId), nodeId: String(value.nodeId), nodeName };
  } catch {
    return undefined;
  }
}

function checkEngine(facts: HostFacts): readonly Finding[] {
  const { installed, version, apiVersion } = facts.docker;
  if (installed) {
    if (apiVersion === undefined || isAtLeast(apiVersion, minimumApiVersion)) return [];
    return fault(
      "engine",
      `Docker ${version ?? ""} is too old: its API is ${apiVersion}, and ${minimumApiVersion} is needed`,
      "upgrade Docker to 20.10 or later",
    );
  }
  const plan = planEngine(facts);
  return plan.kind === "impossible" ? fault("engine", plan.message, plan.wayOut) : [];
}

function isAtLeast(version: string, minimum: string): boolean {
  const [major = 0, minor = 0] = version.split(".").map(Number);
  const [wantedMajor = 0, wantedMinor = 0] = minimum.split(".").map(Number);
  return major > wantedMajor || (major === wantedMajor && minor >= wantedMinor);
}

function checkPackager(facts: HostFacts): readonly Finding[] {
  if (facts.docker.installed || facts.packager !== "apt") return [];
  const findings: Finding[] = [];
  if (facts.dpkgAudit !== "") {
    findings.push(
      ...note(
        "packages",
        "an installation of packages was interrupted here",
        "nothing to do: it is finished first (dpkg --configure -a)",
      ),
    );
  }
  if (facts.dpkgLockHolder !== "") {
    const holder = facts.dpkgLockHolder.split("\n")[0] ?? "";
    findings.push(
      ...note("packages", `another process is installing packages: ${holder}`, "nothing to do: the join waits for it"),
    );
  }
  return findings;
}

function checkLogin(facts: HostFacts): readonly Finding[] {
  const { sshd } = facts;
  const reload = "then reload it (systemctl reload ssh)";
  const findings: Finding[] = [];
  const lists = (name: string): readonly string[] => (sshd[name] ?? []).filter((word) => word !== "none");
  if (lists("allowusers").length > 0 && !lists("allowusers").some((pattern) => matchesUser(pattern))) {
    findings.push(
      ...fault(
        "sshd",
        `sshd lets in only ${lists("allowusers").join(", ")} (AllowUsers)`,
        `add ${USER} to AllowUsers in /etc/ssh/sshd_config, ${reload}`,
      ),
    );
  }
  if (lists("denyusers").some((pattern) => matchesUser(pattern))) {
    findings.push(
      ...fault(
        "sshd",
        `sshd refuses the user ${USER} (DenyUsers)`,
        `take ${USER} out of DenyUsers in /etc/ssh/sshd_config, ${reload}`,
      ),
    );
  }
  const groups = facts.userGroups.length > 0 ? facts.userGroups : [USER];
  if (lists("allowgroups").length > 0 && !lists("allowgroups").some((group) => groups.includes(group))) {
    findings.push(
      ...fault(
        "sshd",
        `sshd lets in only the groups ${lists("allowgroups").join(", ")} (AllowGroups)`,
        `add the group ${USER} to AllowGroups in /etc/ssh/sshd_config, ${reload}`,
      ),
    );
  }
  if (sshd["pubkeyauthentication"]?.[0] === "no") {
    findings.push(
      ...fault(
        "sshd",
        "sshd takes no keys (PubkeyAuthentication no)",
        `set PubkeyAuthentication yes for the user ${USER}, ${reload}`,
      ),
    );
  }
  if (sshd["authorizedkeysfile"]?.[0] === "none") {
    findings.push(
      ...fault(
        "sshd",
        "sshd reads no authorized keys (AuthorizedKeysFile none)",
        `set AuthorizedKeysFile .ssh/authorized_keys for the user ${USER}, ${reload}`,
      ),
    );
  }
  return findings;
}

/** AllowUsers patterns may be user@host; the host part cannot be judged from here. */
function matchesUser(pattern: string): boolean {
  const user = pattern.split("@")[0] ?? "";
  return user === "*" || user === USER;
}

function checkForwarding(facts: HostFacts): readonly Finding[] {
  const { sshd } = facts;
  const all = sshd["disableforwarding"]?.[0] === "yes";
  const sockets = all || ["no", "remote"].includes(sshd["allowstreamlocalforwarding"]?.[0] ?? "yes");
  const tcp = all || ["no", "remote"].includes(sshd["allowtcpforwarding"]?.[0] ?? "yes");
  const findings: Finding[] = [];
  if (sockets) {
    findings.push(
      ...note(
        "sshd",
        "sshd forbids forwarding to sockets: each stream to the agent takes a session instead, at most 8 at once",
        "set AllowStreamLocalForwarding yes (or local) to lift the limit",
      ),
    );
  }
  if (tcp) {
    findings.push(
      ...note(
        "sshd",
        "sshd forbids TCP forwarding: other nodes cannot be tried through this one before they count as lost",
        "set AllowTcpForwarding yes (or local)",
      ),
    );
  }
  return findings;
}
