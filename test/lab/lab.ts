// The lab in typed words: hosts with systemd and an SSH server on this machine, faults of their network and power, their registry, and
// their engines asked directly, without davit. The work is done by the scripts beside this file.

import { spawn } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { mustRun, runCommand, type CommandResult } from "./run-command.ts";

const SCRIPT = join(import.meta.dirname, "lab");

/** Debian 13: an engine that speaks a newer API, another packet filter and proxy. */
const NEWER_SUITE = "trixie";

const HOLDER = `import socket, sys, time
protocol, port = sys.argv[1:]
held = socket.socket(socket.AF_INET, socket.SOCK_STREAM if protocol == "tcp" else socket.SOCK_DGRAM)
# with datagrams it would let two have the port
if protocol == "tcp": held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
held.bind(("", int(port)))
if protocol == "tcp": held.listen()
print("held", flush=True)
time.sleep(600)`;

export type HostKind = "bare" | "ready";

/** Where a lab lives. Two labs run side by side if all three differ. */
export type LabPlace = { readonly directory: string; readonly bridge: string; readonly subnet: string };

/** A container as its engine lists it. */
export type EngineContainer = {
  readonly Id: string;
  readonly Names: readonly string[];
  readonly Image: string;
  readonly State: string;
  readonly Labels: Readonly<Record<string, string>>;
  readonly Ports: readonly { readonly PrivatePort: number; readonly PublicPort?: number }[];
  readonly NetworkSettings: { readonly Networks: Readonly<Record<string, { readonly IPAddress: string } | undefined>> };
};

/** The place that LAB, BRIDGE and SUBNET name, else `usual`. */
export function placeFrom(env: Readonly<Record<string, string | undefined>>, usual: LabPlace): LabPlace {
  return {
    directory: env["LAB"] ?? usual.directory,
    bridge: env["BRIDGE"] ?? usual.bridge,
    subnet: env["SUBNET"] ?? usual.subnet,
  };
}

/** The tests' first lab: not the demo's, which may be running beside it. */
const TEST_PLACE: LabPlace = {
  directory: "/var/lib/davit-lab-test",
  bridge: "davitlab1",
  subnet: "10.78.0.0/24",
};
export const DEMO_PLACE: LabPlace = {
  directory: "/var/lib/davit-lab",
  bridge: "davitlab0",
  subnet: "10.79.0.0/24",
};
export const BENCH_PLACE: LabPlace = {
  directory: "/var/lib/davit-lab-bench",
  bridge: "davitlab2",
  subnet: "10.77.0.0/24",
};

/** Files of lab tests that run at once, each in a lab of its own: they mostly wait for engines, and two cores bear no third. */
export const TEST_LABS = 2;

/** The lab of one of the tests' workers, 1 to TEST_LABS; in a test: of the worker that runs it. */
export function testLab(worker = Number(process.env["VITEST_POOL_ID"] ?? 1)): Lab {
  const first = placeFrom(process.env, TEST_PLACE);
  if (worker === 1) return new Lab(first);
  const subnet = first.subnet.replace(/(\d+)\.0\/24$/, (_, third: string) => `${Number(third) + worker - 1}.0/24`);
  return new Lab({ directory: `${first.directory}-${worker}`, bridge: `${first.bridge}w${worker}`, subnet });
}

/** One lab. Every call throws with the script's words when it fails. */
export class Lab {
  readonly directory: string;
  /** The address of this machine in the lab; its registry listens there. */
  readonly gateway: string;
  readonly registry: string;
  /** The link of this machine that all hosts are on. */
  readonly bridge: string;
  readonly #env: Readonly<Record<string, string>>;

  constructor(place: LabPlace) {
    this.directory = place.directory;
    this.gateway = place.subnet.replace(/\.0\/24$/, ".1");
    this.registry = `${this.gateway}:5000`;
    this.bridge = place.bridge;
    this.#env = { LAB: place.directory, BRIDGE: place.bridge, SUBNET: place.subnet };
  }

  get identityPath(): string {
    return join(this.directory, "ssh", "id_ed25519");
  }

  /** Any verb of the script. */
  run(...argv: readonly string[]): Promise<string> {
    return mustRun([SCRIPT, ...argv], { env: this.#env });
  }

  /** Key, certificates and root file systems, of both releases; nothing to do when they are there. */
  async prepare(): Promise<void> {
    await this.run("prepare", "quiet");
    await mustRun([SCRIPT, "prepare", "quiet"], { env: { ...this.#env, SUITE: NEWER_SUITE }, timeoutMs: 600_000 });
  }

  /** Network and hosts n1…n<count>, booted; returns their names. The last `newer` of them have the next release, with its newer engine. */
  async up(count: number, kind: HostKind, newer = 0): Promise<readonly string[]> {
    const names = Array.from({ length: count }, (_, at) => `n${at + 1}`);
    await this.run("up", String(count - newer), kind);
    if (newer === 0) return names;
    const late = names.slice(-newer);
    await mustRun([SCRIPT, "create", kind, ...late], { env: { ...this.#env, SUITE: NEWER_SUITE } });
    await this.run("start", ...late);
    await this.run("wait", ...late);
    return names;
  }

  /** Makes a host, boots it and waits for sshd. `disk` like "2G", `memory` like "512M". */
  async add(
    host: string,
    kind: HostKind,
    limits: { readonly disk?: string; readonly memory?: string } = {},
  ): Promise<void> {
    const env = { ...this.#env, DISK: limits.disk ?? "", MEM: limits.memory ?? "" };
    await mustRun([SCRIPT, "create", kind, host], { env });
    await this.run("start", host);
    await this.run("wait", host);
  }

  /** Holds a port on all of a host's addresses, as a program there would; back when it has it. What this gives lets go of it. */
  async holdPort(host: string, protocol: "tcp" | "udp", port: number): Promise<() => void> {
    const pid = (await this.run("pid", host)).trim();
    const holder = spawn("nsenter", ["-t", pid, "-n", "python3", "-c", HOLDER, protocol, String(port)], {
      stdio: ["ignore", "pipe", "pipe"],
    });
    let said = "";
    holder.stderr.on("data", (part: Buffer) => (said += part.toString()));
    await new Promise<void>((resolve, reject) => {
      holder.stdout.once("data", () => resolve());
      holder.once("error", reject);
      holder.once("close", () => reject(new Error(`port ${port}/${protocol} of ${host} is not to be had: ${said}`)));
    });
    return () => void holder.kill("SIGKILL");
  }

  start(...hosts: readonly string[]): Promise<string> {
    return this.run("start", ...hosts);
  }

  wait(...hosts: readonly string[]): Promise<string> {
    return this.run("wait", ...hosts);
  }

  stop(...hosts: readonly string[]): Promise<string> {
    return this.run("stop", ...hosts);
  }

  /** Orderly; back when its sshd answers again. */
  async reboot(host: string): Promise<void> {
    await this.run("reboot", host);
    await this.run("wait", host);
  }

  /** Pulls the plug; the disk stays. */
  crash(...hosts: readonly string[]): Promise<string> {
    return this.run("crash", ...hosts);
  }

  destroy(...hosts: readonly string[]): Promise<string> {
    return this.run("destroy", ...hosts);
  }

  /** `a` loses the other hosts; with "all" this machine too; with a host, only that one. */
  cut(a: string, other?: string): Promise<string> {
    return other === undefined ? this.run("cut", a) : this.run("cut", a, other);
  }

  /** What `a` sends never reaches `b`; the other way works. */
  cutOneWay(a: string, b: string): Promise<string> {
    return this.run("cut1", a, b);
  }

  loss(host: string, percent: number): Promise<string> {
    return this.run("loss", host, String(percent));
  }

  /** Undoes every cut and loss. */
  heal(): Promise<string> {
    return this.run("heal");
  }

  shape(host: string, delayMs: number, jitterMs = 0, lossPercent = 0): Promise<string> {
    return this.run("shape", host, String(delayMs), String(jitterMs), String(lossPercent));
  }

  unshape(host: string): Promise<string> {
    return this.run("unshape", host);
  }

  /** Its apt uses only the packages of the lab's cache. */
  localApt(...hosts: readonly string[]): Promise<string> {
    return this.run("local-apt", ...hosts);
  }

  /** TLS registry with web:v1 v2 v3 bad sick. */
  registryUp(): Promise<string> {
    return this.run("registry", "up");
  }

  registryDown(): Promise<string> {
    return this.run("registry", "down");
  }

  /** An image of one layer, the files of a folder (absolute path). */
  pushImage(name: string, folder: string, argv: readonly string[], env: readonly string[] = []): Promise<string> {
    return this.run("registry", "push", name, folder, JSON.stringify(argv), ...env);
  }

  /** Destroys all hosts and removes the network; the key and the certificates stay. */
  down(): Promise<string> {
    return this.run("down");
  }

  ip(host: string): string {
    const number = Number(readFileSync(join(this.directory, "hosts", host, "num"), "utf8"));
    return this.gateway.replace(/\d+$/, String(10 + number));
  }

  /** A shell script on a host as root, over the lab's own key. */
  ssh(host: string, script: string, timeoutMs = 60_000): Promise<CommandResult> {
    return runCommand(["ssh", "-F", join(this.directory, "ssh", "config"), host, script], { timeoutMs });
  }

  /** What a script on a host printed; throws unless it ended with 0. */
  async on(host: string, script: string): Promise<string> {
    const result = await this.ssh(host, script);
    if (result.exitCode !== 0)
      throw new Error(`${host}: ${script}: exit code ${result.exitCode}: ${result.stderr}${result.stdout}`);
    return result.stdout.trim();
  }

  /** Containers of a host as its own engine lists them, by label (`key` or `key=value`), running ones unless told. */
  async containers(host: string, label: string, all = false): Promise<readonly EngineContainer[]> {
    const filters = encodeURIComponent(JSON.stringify({ label: [label] }));
    const url = `http://engine/containers/json?all=${all ? 1 : 0}&filters=${filters}`;
    const answer = await this.on(host, `curl -sS --fail --unix-socket /var/run/docker.sock '${url}'`);
    return JSON.parse(answer) as readonly EngineContainer[];
  }
}
