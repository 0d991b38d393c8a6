// Which ports something listens on, from /proc/net, and who it is. Processes are looked up only when a name is needed.

import { readdirSync, readFileSync, readlinkSync } from "node:fs";
import type { Listener } from "../../../src/core/model/records.ts";

/** `address`: dotted IPv4, "any" for all addresses, else the kernel's hex text. */
type Found = { readonly port: string; readonly address: string; readonly inode: string };

const TABLES = [
  { file: "/proc/net/tcp", protocol: "tcp" },
  { file: "/proc/net/tcp6", protocol: "tcp" },
  { file: "/proc/net/udp", protocol: "udp" },
  { file: "/proc/net/udp6", protocol: "udp" },
] as const;
/** Socket states that mean "bound and waiting": TCP_LISTEN, and TCP_CLOSE for an unconnected UDP socket. */
const WAITING = { tcp: "0A", udp: "07" } as const;

/** Each listening socket in a /proc/net table, its port as "22/tcp". */
export function parseListeners(table: string, protocol: "tcp" | "udp"): readonly Found[] {
  const listeners: Found[] = [];
  for (const line of table.split("\n").slice(1)) {
    const fields = line.trim().split(/\s+/);
    const [address = "", hexPort = ""] = (fields[1] ?? "").split(":");
    if (fields[3] !== WAITING[protocol]) continue;
    const port = `${Number.parseInt(hexPort, 16)}/${protocol}`;
    listeners.push({ port, address: readAddress(address), inode: fields[9] ?? "" });
  }
  return listeners;
}

/** IPv4 in the clothes of IPv6: sockets of programs that know IPv6 only. */
const MAPPED = "0000000000000000FFFF0000";

/** The kernel writes addresses as 32-bit words in host order: "0100007F" is 127.0.0.1. */
function readAddress(hex: string): string {
  if (/^0+$/.test(hex)) return "any";
  if (hex.length === 32 && hex.startsWith(MAPPED)) return readAddress(hex.slice(MAPPED.length));
  if (hex.length !== 8) return hex;
  return (hex.match(/../g) ?? [])
    .toReversed()
    .map((byte) => Number.parseInt(byte, 16))
    .join(".");
}

function isLoopback(address: string): boolean {
  return address.startsWith("127.") || address === "00000000000000000000000001000000";
}

function readListeners(): readonly Found[] {
  return TABLES.flatMap(({ file, protocol }) => {
    try {
      return parseListeners(readFileSync(file, "utf8"), protocol);
    } catch {
      // a kernel without IPv6 has no such table
      return [];
    }
  });
}

/** Every port that is listened on beyond loopback, as the coordinator's planner names it, "tcp/22", sorted; without those in `own` ("8080/tcp"). */
export function listeningPorts(own: ReadonlySet<string>): readonly string[] {
  const ports = new Set(
    readListeners()
      .filter((listener) => !isLoopback(listener.address))
      .map((listener) => listener.port),
  );
  return [...ports]
    .filter((port) => !own.has(port))
    .map((port) => port.split("/").toReversed().join("/"))
    .toSorted();
}

/** Everything that listens for IPv4, with its process; without ports in `own` ("8080/tcp"). Who it is is looked up once for each socket. */
export class ListenerReader {
  #known: ReadonlyMap<string, string | undefined> = new Map();

  read(own: ReadonlySet<string>): readonly Listener[] {
    const found = readListeners().filter(({ port, address }) => !own.has(port) && !isOfIpv6(address));
    const known = new Map(
      found.map(({ inode }) => [inode, this.#known.has(inode) ? this.#known.get(inode) : processOf(inode)] as const),
    );
    this.#known = known;
    const all = found.map(({ port, address, inode }) => listenerOf(port, address, known.get(inode)));
    // one for IPv4 and one for IPv6, or one for each thread, are one to whoever is told
    return [...new Map(all.map((one) => [JSON.stringify(one), one])).values()].sort(byPort);
  }
}

function listenerOf(text: string, address: string, process: string | undefined): Listener {
  const [port, protocol] = text.split("/");
  return {
    protocol: protocol === "udp" ? "udp" : "tcp",
    port: Number(port),
    ...(address === "any" ? {} : { address }),
    ...(process === undefined ? {} : { process }),
  };
}

function byPort(a: Listener, b: Listener): number {
  return a.port - b.port || (JSON.stringify(a) < JSON.stringify(b) ? -1 : 1);
}

function isOfIpv6(address: string): boolean {
  return address !== "any" && !address.includes(".");
}

/** Whether publishing on `hostIp` (absent: on all addresses) collides with a listener on `address`. Any listener bars "all addresses". */
export function isInTheWay(address: string, hostIp: string | undefined): boolean {
  const isWide = hostIp === undefined || hostIp === "" || hostIp === "0.0.0.0" || hostIp === "::";
  return isWide || address === "any" || address === hostIp;
}

/** Takes one look at the listening sockets; the function it gives says who holds a port, or undefined when nobody does. */
export function lookAtPorts(): (port: string, hostIp?: string) => string | undefined {
  const listeners = readListeners();
  return (port, hostIp) => {
    const found = listeners.find((listener) => listener.port === port && isInTheWay(listener.address, hostIp));
    return found === undefined ? undefined : (processOf(found.inode) ?? "another process");
  };
}

/** "sshd (pid 412)", by what has the socket open. */
function processOf(inode: string): string | undefined {
  const wanted = `socket:[${inode}]`;
  const pids = readdirSync("/proc").filter((name) => /^\d+$/.test(name));
  const pid = pids.find((id) => descriptorsOf(id).some((descriptor) => isLinkTo(descriptor, wanted)));
  if (pid === undefined) return undefined;
  return `${ifStillThere(() => readFileSync(`/proc/${pid}/comm`, "utf8").trim()) ?? "a process"} (pid ${pid})`;
}

function descriptorsOf(pid: string): readonly string[] {
  return ifStillThere(() => readdirSync(`/proc/${pid}/fd`).map((name) => `/proc/${pid}/fd/${name}`)) ?? [];
}

function isLinkTo(path: string, target: string): boolean {
  return ifStillThere(() => readlinkSync(path)) === target;
}

/** Processes end and close files while they are looked at: one that did hides nothing of the others. */
function ifStillThere<Result>(look: () => Result): Result | undefined {
  try {
    return look();
  } catch {
    return undefined;
  }
}
