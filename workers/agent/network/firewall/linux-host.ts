// The firewall part's host as it is: nft, ip, bridge, iptables, and the kernel's files.

import { readdir, readFile, writeFile } from "node:fs/promises";
import { DavitError, reasonOf } from "../../../../src/core/model/errors.ts";
import type { Clock } from "../../../../src/ports/clock.ts";
import { BRIDGE } from "../../plan/types.ts";
import { MESH_LINK, TUNNEL_LINK } from "../mesh/names.ts";
import { type HostCommand, mustRun } from "../run-command.ts";
import { type EngineFirewall, IPTABLES_PROGRAMS, type IptablesProgram } from "./engine-accept.ts";
import type { Places } from "./facts.ts";
import type { FirewallHost } from "./firewall-host.ts";
import { SERVICE_ROUTE_PROTOCOL } from "./names.ts";
import { RulesetWatch } from "./ruleset-watch.ts";

const BRIDGED_PACKETS = "/proc/sys/net/bridge/bridge-nf-call-iptables";
const TIME_WAIT = "/proc/sys/net/netfilter/nf_conntrack_tcp_timeout_time_wait";
/** Sooner than any client comes back to a port: one with 28,000 of them that makes 3,000 connections a second needs nine. */
const TIME_WAIT_SECONDS = 5;
const PORTS = `/sys/class/net/${BRIDGE}/brif`;
/** Asking the old backend would make its tables, which then stand beside the new ones for good: only where it is in use. */
const LEGACY_TABLES = "/proc/net/ip_tables_names";
/** A table of thousands of services, on a machine that is busy. */
const LOAD_TIMEOUT_MS = 30_000;

export class LinuxHost implements FirewallHost {
  readonly #run: HostCommand;
  readonly #clock: Clock;

  constructor(run: HostCommand, clock: Clock) {
    this.#run = run;
    this.#clock = clock;
  }

  load(rules: string): Promise<string | undefined> {
    return loadRules(this.#run, rules);
  }

  async tables(): Promise<ReadonlySet<string>> {
    const tables = await mustRun(this.#run, "look at packet rules", ["nft", "list", "tables"]);
    return new Set(tables.split("\n").map((line) => line.replace("table ", "")));
  }

  async requireBridgedPackets(): Promise<void> {
    if ((await read(BRIDGED_PACKETS)) === "1") return;
    await this.#run(["modprobe", "br_netfilter"]);
    const fault = await write(BRIDGED_PACKETS, "1");
    if ((await read(BRIDGED_PACKETS)) === "1") return;
    throw new DavitError(
      "unavailable",
      `guard containers of one host from each other: net.bridge.bridge-nf-call-iptables is not 1${fault === undefined ? "" : `: ${fault}`}`,
      { wayOut: "load the kernel's module br_netfilter on the host: modprobe br_netfilter" },
    );
  }

  bridge(): Promise<string | undefined> {
    return read(`/sys/class/net/${BRIDGE}/ifindex`);
  }

  /**
   * Replies to the host's own loopback are let in. Programs of the host get as far as the rule that leads them to an endpoint; the link that
   * the route names is never used, and is not the bridge, or the kernel would tell containers to look for services on it themselves.
   * All of it is for hosts without a container, too: they have no bridge, and speak as nodes.
   */
  async prepareLinks(places: Places, hasBridge: boolean): Promise<void> {
    const links = [BRIDGE, MESH_LINK, TUNNEL_LINK];
    await Promise.all(links.map((link) => write(`/proc/sys/net/ipv4/conf/${link}/route_localnet`, "1")));
    const own = hasBridge ? places.gateway : places.self.meshAddress;
    const route = [places.servicePool, "dev", "lo", "src", own, "proto", String(SERVICE_ROUTE_PROTOCOL)];
    await this.must("lead the host to services' addresses", ["ip", "-4", "route", "replace", ...route]);
  }

  async forgetBridge(): Promise<void> {
    await this.#run(["ip", "-4", "route", "flush", "proto", String(SERVICE_ROUTE_PROTOCOL)]);
  }

  /** Without it a container that calls its own service and is chosen itself gets no answer, and the kernel has no default for it. */
  async setHairpin(): Promise<void> {
    const ports = await portsWithoutHairpin();
    if (ports.length === 0) return;
    const batch = ports.map((port) => `link set dev ${port} hairpin on\n`).join("");
    const end = await this.#run(["bridge", "-force", "-batch", "-"], { stdin: batch });
    // a container that ended meanwhile took its port with it: the others were set all the same
    if (end.exitCode === 0 || (await portsWithoutHairpin()).length === 0) return;
    throw new DavitError("unavailable", `let containers call themselves: ${end.stderr.trim()}`);
  }

  /**
   * The engine clears the table when a container ends: it reads all of it, and then names what it deletes by ports and number. A client that comes
   * back to one of these ports meanwhile has an entry in the same place, with the same number, and would lose its connection.
   */
  async shortenTimeWait(): Promise<string | undefined> {
    return Number(await read(TIME_WAIT)) <= TIME_WAIT_SECONDS ? undefined : write(TIME_WAIT, String(TIME_WAIT_SECONDS));
  }

  async engineFirewall(): Promise<EngineFirewall> {
    const legacyTables = (await read(LEGACY_TABLES)) ?? "";
    const isAsked = (program: string): boolean => program !== "iptables-legacy" || legacyTables.includes("filter");
    const programs = IPTABLES_PROGRAMS.filter(isAsked);
    const [bridges, ...chains] = await Promise.all([
      this.#run(["nft", "list", "chain", "ip", "docker-bridges", "filter-FORWARD"]),
      ...programs.map((program) => this.#run([program, "-w", "5", "-S", "DOCKER-USER"])),
    ]);
    const dockerUser: Partial<Record<IptablesProgram, string>> = {};
    for (const [at, program] of programs.entries()) {
      const end = chains[at];
      if (end?.exitCode === 0) dockerUser[program] = end.stdout;
    }
    return { dockerUser, ...(bridges.exitCode === 0 ? { bridgesTable: bridges.stdout } : {}) };
  }

  async must(doing: string, argv: readonly string[]): Promise<void> {
    await mustRun(this.#run, doing, argv);
  }

  watch(onChange: () => void): RulesetWatch {
    const watch = new RulesetWatch(this.#clock, onChange);
    watch.start();
    return watch;
  }
}

/** Hands a text to the kernel as one transaction; what was said against it. */
export async function loadRules(run: HostCommand, rules: string): Promise<string | undefined> {
  const end = await run(["nft", "-f", "-"], { stdin: rules, timeoutMs: LOAD_TIMEOUT_MS });
  return end.exitCode === 0 ? undefined : end.stderr.trim().slice(0, 1_000) || `exit code ${end.exitCode}`;
}

async function portsWithoutHairpin(): Promise<readonly string[]> {
  const ports = await readdir(PORTS).catch(() => []);
  const modes = await Promise.all(ports.map((port) => read(`${PORTS}/${port}/hairpin_mode`)));
  return ports.filter((_, at) => modes[at] === "0");
}

async function read(path: string): Promise<string | undefined> {
  return await readFile(path, "utf8").then(
    (text) => text.trim(),
    () => undefined,
  );
}

async function write(path: string, value: string): Promise<string | undefined> {
  return await writeFile(path, value).then(() => undefined, reasonOf);
}
