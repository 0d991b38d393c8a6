// Names inside the mesh: keeps the zone as the routes are, listens on the bridge's own address, and writes each task's resolv.conf, which is
// there before its container and is changed in place, since a container goes on seeing the file that it was started with.

import { chmod, mkdir, open, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { DavitError, reasonOf } from "../../../../src/core/model/errors.ts";
import type { MeshRoutes } from "../../../../src/core/model/routes.ts";
import type { TaskWork } from "../../../../src/core/model/work.ts";
import type { Clock, Timer } from "../../../../src/ports/clock.ts";
import type { Log } from "../../../../src/ports/log.ts";
import type { NetworkPart, NetworkView } from "../../../../src/ports/node-network.ts";
import { type HostCommand, mustRun } from "../run-command.ts";
import { Forwarder } from "./forwarder.ts";
import { type Knowledge, listen, type NameServer } from "./name-server.ts";
import { Responder } from "./respond.ts";
import { hasOwnResolvConf, renderResolvConf } from "./resolv-conf.ts";
import { gatewayOf, Zone } from "./zone.ts";

const NAMES_PORT = 53;
/** Where it listens if something on the host has port 53 of all addresses; packets are led there. */
export const OTHER_PORT = 7353;
const NAMES_TABLE = "davit_names";
/** The bridge comes with the node's first task, and its address with the bridge. */
const ADDRESS_RETRY_MS = 100;

export type ResolverPorts = {
  readonly run: HostCommand;
  readonly clock: Clock;
  readonly log: Log;
  /** Directory of the tasks' files, in the agent's state. */
  readonly directory: string;
  /** The host's own resolv.conf. */
  readonly hostResolvConf: string;
};

export class ResolverPart implements NetworkPart {
  readonly name = "resolver";
  readonly #ports: ResolverPorts;
  readonly #forwarder: Forwarder;
  #knowledge: Knowledge | undefined;
  #gateways: ReadonlySet<string> = new Set();
  #listening: { readonly address: string; readonly port: number; readonly server: NameServer } | undefined;
  #retry: Timer | undefined;
  #turn = 0;

  constructor(ports: ResolverPorts) {
    this.#ports = ports;
    this.#forwarder = new Forwarder(ports.clock, ports.hostResolvConf, () => this.#gateways);
  }

  async apply(view: Pick<NetworkView, "node" | "mesh" | "services" | "tasks">): Promise<void> {
    const servers = new Map(view.tasks.flatMap(serversOfTask));
    this.#gateways = new Set(view.mesh.nodes.map(({ subnet }) => gatewayOf(subnet)));
    const zone = new Zone(view, (items) => this.#rotated(items));
    this.#knowledge = { zone, responder: new Responder(zone), serversOf: (address) => servers.get(address) };
    await this.#writeFiles(view.tasks, view.mesh, view.node.nodeId);
    await this.#listenAt(gatewayOf(view.node.subnet));
  }

  async remove(): Promise<void> {
    this.#retry?.cancel();
    this.#listening?.server.close();
    this.#listening = undefined;
    await this.#ports.run(["nft", "delete", "table", "ip", NAMES_TABLE]);
    await rm(this.#ports.directory, { recursive: true, force: true });
  }

  /** Each asker begins with another one. */
  #rotated<Item>(items: readonly Item[]): readonly Item[] {
    if (items.length < 2) return items;
    const at = this.#turn++ % items.length;
    return [...items.slice(at), ...items.slice(0, at)];
  }

  async #listenAt(address: string): Promise<void> {
    if (this.#listening?.address === address) {
      if (this.#listening.port === OTHER_PORT) await this.#ensureLead(address);
      return;
    }
    this.#listening?.server.close();
    this.#listening = undefined;
    this.#retry?.cancel();
    try {
      await this.#listenOn(address, NAMES_PORT);
      await this.#ports.run(["nft", "delete", "table", "ip", NAMES_TABLE]);
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      if (code === "EADDRNOTAVAIL") this.#listenLater(address);
      else if (code === "EADDRINUSE") await this.#listenElsewhere(address);
      else throw notListening(address, error);
    }
  }

  async #listenOn(address: string, port: number): Promise<void> {
    const know = (): Knowledge => this.#knowledge as Knowledge;
    const server = await listen(address, port, know, this.#forwarder, this.#ports.clock);
    this.#listening = { address, port, server };
    this.#ports.log.info("names are answered", { address, port });
  }

  /** Without the address there is no container here that could ask. */
  #listenLater(address: string): void {
    this.#retry = this.#ports.clock.after(ADDRESS_RETRY_MS, () => {
      this.#listenAt(address).catch((error: unknown) =>
        this.#ports.log.error("names are not answered", { address, reason: reasonOf(error) }),
      );
    });
  }

  async #listenElsewhere(address: string): Promise<void> {
    try {
      await this.#listenOn(address, OTHER_PORT);
    } catch (error) {
      throw notListening(address, error);
    }
    await this.#ensureLead(address);
    this.#ports.log.warn("something on this host has port 53 of all addresses: packets to it are led past", {
      address,
      port: OTHER_PORT,
    });
  }

  async #ensureLead(address: string): Promise<void> {
    const { run } = this.#ports;
    if ((await run(["nft", "list", "chain", "ip", NAMES_TABLE, "lead_names"])).exitCode === 0) return;
    await mustRun(run, "lead names past what has port 53", ["nft", "-f", "-"], { stdin: renderNamesTable(address) });
  }

  async #writeFiles(tasks: readonly TaskWork[], mesh: MeshRoutes, nodeId: string): Promise<void> {
    const { directory } = this.#ports;
    await mkdir(directory, { recursive: true, mode: 0o755 });
    const wanted = tasks.filter((task) => hasOwnResolvConf(task));
    for (const task of wanted)
      await writeInPlace(resolvConfPath(directory, task), renderResolvConf(task, mesh, nodeId));
    const names = new Set<string>(wanted.map(({ taskId }) => taskId));
    for (const name of await readdir(directory))
      if (!names.has(name)) await rm(`${directory}/${name}`, { force: true });
  }
}

/** The file that a task's container is shown as its resolv.conf. */
export function resolvConfPath(directory: string, task: Pick<TaskWork, "taskId">): string {
  return `${directory}/${task.taskId}`;
}

/** For `nft -f`: packets to port 53 of the bridge's address reach the port where the resolver listens. */
export function renderNamesTable(address: string): string {
  return `table ip ${NAMES_TABLE}
delete table ip ${NAMES_TABLE}
table ip ${NAMES_TABLE} {
  chain lead_names {
    type nat hook prerouting priority dstnat - 10; policy accept;
    ip daddr ${address} meta l4proto { tcp, udp } th dport ${NAMES_PORT} dnat to ${address}:${OTHER_PORT}
  }
}
`;
}

function serversOfTask(task: TaskWork): readonly (readonly [string, readonly string[]])[] {
  const { dns = [] } = task.container.runtime;
  return dns.length === 0 ? [] : [[task.address, dns]];
}

function notListening(address: string, cause: unknown): DavitError {
  return new DavitError("unavailable", `answer names at ${address}: ${reasonOf(cause)}`, {
    wayOut: `see what listens there (ss -lnup 'sport = :${NAMES_PORT}')`,
    cause,
  });
}

/** The same file keeps its place: what is shown to a container is the file, not its name. */
async function writeInPlace(path: string, text: string): Promise<void> {
  const now = await readIfThere(path);
  if (now === text) return;
  if (now === undefined) {
    await writeFile(path, text, { mode: 0o600, flush: true });
    // after the making, whose mode the agent's own mask narrows: programs of any user read it
    await chmod(path, 0o644);
    return;
  }
  const file = await open(path, "r+");
  try {
    await file.write(text, 0);
    await file.truncate(Buffer.byteLength(text));
    await file.sync();
  } finally {
    await file.close();
  }
}

async function readIfThere(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, "utf8");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw error;
  }
}
