// Reads the answer of the preflight script into facts. Nothing is judged here: what a fact means is in judge-preflight.ts. Pure.

import { DavitError } from "../../core/model/errors.ts";

export type Feature = "yes" | "no" | "unknown";

export type HostFacts = {
  readonly hostName: string;
  readonly isRoot: boolean;
  /** The host's wall clock when it was asked, in milliseconds. */
  readonly wallMs: number;
  readonly os: {
    readonly id: string;
    readonly like: readonly string[];
    readonly version: string;
    readonly name: string;
  };
  /** As uname says: "x86_64", "aarch64". */
  readonly machine: string;
  readonly kernel: string;
  readonly init: string;
  readonly hasSystemd: boolean;
  readonly features: Readonly<Record<string, Feature>>;
  readonly cgroupControllers: readonly string[];
  /** Free bytes by directory. */
  readonly diskFreeBytes: Readonly<Record<string, number>>;
  readonly memoryBytes: number;
  /** "tcp/22", sorted; loopback-only ports are left out. */
  readonly listening: readonly string[];
  /** IPv4 networks on links other than davit's own. */
  readonly networks: readonly { readonly link: string; readonly cidr: string }[];
  readonly packager: "apt" | "dnf" | undefined;
  readonly dpkgAudit: string;
  readonly dpkgLockHolder: string;
  /** Packages of the engine that the configured repositories offer. */
  readonly candidates: readonly string[];
  /** `apiVersion` only where the daemon answered. */
  readonly docker: {
    readonly installed: boolean;
    readonly active: boolean;
    readonly version?: string;
    readonly apiVersion?: string;
    readonly byDavit: boolean;
  };
  /** Programs of the network that are there: "nft", "wg". */
  readonly tools: readonly string[];
  /** Firewalls of the host's own that are in force: "ufw", "firewalld". */
  readonly firewalls: readonly string[];
  /** Effective settings of sshd for the user davit, by lower-case name; empty when it could not be asked. */
  readonly sshd: Readonly<Record<string, readonly string[]>>;
  readonly userGroups: readonly string[];
  /** AppArmor is on in the kernel; the engine then needs its parser. */
  readonly appArmor: { readonly enabled: boolean; readonly parser: boolean };
  readonly installed: {
    readonly node: string;
    readonly issuers: string;
    readonly unit: string;
    readonly unitActive: boolean;
    /** What the agent runs from is newer than the agent: a join was cut before it restarted it. */
    readonly unitStale: boolean;
    readonly authorizedKeys: string;
    /** Hex SHA-256 of the agent's binary; empty without one. */
    readonly binarySha256: string;
  };
};

/** Throws `ssh_failed` when the answer is cut short. */
export function parseFacts(output: string): HostFacts {
  const sections = splitSections(output);
  if (!sections.has("end"))
    throw new DavitError("ssh_failed", "check host: its answer was cut short", {
      wayOut: "try again",
    });
  const lines = (name: string): readonly string[] =>
    (sections.get(name) ?? "").split("\n").filter((line) => line.trim() !== "");
  const text = (name: string): string => (sections.get(name) ?? "").trim();
  const packagers = lines("packager").map((line) => line.split("/").at(-1));
  return {
    hostName: text("hostname"),
    isRoot: text("uid") === "0",
    wallMs: Number(text("time")),
    os: parseOs(lines("os")),
    machine: text("machine"),
    kernel: text("kernel"),
    init: lines("init")[0] ?? "",
    hasSystemd: lines("init").includes("systemd-is-running"),
    features: parseFeatures(lines("features")),
    cgroupControllers: text("cgroups").split(/\s+/),
    diskFreeBytes: Object.fromEntries(
      lines("disk")
        .map((line) => pairOf(line))
        .map(([dir, free]) => [dir, Number(free) * 1024]),
    ),
    memoryBytes:
      Number(
        lines("memory")
          .find((line) => line.startsWith("MemTotal"))
          ?.split(/\s+/)[1] ?? 0,
      ) * 1024,
    listening: parseListening(lines("listening")),
    networks: [...lines("addresses"), ...lines("routes")]
      .map((line) => pairOf(line))
      .map(([link, cidr]) => ({ link, cidr })),
    packager: packagers.includes("apt-get") ? "apt" : packagers.includes("dnf") ? "dnf" : undefined,
    dpkgAudit: text("dpkg-audit"),
    dpkgLockHolder: text("dpkg-lock"),
    candidates: lines("candidates").map((line) => line.trim()),
    docker: parseDocker(lines("docker")),
    tools: lines("tools"),
    firewalls: lines("firewalls"),
    sshd: parseSshd(lines("sshd")),
    userGroups: text("user").split(/\s+/).filter(Boolean),
    appArmor: {
      enabled: lines("apparmor")[0] === "Y",
      parser: lines("apparmor").some((line) => line.endsWith("apparmor_parser")),
    },
    installed: {
      node: text("node"),
      issuers: text("issuers"),
      unit: text("unit"),
      unitActive: text("unit-active") === "active",
      unitStale: text("unit-stale") !== "",
      authorizedKeys: text("keys"),
      binarySha256: text("binary"),
    },
  };
}

function splitSections(output: string): ReadonlyMap<string, string> {
  const parts = output.split(/^=== (.*)$/m).slice(1);
  const sections = new Map<string, string>();
  for (let at = 0; at + 1 < parts.length; at += 2) sections.set((parts[at] ?? "").trim(), parts[at + 1] ?? "");
  return sections;
}

function pairOf(line: string): readonly [string, string] {
  const [first = "", second = ""] = line.trim().split(/\s+/);
  return [first, second];
}

function parseOs(lines: readonly string[]): HostFacts["os"] {
  const values = new Map(
    lines.map((line) => [
      line.slice(0, line.indexOf("=")),
      line.slice(line.indexOf("=") + 1).replace(/^["']|["']$/g, ""),
    ]),
  );
  const id = values.get("ID") ?? "unknown";
  return {
    id,
    like: (values.get("ID_LIKE") ?? "").split(" ").filter((word) => word !== ""),
    version: values.get("VERSION_ID") ?? "",
    name: values.get("PRETTY_NAME") ?? id,
  };
}

function parseFeatures(lines: readonly string[]): Readonly<Record<string, Feature>> {
  const pairs = lines.map((line) => pairOf(line));
  return Object.fromEntries(
    pairs.map(([name, answer]) => [name, answer === "yes" || answer === "no" ? answer : "unknown"]),
  );
}

/** Lines "tcp 0100007F:0016" of /proc/net: the address in hex as the CPU holds it, then the port. */
function parseListening(lines: readonly string[]): readonly string[] {
  const ports = lines.flatMap((line) => {
    const [protocol, local] = pairOf(line);
    const [address = "", port = ""] = local.split(":");
    const isLoopback = /^[0-9A-F]{6}7F$/.test(address) || address === "00000000000000000000000001000000";
    return isLoopback ? [] : [`${protocol}/${Number.parseInt(port, 16)}`];
  });
  return [...new Set(ports)].toSorted();
}

function parseDocker(lines: readonly string[]): HostFacts["docker"] {
  const answer = lines.find((line) => line.startsWith("server ") || line.startsWith("program "))?.split(" ");
  const [, version, apiVersion] = answer ?? [];
  return {
    installed: lines.some((line) => line.endsWith("/dockerd")) || apiVersion !== undefined,
    active: lines.includes("active") || apiVersion !== undefined,
    byDavit: lines.includes("by-davit"),
    ...(version === undefined ? {} : { version }),
    ...(apiVersion === undefined ? {} : { apiVersion }),
  };
}

/** AllowUsers and the like give one line per value. */
function parseSshd(lines: readonly string[]): HostFacts["sshd"] {
  const settings: Record<string, string[]> = {};
  for (const line of lines) {
    const [name = "", ...values] = line.trim().split(/\s+/);
    settings[name] = [...(settings[name] ?? []), ...values];
  }
  return settings;
}
