// Hosts of the lab, the last with a newer Debian, with the agent's mesh and firewall parts on them, and containers at addresses that the test gives: all that is in the
// kernel is real, only the view is written by the test.

import { rmSync } from "node:fs";
import { join } from "node:path";
import { asId } from "../../../src/core/model/ids.ts";
import type { MeshNode, ServiceRoutes } from "../../../src/core/model/routes.ts";
import type { NetworkView } from "../../../src/ports/node-network.ts";
import { cleanLab, waitUntil } from "../cluster.ts";
import type { Lab } from "../lab.ts";
import { mustRun } from "../run-command.ts";
import { originImage, pushOrigin } from "./origin-image.ts";

const DIRECTORY = "/var/lib/davit-net";
const APPLY_MS = 20_000;
/** What a container or a host found at an address: the answer, or "refused", "silent", "unreachable". */
export type Answer = { readonly said: string; readonly host: string; readonly client: string; readonly tookMs: number };

export class NetworkHosts {
  readonly lab: Lab;
  readonly names: readonly string[];
  #keys: readonly string[] = [];
  #number = 0;
  readonly #encryption: "wireguard" | "off";

  constructor(lab: Lab, count: number, encryption: "wireguard" | "off" = "wireguard") {
    this.lab = lab;
    this.#encryption = encryption;
    this.names = Array.from({ length: count }, (_, at) => `n${at + 1}`);
  }

  /** Hosts, the containers' image and the program that keeps a view; each host has the bridge and a key. */
  async up(): Promise<void> {
    const { lab } = this;
    await cleanLab(lab);
    await lab.up(this.names.length, "ready", 1);
    await lab.registryUp();
    const origin = await pushOrigin(lab);
    const program = join(lab.directory, "keep-view");
    const build = ["build", "--compile", "--minify", `--outfile=${program}`, join(import.meta.dirname, "keep-view.ts")];
    await mustRun([process.execPath, ...build]);
    await Promise.all(this.names.map((name, at) => this.#prepare(name, at + 1, program, origin)));
    rmSync(program);
    this.#keys = await Promise.all(this.names.map((name) => lab.on(name, "/usr/local/bin/keep-view key")));
  }

  async #prepare(name: string, number: number, program: string, origin: string): Promise<void> {
    const { lab } = this;
    const config = join(lab.directory, "ssh", "config");
    await mustRun(["scp", "-q", "-F", config, program, origin, `${name}:/usr/local/bin/`]);
    const options = "-o com.docker.network.bridge.name=davit0 -o com.docker.network.bridge.enable_ip_masquerade=false";
    const subnet = `--subnet 10.210.${number}.0/24 --gateway 10.210.${number}.1`;
    await lab.on(
      name,
      `docker network create -d bridge ${subnet} ${options} -o com.docker.network.driver.mtu=1420 davit0 &&
       docker pull -q ${this.image}`,
    );
  }

  get image(): string {
    return originImage(this.lab);
  }

  /** Starts what keeps the view; `make` then changes it. */
  async startKeeping(): Promise<void> {
    for (const name of this.names) await this.keepOn(name);
  }

  async keepOn(name: string): Promise<void> {
    await this.lab.on(
      name,
      `touch ${DIRECTORY}/view.json; systemctl reset-failed keep-view 2>/dev/null; systemd-run --quiet --collect --unit=keep-view /usr/local/bin/keep-view`,
    );
  }

  /** Containers in a service's place: one at each endpoint's address, named by it. */
  async run(service: ServiceRoutes, options = ""): Promise<void> {
    await Promise.all(
      service.endpoints.map(({ address, nodeId }) => {
        const name = `${service.shortName}-${nodeId}`;
        return this.lab.on(
          nodeId,
          `docker run -d --name ${name} --hostname ${name} --network davit0 --ip ${address} ${options} ${this.image}`,
        );
      }),
    );
  }

  /** Gives every host the same services, and waits until all have put them in force; milliseconds that each firewall took. */
  async make(services: readonly ServiceRoutes[], internal: readonly string[] = []): Promise<readonly number[]> {
    const number = ++this.#number;
    await Promise.all(this.names.map((name) => this.#give(name, number, services, internal)));
    return await Promise.all(this.names.map((name) => this.#applied(name, number)));
  }

  /** The same, one host after the other: hosts of a lab share processors, as those of a cluster do not. */
  async makeInTurn(services: readonly ServiceRoutes[]): Promise<readonly number[]> {
    const number = ++this.#number;
    const took: number[] = [];
    for (const name of this.names) {
      await this.#give(name, number, services, []);
      took.push(await this.#applied(name, number));
    }
    return took;
  }

  async #give(
    name: string,
    number: number,
    services: readonly ServiceRoutes[],
    internal: readonly string[],
  ): Promise<void> {
    const text = JSON.stringify({ number, view: this.#view(name, services, internal) });
    const keep = `cat >${DIRECTORY}/view.new && mv ${DIRECTORY}/view.new ${DIRECTORY}/view.json`;
    await mustRun(["ssh", "-F", join(this.lab.directory, "ssh", "config"), name, keep], { stdin: `${text}\n` });
  }

  /** The host itself looks, and seldom: what is measured there is not to share its processors with the looking. */
  async #applied(name: string, number: number): Promise<number> {
    const looks = (APPLY_MS / 1_000) * 5;
    const look = `for i in $(seq ${looks}); do read -r line <${DIRECTORY}/applied; case "$line" in "${number} "*) break;; esac; sleep 0.2; done`;
    const said = await this.lab.on(name, `${look}; echo "$line"`);
    if (!said.startsWith(`${number} `)) throw new Error(`${name} has not applied view ${number}: ${said}`);
    if (said.includes("failed")) throw new Error(`${name}: ${said}`);
    return Number(said.split(" ")[1]);
  }

  #view(name: string, services: readonly ServiceRoutes[], internal: readonly string[]): NetworkView {
    const nodes = this.names.map((each, at): MeshNode => ({
      nodeId: asId(each),
      name: each,
      number: at + 1,
      subnet: `10.210.${at + 1}.0/24`,
      meshAddress: `10.210.0.${at + 1}`,
      endpoint: { host: this.lab.ip(each), port: 51_820 },
      meshKey: this.#keys[at] ?? "",
    }));
    const networks = [...new Set(services.flatMap((service) => service.networks.map(({ network }) => network)))];
    const own = services.flatMap((service) => service.endpoints.filter(({ nodeId }) => nodeId === name));
    return {
      node: {
        kind: "node",
        nodeId: asId(name),
        nodeName: name,
        subnet: `10.210.${this.names.indexOf(name) + 1}.0/24`,
        addressPool: "10.210.0.0/16",
        leaseMs: 6_000,
      },
      mesh: {
        kind: "mesh",
        addressPool: "10.210.0.0/16",
        servicePool: "10.210.224.0/19",
        encryption: this.#encryption,
        port: 51_820,
        nodes,
      },
      ingress: [],
      certificates: [],
      challenges: [],
      services,
      networks: networks.map((network) => ({ kind: "network", name: network, internal: internal.includes(network) })),
      // of tasks the firewall looks at these only
      tasks: own.map(({ address }) => ({ address, container: {}, hostPorts: [] })) as unknown as NetworkView["tasks"],
    };
  }

  /** The port of each container is bound to its address, and those of containers that ended are not. */
  async untilSeated(node: string): Promise<void> {
    await waitUntil(`ports of ${node} are seated`, 20_000, async () => {
      const seats = await this.lab.on(node, "nft list set bridge davit addresses 2>/dev/null || true");
      const ports = (await this.lab.on(node, "ls /sys/class/net/davit0/brif")).split("\n");
      const isSeated = ports.every((port) => seats.includes(`"${port}"`));
      return isSeated && seats.split("veth").length - 1 === ports.length;
    });
  }

  /** The link's address that the engine gave a container, `web-n1`. */
  async macOf(container: string): Promise<string> {
    const inspect = `docker inspect -f '{{.NetworkSettings.Networks.davit0.MacAddress}}' ${container}`;
    return await this.lab.on(container.split("-").at(-1) ?? "", inspect);
  }

  /** A container claims its neighbour's address, which the host had just asked for: the link's address that the host takes it to be at then. */
  async claim(container: string, address: string): Promise<string> {
    const ask = `ip -4 neigh del ${address} dev davit0; origin call tcp ${address} 8080 >/dev/null; sleep 1.2`;
    const look = `ip -4 neigh show to ${address} dev davit0 | grep -o '..:..:..:..:..:..'`;
    const said = `docker exec ${container} origin claim ${address} >/dev/null`;
    return await this.lab.on(container.split("-").at(-1) ?? "", `${ask}; ${said} && ${look}`);
  }

  /** Calls from inside a container, `web-n1`. */
  async from(container: string, address: string, port: number, protocol: "tcp" | "udp" = "tcp"): Promise<Answer> {
    const host = container.split("-").at(-1) ?? "";
    return readAnswer(await this.lab.on(host, `docker exec ${container} origin call ${protocol} ${address} ${port}`));
  }

  async fromHost(host: string, address: string, port: number, protocol: "tcp" | "udp" = "tcp"): Promise<Answer> {
    return readAnswer(await this.lab.on(host, `origin call ${protocol} ${address} ${port}`));
  }

  /** From this machine, a client that is no node. */
  async fromOutside(address: string, port: number, protocol: "tcp" | "udp" = "tcp"): Promise<Answer> {
    const origin = join(this.lab.directory, "origin", "bin", "origin");
    return readAnswer(await mustRun([origin, "call", protocol, address, String(port)]));
  }
}

function readAnswer(line: string): Answer {
  const { host = "", client = "" } = /host=(?<host>\S+) client=(?<client>\S+)/.exec(line)?.groups ?? {};
  const said = host === "" ? (line.split(" ")[0] ?? "") : "answered";
  return { said, host, client, tookMs: Number(line.trim().split(" ").at(-1)) };
}
