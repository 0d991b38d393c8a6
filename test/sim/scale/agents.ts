// A process with a thousand agents: each speaks the control protocol over a unix socket as a real one does over SSH, and pretends that its
// containers start within a second. Routes that all of them get are parsed once: it is the coordinator that is measured.
// Usage: bun agents.ts SOCKET; commands come as lines of JSON on its input, answers go as lines to its output.

import { createServer, type Socket } from "node:net";
import type { TaskStatus } from "../../../src/core/model/records.ts";
import type { TaskWork, WorkDelta, WorkPosition } from "../../../src/core/model/work.ts";
import { BEAT_INTERVAL_MS } from "../../../src/core/model/lease.ts";
import { encodeFrame, FrameDecoder } from "../../../src/core/protocol/codec.ts";
import {
  type AgentFrame,
  type CoordinatorFrame,
  type Open,
  PROTOCOL_VERSION,
  type RoutesFrame,
} from "../../../src/core/protocol/frames.ts";
import { signerBy } from "../fakes/trust.ts";
import { obeyLines } from "./command-lines.ts";
import type { AgentsCommand } from "./messages.ts";

/** A container is made and started within these, and healthy a second later. */
const START_MS = [150, 900] as const;
const SETTLE_MS = 1_000;
const STOP_MS = 200;
/** As the real agent collects what it tells. */
const OBSERVE_BATCH_MS = 30;
const MEASURE_MS = 10_000;
const LONG_BYTES = 2_048;
const KEPT_FRAMES = 2_000;

const [socketPath = ""] = process.argv.slice(2);
const dead = new Set<number>();
const agents = new Map<number, Agent>();
const longFrames = new Map<number | bigint, CoordinatorFrame>();
let beats = 0;

/** What one agent knows, over its sessions. */
class Agent {
  readonly #number: number;
  readonly #statuses = new Map<string, TaskStatus>();
  readonly #changed = new Map<string, TaskStatus>();
  readonly #gone = new Set<string>();
  #held: WorkPosition | undefined;
  #routes: WorkPosition | undefined;
  readonly #routeHashes = new Map<string, string>();
  readonly #routeParts: RoutesFrame["delta"][] = [];
  #socket: Socket | undefined;
  #isOpen = false;
  #seq = 0;
  #beat: Timer | undefined;
  #measure: Timer | undefined;
  #isBatching = false;

  constructor(number: number) {
    this.#number = number;
  }

  get running(): number {
    let count = 0;
    for (const { state, healthy } of this.#statuses.values()) if (state === "running" && healthy === true) count += 1;
    return count;
  }

  connect(socket: Socket): void {
    this.close();
    this.#routeParts.length = 0;
    this.#socket = socket;
    const decoder = new SharedDecoder();
    socket.on("data", (bytes: Uint8Array) => {
      for (const frame of decoder.push(bytes)) this.#take(frame);
    });
    this.#send({
      type: "challenge",
      protocol: PROTOCOL_VERSION,
      agentVersion: "1.0.0",
      nodeId: nodeIdOf(this.#number),
      nonce: `${Math.random()}`,
    });
  }

  close(): void {
    clearTimeout(this.#beat);
    clearTimeout(this.#measure);
    this.#isOpen = false;
    this.#socket?.destroy();
    this.#socket = undefined;
  }

  #send(frame: AgentFrame): void {
    this.#socket?.write(encodeFrame(frame));
  }

  #take(frame: CoordinatorFrame): void {
    if (frame.type === "open") void this.#open(frame);
    else if (frame.type === "work") this.#work(frame.delta);
    else if (frame.type === "routes") this.#takeRoutes(frame);
  }

  /** Routes are in force at once here; a real agent takes some milliseconds. */
  #takeRoutes({ delta, more }: RoutesFrame): void {
    this.#routeParts.push(delta);
    if (more === true) return this.#send({ type: "moreRoutes" });
    for (const { put, drop } of this.#routeParts.splice(0)) {
      for (const key of drop) this.#routeHashes.delete(key);
      for (const [key, { hash }] of Object.entries(put)) this.#routeHashes.set(key, hash);
    }
    this.#routes = { epoch: delta.epoch, generation: delta.generation };
    this.#acknowledge();
  }

  #acknowledge(): void {
    const held = this.#held ?? { epoch: 0, generation: 0 };
    const routes = this.#routes === undefined ? {} : { routes: { received: this.#routes, applied: this.#routes } };
    this.#send({ type: "applied", received: held, applied: held, ...routes });
  }

  async #open(frame: Open): Promise<void> {
    const iss = nodeIdOf(this.#number);
    const claims = {
      iss,
      sub: iss,
      aud: "coordinator",
      scope: "agent:session",
      iat: 0,
      exp: 0,
      challenge: frame.nonce,
    };
    const token = await signerBy(() => `agent-${this.#number}`).sign(claims);
    this.#isOpen = true;
    this.#send({
      type: "welcome",
      token,
      ...(this.#held === undefined ? {} : { held: this.#held }),
      heldHashes: {},
      ...(this.#routes === undefined
        ? {}
        : { routes: { held: this.#routes, hashes: Object.fromEntries(this.#routeHashes) } }),
      node: {
        bootId: `boot-${this.#number}`,
        agentVersion: "1.0.0",
        engineVersion: "20.10.24",
        engineLabels: {},
        platform: { os: "linux", arch: "x86_64" },
        kernel: "6.1.0",
        resources: { cpus: 16, memoryBytes: 64_000_000_000, generic: {} },
        listening: ["tcp/22"],
      },
      tasks: [...this.#statuses.values()],
    });
    this.#beating();
    this.#measuring();
  }

  #beating(): void {
    if (!this.#isOpen) return;
    beats += 1;
    this.#send({ type: "beat", seq: ++this.#seq });
    this.#beat = setTimeout(() => this.#beating(), BEAT_INTERVAL_MS);
  }

  #measuring(): void {
    if (!this.#isOpen) return;
    const measured = {
      cpuFraction: Math.random() / 2,
      memoryUsedBytes: 1e9,
      diskFreeBytes: 1e11,
      diskTotalBytes: 2e11,
    };
    this.#send({ type: "measured", measured });
    this.#measure = setTimeout(() => this.#measuring(), MEASURE_MS);
  }

  #work(delta: WorkDelta): void {
    const position = { epoch: delta.epoch, generation: delta.generation };
    this.#held = position;
    for (const { content } of Object.values(delta.put)) if (content.kind === "task") this.#task(content);
    this.#acknowledge();
  }

  #task({ taskId: id, desired }: TaskWork): void {
    const known = this.#statuses.get(id);
    if (desired === "running" && known === undefined) {
      const base = { id, attempt: 1, reason: "", exhausted: false, containerId: `c-${id}` } as const;
      this.#tell({ ...base, state: "preparing", stateAtMs: Date.now() });
      after(between(...START_MS), () => {
        const startedAtMs = Date.now();
        this.#tell({ ...base, state: "running", stateAtMs: startedAtMs, startedAtMs });
        after(SETTLE_MS, () =>
          this.#tell({ ...base, state: "running", stateAtMs: startedAtMs, startedAtMs, healthy: true }),
        );
      });
    } else if (desired === "shutdown" && known !== undefined && known.state !== "shutdown") {
      after(STOP_MS, () => this.#tell({ ...known, state: "shutdown", stateAtMs: Date.now(), healthy: false }));
    } else if (desired === "remove") {
      this.#statuses.delete(id);
      this.#gone.add(id);
      this.#flushSoon();
    }
  }

  #tell(status: TaskStatus): void {
    const known = this.#statuses.get(status.id);
    if (known?.state === "shutdown") return;
    this.#statuses.set(status.id, status);
    this.#changed.set(status.id, status);
    this.#flushSoon();
  }

  #flushSoon(): void {
    if (this.#isBatching) return;
    this.#isBatching = true;
    after(OBSERVE_BATCH_MS, () => {
      this.#isBatching = false;
      if (!this.#isOpen) return;
      this.#send({ type: "observe", tasks: [...this.#changed.values()], gone: [...this.#gone] });
      this.#changed.clear();
      this.#gone.clear();
    });
  }
}

/** Frames of one connection; a long one that another agent got already, byte by byte, is not parsed again. */
class SharedDecoder {
  #pending: Uint8Array[] = [];

  push(chunk: Uint8Array): readonly CoordinatorFrame[] {
    const frames: CoordinatorFrame[] = [];
    let from = 0;
    for (let end = chunk.indexOf(10); end !== -1; end = chunk.indexOf(10, from)) {
      this.#pending.push(chunk.subarray(from, end + 1));
      frames.push(parsed(Buffer.concat(this.#pending)));
      this.#pending = [];
      from = end + 1;
    }
    if (from < chunk.length) this.#pending.push(chunk.slice(from));
    return frames;
  }
}

function parsed(line: Uint8Array): CoordinatorFrame {
  const key = line.length < LONG_BYTES ? undefined : Bun.hash(line);
  const known = key === undefined ? undefined : longFrames.get(key);
  if (known !== undefined) return known;
  const [frame] = new FrameDecoder().push(line) as CoordinatorFrame[];
  if (frame === undefined) throw new Error("a line without a frame");
  if (key === undefined) return frame;
  if (longFrames.size >= KEPT_FRAMES) longFrames.clear();
  longFrames.set(key, frame);
  return frame;
}

function after(delayMs: number, run: () => void): void {
  setTimeout(run, delayMs);
}

function between(from: number, to: number): number {
  return from + Math.random() * (to - from);
}

function nodeIdOf(number: number): string {
  return `node${String(number).padStart(5, "0")}`.padEnd(25, "0");
}

const server = createServer((socket) => {
  socket.on("error", () => {});
  // the first line says whom the coordinator wants to speak to
  socket.once("data", (bytes: Uint8Array) => {
    const number = Number(new TextDecoder().decode(bytes).trim());
    if (dead.has(number)) return void socket.destroy();
    const agent = agents.get(number) ?? new Agent(number);
    agents.set(number, agent);
    agent.connect(socket);
  });
});
server.listen(socketPath, () => console.log(JSON.stringify({ ready: true })));

async function obey(command: AgentsCommand): Promise<unknown> {
  switch (command.what) {
    case "kill":
      for (let number = 1; number <= command.count; number++) dead.add(number);
      for (const number of dead) agents.get(number)?.close();
      return {};
    case "storm":
      for (const agent of agents.values()) agent.close();
      return {};
    case "count": {
      let running = 0;
      for (const [number, agent] of agents) if (!dead.has(number)) running += agent.running;
      return { running, beats };
    }
  }
}

obeyLines((command) => obey(command as AgentsCommand));
