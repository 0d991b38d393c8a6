// A real davit for a test: a coordinator in a process of its own on this machine, hosts of the lab joined through the command line, and
// everything asked through the command line or the owner's socket.

import { type ChildProcess, spawn } from "node:child_process";
import { closeSync, existsSync, mkdirSync, mkdtempSync, openSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import type { HostKind, Lab } from "./lab.ts";
import { mustRun, runCommand, type CommandOptions, type CommandResult } from "./run-command.ts";

export const BINARY = process.env["DAVIT_BINARY"] ?? join(import.meta.dirname, "..", "..", "dist", "davit-linux-x64");

/** Data directories of coordinators are the lab's, so that whoever cleans a lab finds them. */
const DATA_PREFIX = "data-";
const COORDINATOR_START_MS = 15_000;
const COORDINATOR_STOP_MS = 15_000;
const JOIN_MS = 240_000;
/** Between two looks at something that is waited for. */
const LOOK_MS = 100;

/** A coordinator on this machine, with its state in a directory of its own. It outlives this process unless it is stopped. */
export class CoordinatorProcess {
  readonly dataDir: string;
  readonly #binary: string;
  readonly #options: readonly string[];
  #child: ChildProcess | undefined;

  constructor(dataDir: string, options: readonly string[] = ["--listen", "off"], binary = BINARY) {
    this.dataDir = dataDir;
    this.#options = options;
    this.#binary = binary;
  }

  get socketPath(): string {
    return join(this.dataDir, "davit.sock");
  }

  get logPath(): string {
    return join(this.dataDir, "coordinator.log");
  }

  get pid(): number | undefined {
    return this.#child?.pid;
  }

  /** What it has written so far, over all its starts. */
  get log(): string {
    return existsSync(this.logPath) ? readFileSync(this.logPath, "utf8") : "";
  }

  /** Starts it and waits until it answers. */
  async start(): Promise<void> {
    const child = this.spawn();
    await waitUntil("the coordinator answers", COORDINATOR_START_MS, async () => {
      if (child.exitCode !== null) throw new Error(`the coordinator ended with ${child.exitCode}:\n${this.log}`);
      return await this.isUp();
    });
  }

  /** Starts it without waiting: it may refuse to start. */
  spawn(): ChildProcess {
    mkdirSync(this.dataDir, { recursive: true, mode: 0o700 });
    const log = openSync(this.logPath, "a");
    const argv = ["up", "--data-dir", this.dataDir, ...this.#options];
    const child = spawn(this.#binary, argv, { stdio: ["ignore", log, log], detached: true });
    closeSync(log);
    child.unref();
    this.#child = child;
    return child;
  }

  async isUp(): Promise<boolean> {
    try {
      return (await fetch("http://davit/v1/health", { unix: this.socketPath })).ok;
    } catch {
      return false;
    }
  }

  /** Ends it in order. */
  stop(): Promise<void> {
    return this.#end("SIGTERM");
  }

  /** As the end of its machine would. */
  kill(): Promise<void> {
    return this.#end("SIGKILL");
  }

  /** Resolves with its exit code once it has ended by itself. */
  async ended(timeoutMs = COORDINATOR_STOP_MS): Promise<number | null> {
    const child = this.#child;
    if (child === undefined) return null;
    await waitUntil("the coordinator ends", timeoutMs, () => child.exitCode !== null || child.signalCode !== null);
    return child.exitCode;
  }

  async #end(signal: NodeJS.Signals): Promise<void> {
    this.#child?.kill(signal);
    await this.ended();
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
    return JSON.parse(await this.text(path)) as Value;
  }

  /** The same, as it comes. */
  async text(path: string): Promise<string> {
    const answer = await fetch(`http://davit${path}`, { unix: this.socketPath });
    const body = await answer.text();
    if (!answer.ok) throw new Error(`GET ${path}: ${answer.status} ${body}`);
    return body;
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
  /** How many of them have Debian 13 and its engine; the others have Debian 12. */
  readonly newer?: number;
  readonly registry?: boolean;
  /** More options of `davit up`. */
  readonly up?: readonly string[];
}): Promise<Cluster> {
  const { lab } = input;
  await cleanLab(lab);
  const nodes = await lab.up(input.nodes, input.kind ?? "ready", input.newer);
  if (nodes.length > 0) await lab.localApt(...nodes);
  if (input.registry !== false) await lab.registryUp();
  const dataDir = mkdtempSync(join(lab.directory, DATA_PREFIX));
  const coordinator = new CoordinatorProcess(dataDir, ["--listen", "off", ...(input.up ?? [])]);
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
export async function joinNodes(
  lab: Lab,
  coordinator: CoordinatorProcess,
  hosts: readonly string[],
  onOutput: (text: string) => void = () => undefined,
): Promise<string> {
  if (hosts.length === 0) return "";
  const targets = hosts.map((host) => `root@${lab.ip(host)}`);
  const argv = ["node", "add", ...targets, "--identity", lab.identityPath, "--accept-host-key"];
  return await coordinator.must(argv, { timeoutMs: JOIN_MS, onOutput });
}

/** Takes down what an earlier run left in a lab, its coordinators included. */
export async function cleanLab(lab: Lab): Promise<void> {
  const names = existsSync(lab.directory) ? readdirSync(lab.directory) : [];
  for (const name of names.filter((each) => each.startsWith(DATA_PREFIX))) {
    const dataDir = join(lab.directory, name);
    const pid = coordinatorOf(dataDir);
    if (pid !== undefined) {
      process.kill(pid, "SIGTERM");
      await waitUntil("an earlier coordinator ends", COORDINATOR_STOP_MS, () => coordinatorOf(dataDir) === undefined);
    }
    rmSync(dataDir, { recursive: true, force: true });
  }
  await lab.down();
}

/** The process that was started on a data directory, if it still runs. */
function coordinatorOf(dataDir: string): number | undefined {
  for (const entry of readdirSync("/proc").filter((name) => /^\d+$/.test(name))) {
    try {
      const argv = readFileSync(`/proc/${entry}/cmdline`, "utf8").split("\0");
      if (argv[1] === "up" && argv.includes(dataDir)) return Number(entry);
    } catch {
      // it ended meanwhile
    }
  }
  return undefined;
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
