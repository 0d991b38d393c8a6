// What a host must have for the network between nodes besides its engine: programs from its own package manager, and a way through a firewall
// that it runs itself. Pure.

import type { HostFacts } from "./facts.ts";

/** A program that the agent runs, and the packages that bring it. */
type Tool = { readonly program: string; readonly apt: string; readonly dnf: string };

const TOOLS: readonly Tool[] = [
  { program: "ip", apt: "iproute2", dnf: "iproute" },
  { program: "nft", apt: "nftables", dnf: "nftables" },
  { program: "wg", apt: "wireguard-tools", dnf: "wireguard-tools" },
  { program: "conntrack", apt: "conntrack", dnf: "conntrack-tools" },
  { program: "haproxy", apt: "haproxy", dnf: "haproxy" },
];
/** Encrypts where the kernel cannot. */
const WIREGUARD_GO: Tool = { program: "wireguard-go", apt: "wireguard-go", dnf: "" };

/** All programs that the preflight looks for. */
export const TOOL_PROGRAMS: readonly string[] = [...TOOLS, WIREGUARD_GO].map(({ program }) => program);

export type ToolPlan =
  | { readonly kind: "present" }
  | { readonly kind: "install"; readonly with: "apt" | "dnf"; readonly packages: readonly string[] }
  | { readonly kind: "impossible"; readonly message: string; readonly wayOut: string };

/** Packages that are missing. Encryption by the kernel is certain only where its module was found. */
export function planTools(facts: HostFacts): ToolPlan {
  const needsProgram = facts.features["wireguard"] !== "yes";
  const missing = [...TOOLS, ...(needsProgram ? [WIREGUARD_GO] : [])].filter(
    ({ program }) => !facts.tools.includes(program),
  );
  const { packager } = facts;
  if (missing.length === 0) return { kind: "present" };
  if (packager === undefined)
    return {
      kind: "impossible",
      message: `${missing.map(({ program }) => program).join(", ")} missing, and the host has neither apt nor dnf to install it with`,
      wayOut: "install it by hand, then join again",
    };
  const nowhere = missing.find((tool) => tool[packager] === "");
  if (nowhere !== undefined)
    return {
      kind: "impossible",
      message: `the kernel ${facts.kernel} has no WireGuard, and ${facts.os.name} has no package of ${nowhere.program}`,
      wayOut: "boot a kernel of the distribution (its module is in kernel-modules), or install wireguard-go by hand",
    };
  return { kind: "install", with: packager, packages: missing.map((tool) => tool[packager]) };
}

/** Comment of our rules in ufw, and name of our service in firewalld: the removal finds them by it. */
export const FIREWALL_NAME = "davit-mesh";

/** Of the cluster: how its nodes talk to each other. */
export type MeshSettings = { readonly port: number; readonly encryption: "wireguard" | "off" };

export type FirewallPlan = {
  /** "ufw", "firewalld" */
  readonly firewall: string;
  /** What is opened, in words. */
  readonly opened: string;
  readonly commands: readonly (readonly string[])[];
};

/**
 * Rules of the host's own firewall, so that they stand in its own lists and survive its reloads: the mesh's port from anywhere; from the
 * mesh's links all, which are filtered by davit's own rules; names from the bridge. Undefined where no firewall is active.
 */
export function planFirewall(facts: HostFacts, mesh: MeshSettings): FirewallPlan | undefined {
  const port = mesh.encryption === "wireguard" ? mesh.port : TUNNEL_PORT;
  const opened = `port ${port}/udp for the mesh, what comes by the mesh's own links, and names (port 53) for containers`;
  if (facts.firewalls.includes("ufw")) {
    const comment = ["comment", FIREWALL_NAME];
    return {
      firewall: "ufw",
      opened,
      commands: [
        ["ufw", "allow", `${port}/udp`, ...comment],
        ...LINKS.map((link) => ["ufw", "allow", "in", "on", link, ...comment]),
        ["ufw", "allow", "in", "on", BRIDGE, "to", "any", "port", "53", ...comment],
      ],
    };
  }
  if (!facts.firewalls.includes("firewalld")) return undefined;
  // the permanent rules and those in force are two lists; a reload would make them one, and take the engine's rules with it
  const both = (...argv: readonly string[]): readonly (readonly string[])[] => [
    ["firewall-cmd", "--quiet", ...argv],
    ["firewall-cmd", "--quiet", "--permanent", ...argv],
  ];
  return {
    firewall: "firewalld",
    opened,
    commands: [
      ...both(`--add-port=${port}/udp`),
      ...LINKS.flatMap((link) => both("--zone=trusted", `--change-interface=${link}`)),
    ],
  };
}

const LINKS = ["davit-wg", "davit-vx"];
const BRIDGE = "davit0";
/** Without encryption the nodes' packets are the tunnel's own. */
export const TUNNEL_PORT = 7_373;
