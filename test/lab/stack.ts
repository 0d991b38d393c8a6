// Compose texts for lab tests and what is asked about them: of the command line, and of the engines themselves.

import type { TaskView } from "../../src/core/model/views.ts";
import { type Cluster, waitUntil } from "./cluster.ts";
import type { CommandResult } from "./run-command.ts";

export type ServiceText = Readonly<Record<string, unknown>>;

/** A stack in a cluster, driven as a user would. Compose files are JSON, which is YAML. */
export class LabStack {
  readonly cluster: Cluster;
  readonly name: string;

  constructor(cluster: Cluster, name: string) {
    this.cluster = cluster;
    this.name = name;
  }

  image(tag: string): string {
    return `${this.cluster.lab.registry}/web:${tag}`;
  }

  /** Deploys and gives what the command said, whatever its exit code. */
  deploy(
    services: Readonly<Record<string, ServiceText>>,
    more: readonly string[] = [],
    volumes: readonly string[] = [],
  ): Promise<CommandResult> {
    const text = JSON.stringify({
      name: this.name,
      services,
      volumes: Object.fromEntries(volumes.map((volume) => [volume, {}])),
    });
    return this.cluster.coordinator.cli(["deploy", "-f", "-", "--name", this.name, ...more], { stdin: text });
  }

  /** Deploys; throws unless all became healthy. */
  async mustDeploy(services: Readonly<Record<string, ServiceText>>, volumes: readonly string[] = []): Promise<void> {
    const result = await this.deploy(services, [], volumes);
    if (result.exitCode !== 0)
      throw new Error(`deploy ${this.name}: exit code ${result.exitCode}: ${result.stderr}${result.stdout}`);
  }

  /** Tasks of a service, live ones unless `all`. */
  tasks(service: string, all = false): Promise<readonly TaskView[]> {
    const argv = ["service", "ps", `${this.name}_${service}`];
    return this.cluster.coordinator.json<readonly TaskView[]>(all ? [...argv, "--all"] : argv);
  }

  /** Ids of running containers by node, as the engines say. */
  async containers(
    service: string,
    nodes: readonly string[] = this.cluster.nodes,
  ): Promise<ReadonlyMap<string, readonly string[]>> {
    const found = new Map<string, readonly string[]>();
    for (const node of nodes) {
      const list = await this.cluster.lab.containers(node, `davit.service=${this.name}_${service}`);
      found.set(node, list.map((container) => container.Id).sort());
    }
    return found;
  }

  /** Waits until the engines of `nodes` together run so many containers of a service; says how long it took, in milliseconds. */
  untilRunning(
    service: string,
    count: number,
    timeoutMs: number,
    nodes: readonly string[] = this.cluster.nodes,
  ): Promise<number> {
    return waitUntil(`${count} containers of ${service} run`, timeoutMs, async () => {
      const lists = await this.containers(service, nodes);
      return [...lists.values()].flat().length === count;
    });
  }

  async remove(): Promise<void> {
    await this.cluster.coordinator.must(["stack", "rm", this.name, "--volumes"]);
  }
}

/** A page of one task, asked by its own host at its own address: no balancing stands between. */
export async function fetchTaskPage(cluster: Cluster, { name, node, address }: TaskView, path = "/"): Promise<string> {
  if (node === undefined || address === undefined) throw new Error(`${name} has no node or address yet`);
  return await cluster.lab.on(node, `curl -sS --max-time 5 'http://${address}:8080${path}'`);
}

/** A page of a host, as any user of the network sees it. */
export async function fetchPage(cluster: Cluster, node: string, port: number, path = "/"): Promise<string> {
  const answer = await fetch(`http://${cluster.lab.ip(node)}:${port}${path}`, { signal: AbortSignal.timeout(3_000) });
  return await answer.text();
}
