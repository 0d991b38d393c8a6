// Plans how a host gets its container engine: used as it is, started, or installed from the host's own package manager. Pure.

import type { HostFacts } from "./facts.ts";

/** Docker 20.10: the first with all that davit asks of it. */
export const minimumApiVersion = "1.41";

export type EnginePlan =
  | { readonly kind: "present"; readonly version: string }
  | { readonly kind: "start" }
  | {
      readonly kind: "install";
      readonly with: "apt" | "dnf";
      readonly packages: readonly string[];
      /** The lists are missing, and come first. */ readonly refresh: boolean;
    }
  | { readonly kind: "impossible"; readonly message: string; readonly wayOut: string };

/** What to do on a host with these facts. */
export function planEngine(facts: HostFacts): EnginePlan {
  const { docker } = facts;
  if (docker.installed)
    return docker.active ? { kind: "present", version: docker.version ?? "of unknown version" } : { kind: "start" };
  if (facts.packager === "apt")
    return {
      kind: "install",
      with: "apt",
      packages: aptPackages(facts),
      refresh: !facts.candidates.includes("docker.io"),
    };
  if (facts.packager === "dnf") return planDnf(facts);
  return {
    kind: "impossible",
    message: "Docker is not installed, and the host has neither apt nor dnf to install it with",
    wayOut: "install Docker 20.10 or later by hand, then join again",
  };
}

/** Recommended packages are left out, so what containers need of them is named: certificates to pull, the parser where AppArmor is on. */
function aptPackages(facts: HostFacts): readonly string[] {
  const client = facts.os.id === "debian" && Number.parseInt(facts.os.version, 10) >= 13 ? ["docker-cli"] : [];
  const appArmor = facts.appArmor.enabled && !facts.appArmor.parser ? ["apparmor"] : [];
  return ["docker.io", ...client, "iptables", "ca-certificates", ...appArmor];
}

/** Fedora has Moby of its own; Rocky and Alma have it only with Docker's repository. */
function planDnf(facts: HostFacts): EnginePlan {
  const offered = new Set(facts.candidates);
  const client = offered.has("docker-cli") ? ["docker-cli"] : [];
  if (offered.has("moby-engine"))
    return { kind: "install", with: "dnf", packages: ["moby-engine", ...client], refresh: false };
  if (offered.has("docker-ce"))
    return {
      kind: "install",
      with: "dnf",
      packages: ["docker-ce", "docker-ce-cli", "containerd.io"],
      refresh: false,
    };
  return {
    kind: "impossible",
    message: `no repository of ${facts.os.name} offers Docker`,
    wayOut:
      "add Docker's repository (dnf config-manager --add-repo), or install Docker 20.10 or later by hand, then join again",
  };
}

/** Packages to install, of the engine or of anything else. */
export type Installation = Pick<Extract<EnginePlan, { kind: "install" }>, "with" | "packages" | "refresh">;

/** The command that refreshes the package lists; undefined where installing does it itself. */
export function refreshArgv(plan: Pick<Installation, "with">): readonly string[] | undefined {
  return plan.with === "apt" ? ["apt-get", "-q", "-o", "Acquire::Retries=3", "update"] : undefined;
}

/** The command that installs. A lock that another process takes in between is waited for. */
export function installArgv(plan: Pick<Installation, "with" | "packages">): readonly string[] {
  if (plan.with === "dnf") return ["dnf", "-y", "--setopt=install_weak_deps=False", "install", ...plan.packages];
  const options =
    "-q -y --no-install-recommends -o DPkg::Lock::Timeout=300 -o Dpkg::Options::=--force-confold -o Acquire::Retries=3";
  return ["apt-get", ...options.split(" "), "install", ...plan.packages];
}

/** What davit writes to /etc/docker/daemon.json where it installed the engine: containers outlive the daemon's restarts, logs end somewhere. */
export const DAEMON_CONFIG = `${JSON.stringify(
  {
    "live-restore": true,
    "log-driver": "json-file",
    "log-opts": { "max-size": "10m", "max-file": "3" },
  },
  null,
  2,
)}\n`;
