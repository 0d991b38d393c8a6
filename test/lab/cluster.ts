// A real davit for a test: a coordinator in a process of its own on this machine, hosts of the lab joined through the command line, and
// everything asked through the command line or the owner's socket.

import { type ChildProcess, spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { HostKind, Lab } from "./lab.ts";
import { mustRun, runCommand, type CommandOptions, type CommandResult } from "./run-command.ts";

export const BINARY = process.env["DAVIT_BINARY"] ?? join(import.meta.dirname, "..", "..", "dist", "davit-linux-x64");

const COORDINATOR_START_MS = 15_000;
const JOIN_MS = 240_000;
/** Between two looks at something that is waited for. */
const LOOK_MS = 100;
/** Kept of the coordinator's output, for messages. */
const MAX_LOG_CHARS = 200_000;

/** A coordinator on this machine, with its state in a directory of its own. */
export class CoordinatorProcess {
  readonly dataDir: string;
  readonly #binary: string;
  readonly #options: readonly string[];
  #child: ChildProcess | undefined;
  #log = "";

  constructor(dataDir: string, options: readonly string[] = ["--listen", "off"], binary = BINARY) {
    this.dataDir = dataDir;
    this.#options = options;
    this.#binary = binary;
  }

  get socketPath(): string {
    return join(this.dataDir, "davit.sock");
  }

  get pid(): number | undefined {
    return this.#child?.pid;
  }

  /** What it has written so far. */
  get log(): string {
    return this.#log;
  }

  /** Starts it and waits until it answers. */
  async start(): Promise<void> {
    const child = spawn(this.#binary, ["up", "--data-dir", this.dataDir, ...this.#options], {
      stdio: ["ignore", "pipe", "pipe"],
    });
    this.#child = child;
    for (const stream of [child.stdout, child.stderr])
      stream.setEncoding("utf8").on("data", (text: string) => (this.#log = (this.#log + text).slice(-MAX_LOG_CHARS)));
    await waitUntil("the coordinator answers", COORDINATOR_START_MS, async () => {
      if (child.exitCode !== null) throw new Error(`the coordinator ended with ${child.exitCode}:\n${this.#log}`);
      return await this.isUp();
    });
  }

  async isUp(): Promise<boolean> {
    try {
      return (await fetch("http://davit/v1/health", { unix: this.socketPath })).ok;
    } catch {
      return false;
    }
  }

  /** Ends it in order; resolves with its exit code. */
  stop(): Promise<number | null> {
    return this.#end("SIGTERM");
  }

  /** As a power failure of its process would. */
  kill(): Promise<number | null> {
    return this.#end("SIGKILL");
  }

  /** Its exit code once it has ended by itself. */
  ended(): Promise<number | null> {
    const child = this.#child;
    if (child === undefined || child.exitCode !== null || child.signalCode !== null)
      return Promise.resolve(child?.exitCode ?? null);
    return new Promise((resolve) => child.once("close", (code) => resolve(code)));
  }

  #end(signal: NodeJS.Signals): Promise<number | null> {
    const ended = this.ended();
    this.#child?.kill(signal);
    return ended;
  }

  /** The environment that makes the command line talk to this coordinator. */
  get environment(): Readonly<Record<string, string | undefined>> {
    return { DAVIT_HOST: `unix://${this.socketPath}`, DAVIT_TOKEN: undefined, SSH_AUTH_SOCK: undefined, NO_COLOR: "1" };
  }

  /** Runs the command line to its end, whatever its exit code. */
  cli(argv: readonly string[], options: CommandOptions = {}): Promise<CommandResult> {
    return runCommand([this.#binary, ...argv], { ...options, env: { ...this.environment, ...options.env } });
  }

  /** What the command line printed; throws unless it ended with 0. */
  must(argv: readonly string[], options: CommandOptions = {}): Promise<string> {
    return mustRun([this.#binary, ...argv], { ...options, env: { ...this.environment, ...options.env } });
  }

  /** What a reading command printed with --json. The caller names its type. */
  async json<Value>(argv: readonly string[]): Promise<Value> {
    return JSON.parse(await this.must([...argv, "--json"])) as Value;
  }

  /** GET of the HTTP API over the owner's socket. The caller names the answer's type. */
  async get<Value>(path: string): Promise<Value> {
    const answer = await fetch(`http://davit${path}`, { unix: this.socketPath });
    if (!answer.ok) throw new Error(`GET ${path}: ${answer.status} ${await answer.text()}`);
    return (await answer.json()) as Value;
  }
}

export type Cluster = {
  readonly lab: Lab;
  readonly coordinator: CoordinatorProcess;
  /** Names of the nodes that joined: those of their hosts. */
  readonly nodes: readonly string[];
  /** Ends the coordinator, deletes its state and destroys the lab's hosts. */
  readonly down: () => Promise<void>;
};

/** A lab with `nodes` hosts, all joined. What an earlier test left in the lab is destroyed first. */
export async function startCluster(input: {
  readonly lab: Lab;
  readonly nodes: number;
  readonly kind?: HostKind;
  readonly registry?: boolean;
}): Promise<Cluster> {
  const { lab } = input;
  await lab.down();
  const nodes = await lab.up(input.nodes, input.kind ?? "ready");
  if (nodes.length > 0) await lab.localApt(...nodes);
  if (input.registry !== false) await lab.registryUp();
  const dataDir = mkdtempSync(join(tmpdir(), "davit-lab-"));
  const coordinator = new CoordinatorProcess(dataDir);
  async function down(): Promise<void> {
    await coordinator.stop();
    rmSync(dataDir, { recursive: true, force: true });
    await lab.down();
  }
  try {
    await coordinator.start();
    await joinNodes(lab, coordinator, nodes);
  } catch (error) {
    await down();
    throw new Error(`${String(error)}\n--- coordinator\n${coordinator.log}`, { cause: error });
  }
  return { lab, coordinator, nodes, down };
}

/** Joins hosts of the lab, in parallel, as a user would. */
export async function joinNodes(lab: Lab, coordinator: CoordinatorProcess, hosts: readonly string[]): Promise<string> {
  if (hosts.length === 0) return "";
  const targets = hosts.map((host) => `root@${lab.ip(host)}`);
  const argv = ["node", "add", ...targets, "--identity", lab.identityPath, "--accept-host-key"];
  return await coordinator.must(argv, { timeoutMs: JOIN_MS });
}

/** Looks until `check` is true; then says how long it took, in milliseconds. Throws after `timeoutMs`, with what the last look said. */
export async function waitUntil(
  what: string,
  timeoutMs: number,
  check: () => Promise<boolean> | boolean,
): Promise<number> {
  const started = performance.now();
  for (;;) {
    if (await check()) return performance.now() - started;
    if (performance.now() - started > timeoutMs) throw new Error(`waited ${timeoutMs} ms in vain until ${what}`);
    await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
  }
}
