// Makes the node's end of the mesh match: key, link, peers, tunnel, routes, rules. Looks first, changes what differs, and leaves beside it
// the text from which the mesh's unit sets all of it up again when the agent is not there.

import { mkdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { dirname } from "node:path";
import { DavitError, reasonOf } from "../../../../src/core/model/errors.ts";
import type { MeshRoutes } from "../../../../src/core/model/routes.ts";
import type { Log } from "../../../../src/ports/log.ts";
import type { NetworkPart, NetworkView } from "../../../../src/ports/node-network.ts";
import { EchoServer } from "../check/echo-server.ts";
import { ensureMeshKey } from "../mesh-key.ts";
import { type HostCommand, mustRun } from "../run-command.ts";
import { changesTo, changesToNothing, type Changes, differsFromPlan } from "./changes.ts";
import { MESH_LINK, MESH_TABLE } from "./names.ts";
import { renderPacketRules } from "./packet-rules.ts";
import { type MeshPlan, planMesh, renderWireguard, type Underlay } from "./plan-mesh.ts";
import { EMPTY_STATE, type HostState, type MeshState, readMeshState } from "./read-state.ts";
import { EndpointFinder, type Lookup, linkMtu } from "./underlay.ts";
import { renderSetup, renderUnit, WIREGUARD_UNIT_NAME } from "./wireguard-unit.ts";

export type MeshPorts = {
  readonly run: HostCommand;
  readonly lookup: Lookup;
  readonly log: Log;
  /** Where the private key is, in base64. */
  readonly keyPath: string;
  /** Directory of the mesh's files, in the agent's state. */
  readonly directory: string;
  /** Where units are. */
  readonly unitDirectory: string;
};

const UNIT_TIMEOUT_MS = 30_000;
/** wireguard-go makes its link some milliseconds after its unit says that it runs. */
const LINK_TRIES = 100;
const LINK_WAIT_MS = 50;
const WHAT = "make the mesh";

export class MeshPart implements NetworkPart {
  readonly name = "mesh";
  readonly #ports: MeshPorts;
  readonly #finder: EndpointFinder;
  readonly #echo = new EchoServer();
  /** Text of the packet rules that this agent put in force. */
  #rules: string | undefined;

  constructor(ports: MeshPorts) {
    this.#ports = ports;
    this.#finder = new EndpointFinder(ports.lookup, ports.log);
  }

  async apply({ mesh, node }: Pick<NetworkView, "mesh" | "node">): Promise<void> {
    const { run } = this.#ports;
    let state = await readMeshState(run);
    const underlay = await this.#lookBelow(mesh, state);
    const plan = planMesh(mesh, node.nodeId, underlay);
    if (plan === undefined) return;
    await this.#applySysctls(plan, "before");
    const isOther =
      plan.wireguard === undefined
        ? await this.#dropWireguard(state)
        : await this.#ensureWireguard(plan.wireguard, plan, state);
    if (isOther) state = await readMeshState(run);
    await this.#change(changesTo(plan, state));
    await this.#applySysctls(plan, "after");
    await this.#applyRules(renderPacketRules(mesh, node.nodeId, underlay));
    await this.#listenToPeers(mesh, node.nodeId);
  }

  async remove(): Promise<void> {
    const { run, directory, unitDirectory } = this.#ports;
    this.#echo.close();
    await run(["systemctl", "disable", "--now", WIREGUARD_UNIT_NAME], { timeoutMs: UNIT_TIMEOUT_MS });
    await rm(`${unitDirectory}/${WIREGUARD_UNIT_NAME}`, { force: true });
    await run(["systemctl", "daemon-reload"]);
    const lines = changesToNothing(await readMeshState(run));
    if (lines.length > 0) await run(["ip", "-4", "-force", "-batch", "-"], { stdin: `${lines.join("\n")}\n` });
    await run(["nft", "delete", "table", "ip", MESH_TABLE]);
    await rm(directory, { recursive: true, force: true });
  }

  /** Peers that measure the way here are a help, and nothing that the mesh stands or falls with. */
  async #listenToPeers(mesh: MeshRoutes, nodeId: string): Promise<void> {
    const self = mesh.nodes.find((node) => node.nodeId === nodeId);
    if (self === undefined) return;
    try {
      await this.#echo.listenAt(self.meshAddress, new Set(mesh.nodes.map(({ meshAddress }) => meshAddress)));
    } catch (error) {
      this.#ports.log.warn("peers cannot measure the way here", { reason: reasonOf(error) });
    }
  }

  async #lookBelow(mesh: MeshRoutes, state: HostState): Promise<Underlay> {
    const endpoints = await this.#finder.find(mesh.nodes);
    const addresses = [...endpoints.values()].filter((address) => !state.hostAddresses.has(address));
    const filter = await readFile("/proc/sys/net/ipv4/conf/all/rp_filter", "utf8");
    return {
      endpoints,
      linkMtu: await linkMtu(this.#ports.run, addresses, state.mtuOf),
      reversePathFilter: Number(filter),
    };
  }

  /** True if the link was started, which may have set up more than the link. */
  async #ensureWireguard(
    wireguard: NonNullable<MeshPlan["wireguard"]>,
    plan: MeshPlan,
    state: MeshState,
  ): Promise<boolean> {
    const { run, directory, unitDirectory, keyPath } = this.#ports;
    const publicKey = ensureMeshKey(keyPath);
    const config = `${directory}/wireguard.conf`;
    const setup = `${directory}/setup`;
    const isNewConfig = await writeIfNew(config, renderWireguard(wireguard, (await readFile(keyPath, "utf8")).trim()));
    await writeIfNew(setup, renderSetup(config, changesTo(plan, EMPTY_STATE)));
    const isNewUnit = await writeIfNew(`${unitDirectory}/${WIREGUARD_UNIT_NAME}`, renderUnit(setup), 0o644);
    if (isNewUnit) {
      await mustRun(run, WHAT, ["systemctl", "daemon-reload"], { timeoutMs: UNIT_TIMEOUT_MS });
      await mustRun(run, WHAT, ["systemctl", "enable", "--quiet", WIREGUARD_UNIT_NAME], { timeoutMs: UNIT_TIMEOUT_MS });
    }
    const isThere = state.mesh !== undefined;
    if (!isThere) await this.#startLink();
    if (!isThere || isNewConfig || differsFromPlan(wireguard, publicKey, state.wireguard))
      await mustRun(run, WHAT, ["wg", "syncconf", MESH_LINK, config]);
    return !isThere;
  }

  async #startLink(): Promise<void> {
    const { run } = this.#ports;
    await mustRun(run, WHAT, ["systemctl", "restart", WIREGUARD_UNIT_NAME], { timeoutMs: UNIT_TIMEOUT_MS });
    for (let left = LINK_TRIES; left > 0; left--) {
      if ((await run(["wg", "show", MESH_LINK, "listen-port"])).exitCode === 0) return;
      await new Promise((resolve) => setTimeout(resolve, LINK_WAIT_MS));
    }
    throw new DavitError(
      "unavailable",
      `${WHAT}: ${MESH_LINK} did not come: this kernel has no WireGuard, and wireguard-go does not run`,
      { wayOut: `install wireguard-go (join the host again), then look at \`journalctl -u ${WIREGUARD_UNIT_NAME}\`` },
    );
  }

  /** True if there was something to drop. */
  async #dropWireguard(state: MeshState): Promise<boolean> {
    if (state.mesh === undefined) return false;
    const { run, unitDirectory } = this.#ports;
    await run(["systemctl", "disable", "--now", WIREGUARD_UNIT_NAME], { timeoutMs: UNIT_TIMEOUT_MS });
    await rm(`${unitDirectory}/${WIREGUARD_UNIT_NAME}`, { force: true });
    await run(["ip", "link", "del", MESH_LINK]);
    return true;
  }

  async #change(changes: Changes): Promise<void> {
    const { run, log } = this.#ports;
    if (changes.ip.length > 0)
      await mustRun(run, WHAT, ["ip", "-4", "-batch", "-"], { stdin: `${changes.ip.join("\n")}\n` });
    if (changes.bridge.length > 0)
      await mustRun(run, WHAT, ["bridge", "-batch", "-"], { stdin: `${changes.bridge.join("\n")}\n` });
    if (changes.ip.length + changes.bridge.length > 0)
      log.info("mesh changed", { lines: changes.ip.length + changes.bridge.length });
  }

  async #applyRules(text: string): Promise<void> {
    const { run } = this.#ports;
    if (this.#rules === text && (await run(["nft", "list", "chain", "ip", MESH_TABLE, "tunnel_guard"])).exitCode === 0)
      return;
    await mustRun(run, WHAT, ["nft", "-f", "-"], { stdin: text });
    this.#rules = text;
  }

  /** Those of links that do not exist yet come after them. */
  async #applySysctls(plan: MeshPlan, when: "before" | "after"): Promise<void> {
    const names = Object.keys(plan.sysctls).filter((name) => name.includes("/conf/davit-") === (when === "after"));
    for (const name of names) await this.#setSysctl(name, plan.sysctls[name] ?? "");
  }

  async #setSysctl(name: string, value: string): Promise<void> {
    const path = `/proc/sys/${name}`;
    if (name.startsWith("net/bridge/") && (await readIfThere(path)) === undefined)
      await this.#ports.run(["modprobe", "br_netfilter"]);
    if ((await readIfThere(path))?.trim() === value) return;
    try {
      await writeFile(path, value);
    } catch (cause) {
      throw new DavitError("unavailable", `${WHAT}: ${name.replaceAll("/", ".")} cannot be set to ${value}`, {
        wayOut: name.startsWith("net/bridge/")
          ? "load br_netfilter (modprobe br_netfilter) and name it in /etc/modules-load.d"
          : `set it on the host: sysctl -w ${name.replaceAll("/", ".")}=${value}`,
        cause,
      });
    }
  }
}

/** Whole or not at all; true if it was not that already. */
async function writeIfNew(path: string, text: string, mode = 0o600): Promise<boolean> {
  if ((await readIfThere(path)) === text) return false;
  await mkdir(dirname(path), { recursive: true, mode: 0o700 });
  await writeFile(`${path}.new`, text, { mode, flush: true });
  await rename(`${path}.new`, path);
  return true;
}

async function readIfThere(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, "utf8");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw error;
  }
}
