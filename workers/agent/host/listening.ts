// Which ports something listens on, from /proc/net, and who it is. Processes are looked up only when a name is needed.

import { readdirSync, readFileSync, readlinkSync } from "node:fs";

type Listener = { readonly port: string; readonly inode: string };

const TABLES = [
  { file: "/proc/net/tcp", protocol: "tcp" },
  { file: "/proc/net/tcp6", protocol: "tcp" },
  { file: "/proc/net/udp", protocol: "udp" },
  { file: "/proc/net/udp6", protocol: "udp" },
] as const;
/** Socket states that mean "bound and waiting": TCP_LISTEN, and TCP_CLOSE for an unconnected UDP socket. */
const WAITING = { tcp: "0A", udp: "07" } as const;

/** "22/tcp" of each listening socket in a /proc/net table, loopback-only ones left out. */
export function parseListeners(table: string, protocol: "tcp" | "udp"): readonly Listener[] {
  const listeners: Listener[] = [];
  for (const line of table.split("\n").slice(1)) {
    const fields = line.trim().split(/\s+/);
    const [address = "", hexPort = ""] = (fields[1] ?? "").split(":");
    if (fields[3] !== WAITING[protocol] || isLoopback(address)) continue;
    listeners.push({ port: `${Number.parseInt(hexPort, 16)}/${protocol}`, inode: fields[9] ?? "" });
  }
  return listeners;
}

/** 127.0.0.0/8 and ::1, as the kernel writes them: words in host order. */
function isLoopback(address: string): boolean {
  return (address.length === 8 && address.endsWith("7F")) || address === "00000000000000000000000001000000";
}

function readListeners(): readonly Listener[] {
  return TABLES.flatMap(({ file, protocol }) => {
    try {
      return parseListeners(readFileSync(file, "utf8"), protocol);
    } catch {
      // a kernel without IPv6 has no such table
      return [];
    }
  });
}

/** Every listening port as the coordinator's planner names it, "tcp/22", sorted; without those in `own` ("8080/tcp"). */
export function listeningPorts(own: ReadonlySet<string>): readonly string[] {
  const ports = new Set(readListeners().map((listener) => listener.port));
  return [...ports]
    .filter((port) => !own.has(port))
    .map((port) => port.split("/").toReversed().join("/"))
    .toSorted();
}

/** Takes one look at the listening sockets; the function it gives says who holds a port, or undefined when nobody does. */
export function lookAtPorts(): (port: string) => string | undefined {
  const listeners = new Map(readListeners().map((listener) => [listener.port, listener.inode]));
  return (port) => {
    const inode = listeners.get(port);
    return inode === undefined ? undefined : (processOf(inode) ?? "another process");
  };
}

function processOf(inode: string): string | undefined {
  const wanted = `socket:[${inode}]`;
  for (const pid of readdirSync("/proc")) {
    if (!/^\d+$/.test(pid)) continue;
    try {
      for (const descriptor of readdirSync(`/proc/${pid}/fd`)) {
        if (readlinkSync(`/proc/${pid}/fd/${descriptor}`) !== wanted) continue;
        return `${readFileSync(`/proc/${pid}/comm`, "utf8").trim()} (pid ${pid})`;
      }
    } catch {
      // the process ended while it was looked at
    }
  }
  return undefined;
}
