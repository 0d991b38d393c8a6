// The bridge's ports as they are on the host, and whose they are: the engine says who is on the bridge, with which address, and where a
// container's network lies; the kernel says which link leads there.

import { readdir, readFile } from "node:fs/promises";
import type { ContainerEngine, NetworkMember } from "../../../../src/ports/container-engine.ts";
import { BRIDGE } from "../../plan/types.ts";
import type { HostCommand } from "../run-command.ts";
import { loadRules } from "./linux-host.ts";
import type { PortHost } from "./port-guard.ts";

const PORTS = `/sys/class/net/${BRIDGE}/brif`;

export class LinuxPorts implements PortHost {
  readonly #run: HostCommand;
  readonly #engine: ContainerEngine;

  constructor(run: HostCommand, engine: ContainerEngine) {
    this.#run = run;
    this.#engine = engine;
  }

  async ports(): Promise<ReadonlyMap<string, number>> {
    const names = await readdir(PORTS).catch(() => []);
    const entries = names.map(async (name) => {
      const index = await readFile(`/sys/class/net/${name}/ifindex`, "utf8").catch(() => "");
      return index === "" ? [] : [[name, Number(index)] as const];
    });
    return new Map((await Promise.all(entries)).flat().toSorted(([, a], [, b]) => a - b));
  }

  async members(): Promise<readonly NetworkMember[]> {
    return (await this.#engine.inspectNetwork(BRIDGE))?.members ?? [];
  }

  /** The path of its network is the engine's own, not a process's: a number that another process has by now would name the wrong one. */
  async linkOf(containerId: string): Promise<number | undefined> {
    const path = (await this.#engine.inspectContainer(containerId))?.networkPath;
    if (path === undefined) return undefined;
    const end = await this.#run(["nsenter", `--net=${path}`, "ip", "-o", "link", "show", "dev", "eth0"]);
    return end.exitCode === 0 ? readPeer(end.stdout) : undefined;
  }

  load(rules: string): Promise<string | undefined> {
    return loadRules(this.#run, rules);
  }
}

/** `12: eth0@if13: <BROADCAST,…`: the number of its other end, on the host. */
export function readPeer(line: string): number | undefined {
  const [, peer] = /^\d+: eth0@if(\d+): /.exec(line) ?? [];
  return peer === undefined ? undefined : Number(peer);
}
