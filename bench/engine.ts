// The engines of lab hosts asked directly, over their own sockets forwarded by ssh: what davit's times are compared with and checked by.

import { type ChildProcess, spawn } from "node:child_process";
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { waitUntil } from "../test/lab/cluster.ts";
import type { Lab } from "../test/lab/lab.ts";

/** Between two looks at the engines. Half of it is the error of a time. */
const LOOK_MS = 25;

/** One host's engine. Reopen it after the host was off. */
export class DirectEngine {
  readonly host: string;
  readonly #folder = mkdtempSync(join(tmpdir(), "davit-bench-"));
  readonly #tunnel: ChildProcess;

  private constructor(lab: Lab, host: string) {
    this.host = host;
    const argv = ["-F", join(lab.directory, "ssh", "config"), "-N", "-L", `${this.#socket}:/var/run/docker.sock`, host];
    this.#tunnel = spawn("ssh", argv, { stdio: "ignore" });
  }

  static async open(lab: Lab, host: string): Promise<DirectEngine> {
    const engine = new DirectEngine(lab, host);
    await waitUntil(`the engine of ${host} answers`, 20_000, () => engine.#answers());
    return engine;
  }

  get #socket(): string {
    return join(this.#folder, "engine.sock");
  }

  async #answers(): Promise<boolean> {
    if (!existsSync(this.#socket)) return false;
    return await this.call("GET", "/_ping").then(
      () => true,
      () => false,
    );
  }

  /** The parsed answer; throws with the engine's words on an error. */
  async call(method: string, path: string, body?: unknown): Promise<unknown> {
    const answer = await fetch(`http://engine${path}`, {
      unix: this.#socket,
      method,
      ...(body === undefined ? {} : { body: JSON.stringify(body), headers: { "content-type": "application/json" } }),
    });
    const text = await answer.text();
    if (!answer.ok) throw new Error(`${this.host}: ${method} ${path}: ${answer.status} ${text}`);
    return text.startsWith("{") || text.startsWith("[") ? JSON.parse(text) : text;
  }

  /** Ids of running containers with a label. */
  async running(label: string): Promise<readonly string[]> {
    const filters = encodeURIComponent(JSON.stringify({ label: [label], status: ["running"] }));
    const list = (await this.call("GET", `/containers/json?filters=${filters}`)) as readonly { readonly Id: string }[];
    return list.map(({ Id }) => Id);
  }

  /** Creates and starts a container on a network; its id. */
  async run(name: string, image: string, network: string): Promise<string> {
    const created = await this.call("POST", `/containers/create?name=${name}`, {
      Image: image,
      Labels: { "bench.floor": "1" },
      HostConfig: { NetworkMode: network },
    });
    const { Id } = created as { readonly Id: string };
    await this.call("POST", `/containers/${Id}/start`);
    return Id;
  }

  async remove(id: string): Promise<void> {
    await this.call("DELETE", `/containers/${id}?force=1`);
  }

  close(): void {
    this.#tunnel.kill();
    rmSync(this.#folder, { recursive: true, force: true });
  }
}

/** How many containers with a label run on these engines. */
async function countRunning(engines: readonly DirectEngine[], label: string): Promise<number> {
  const lists = await Promise.all(engines.map((engine) => engine.running(label)));
  return lists.reduce((sum, list) => sum + list.length, 0);
}

/** Milliseconds until exactly `count` containers with a label run. */
export async function untilRunning(
  engines: readonly DirectEngine[],
  label: string,
  count: number,
  timeoutMs = 60_000,
): Promise<number> {
  const started = performance.now();
  while ((await countRunning(engines, label)) !== count) {
    if (performance.now() - started > timeoutMs) throw new Error(`${count} containers with ${label} do not run`);
    await Bun.sleep(LOOK_MS);
  }
  return performance.now() - started;
}
