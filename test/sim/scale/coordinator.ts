// The real coordinator in a process of its own, so that its memory and processor time are its own: store on SQLite, commit door, loops,
// sessions with the real codec, HTTP API. Only the way to agents is another (unix sockets for SSH), and signatures are not computed.
// Usage: bun coordinator.ts NODES TASKS; prints one line of JSON.

import { mkdtempSync, rmSync } from "node:fs";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { serveApi } from "../../../src/api/serve.ts";
import type { Backend } from "../../../src/api/backend.ts";
import { beginEpoch, clusterOf } from "../../../src/coordinator/begin.ts";
import { CommitDoor } from "../../../src/coordinator/commit-door.ts";
import { Coordinator } from "../../../src/coordinator/coordinator.ts";
import { createTrust } from "../../../src/coordinator/trust.ts";
import type { CommandContext } from "../../../src/core/commands/command.ts";
import { deployStack } from "../../../src/core/commands/deploy-stack.ts";
import { asId, ID_BYTES, idFromBytes, idSourceFrom } from "../../../src/core/model/ids.ts";
import type { Change, Node } from "../../../src/core/model/records.ts";
import { applyChanges } from "../../../src/core/model/world.ts";
import type { ControlStream } from "../../../src/ports/node-session.ts";
import { openFrameStream } from "../../../src/ssh/frame-stream.ts";
import { nextReconnectMs } from "../../../src/ssh/reconnect.ts";
import { openStore } from "../../../src/store/open.ts";
import { createCalendar } from "../../../src/system/calendar.ts";
import { createSystemClock } from "../../../src/system/clock.ts";
import { createHasher } from "../../../src/system/hasher.ts";
import { createLog } from "../../../src/system/log.ts";
import { createSystemRandom } from "../../../src/system/random.ts";
import { serviceOf, stackOf } from "../../fakes/stacks.ts";
import { template } from "../../fakes/world-model.ts";
import { publicKey, signerBy, verifierOf } from "../fakes/trust.ts";
import { HelperProcess } from "./helper-process.ts";
import {
  type AgentsCommand,
  type Count,
  type Measured,
  type Part,
  PARTS,
  type ReaderCommand,
  type Reads,
} from "./messages.ts";

const REPLICAS = 100;
const SERVICES_PER_STACK = 10;
const LOST_NODES = 50;
const REST_MS = 20_000;
/** Asking for the memory costs half a millisecond. */
const MEMORY_MS = 500;
const GIVE_UP_MS = 120_000;

const nodes = Number(process.argv[2]);
const tasks = Number(process.argv[3]);
const dir = mkdtempSync(join(tmpdir(), "davit-scale-"));

const clock = createSystemClock();
const random = createSystemRandom();
const hasher = createHasher();
const nextTick = createCalendar();

async function begin(agentsSocket: string) {
  const { store } = await openStore({ dataDir: dir, clock });
  const loaded = await store.load();
  const chain = await beginEpoch(store, loaded, random);
  const head = chain.at(-1) ?? { epoch: 0, nonce: "" };
  const { state } = loaded;
  const changes = founding();
  const { revision } = await store.commit({
    epoch: head.epoch,
    atMs: clock.nowMs(),
    changes,
    guards: [],
    events: [],
    audit: [],
  });
  applyChanges(state, changes);
  const fatal = (error: Error): void => {
    console.error(error);
    process.exit(1);
  };
  const door = new CommitDoor({ store, clock, epoch: head.epoch, state, revision, fatal });
  const trust = createTrust({
    cluster: clusterOf(state),
    epoch: head,
    clock,
    signerFor: () => signerBy(() => "issuer"),
    verifierOf: (jwk) => verifierOf(() => [jwk]),
    issuerKeys: () => [publicKey("issuer")],
  });
  const coordinator = new Coordinator({
    door,
    chain,
    clock,
    random,
    hasher,
    nextTick,
    log: createLog("coordinator"),
    dialer: { control: (node) => dial(agentsSocket, node), isReachableVia: async () => false },
    reconnectMs: nextReconnectMs,
    trust,
    unseal: (sealed) => sealed,
    forked: fatal,
    forget: () => {},
  });
  return { store, door, coordinator };
}

/** A real frame stream; the first line says whom it is for. */
function dial(path: string, node: Node): Promise<ControlStream> {
  const { promise, resolve, reject } = Promise.withResolvers<ControlStream>();
  const socket = connect(path);
  socket.once("error", reject);
  socket.once("connect", () => {
    socket.write(`${Number(node.name.slice(1))}\n`);
    resolve(openFrameStream(socket, new Promise<string>(() => {}), () => {}));
  });
  return promise;
}

function founding(): readonly Change[] {
  const cluster = {
    id: asId<"cluster">("c".repeat(25)),
    name: "default",
    createdAtMs: clock.nowMs(),
    addressPool: "10.0.0.0/8",
  };
  return [
    { op: "put", kind: "cluster", record: cluster },
    ...Array.from({ length: nodes }, (_, at): Change => ({ op: "put", kind: "node", record: nodeOf(at + 1) })),
  ];
}

function nodeOf(number: number): Node {
  return {
    id: asId<"node">(`node${String(number).padStart(5, "0")}`.padEnd(25, "0")),
    index: 1,
    name: `n${number}`,
    address: { host: `192.168.${number >> 8}.${number & 255}`, port: 22 },
    hostKey: "",
    agentKey: publicKey(`agent-${number}`),
    jump: [],
    labels: { zone: `z${number % 3}` },
    availability: "active",
    subnet: `10.${number >> 8}.${number & 255}.0/24`,
    reserved: { cpus: 0, memoryBytes: 0, generic: {} },
    joinedAtMs: clock.nowMs(),
  };
}

function contextNow(): CommandContext {
  return {
    nowMs: clock.nowMs(),
    newId: idSourceFrom(idFromBytes(random.bytes(ID_BYTES))),
    hash: (text) => hasher.hash(text),
    hashBytes: (bytes) => hasher.hashBytes(bytes),
    nextTick,
  };
}

async function deploy(door: CommitDoor): Promise<void> {
  const base = template({ image: "web:v1" });
  const resources = { ...base.resources, reservations: { cpus: 0.1, memoryBytes: 100_000_000, generic: {} } };
  const services = Math.ceil(tasks / REPLICAS);
  for (let from = 0; from < services; from += SERVICES_PER_STACK) {
    const name = `st${from / SERVICES_PER_STACK + 1}`;
    const own = Array.from({ length: Math.min(SERVICES_PER_STACK, services - from) }, (_, at) =>
      serviceOf(name, `s${at + 1}`, {
        replicas: Math.min(REPLICAS, tasks - (from + at) * REPLICAS),
        template: { resources },
      }),
    );
    await door.commit((state) => deployStack(stackOf(name, own))(state, contextNow()));
  }
}

/** Seconds until something holds. */
async function until(what: string, holds: () => boolean | Promise<boolean>): Promise<number> {
  const startedMs = performance.now();
  while (!(await holds())) {
    if (performance.now() - startedMs > GIVE_UP_MS) throw new Error(`${what}: not within ${GIVE_UP_MS / 1_000} s`);
    await Bun.sleep(50);
  }
  return (performance.now() - startedMs) / 1_000;
}

type Stalls = Record<Part, number>;

/** The process's own look at itself: memory, and how long its event loop stands still. */
function watch() {
  const seen = { rssMegabytes: 0, longestStallMs: Object.fromEntries(PARTS.map((one) => [one, 0])) as Stalls };
  let part: Part = "connecting";
  let memoryMs = 0;
  let lastMs = performance.now();
  const timer = setInterval(() => {
    const nowMs = performance.now();
    seen.longestStallMs[part] = Math.max(seen.longestStallMs[part], nowMs - lastMs - 20);
    lastMs = nowMs;
    if (nowMs < memoryMs) return;
    memoryMs = nowMs + MEMORY_MS;
    seen.rssMegabytes = Math.max(seen.rssMegabytes, process.memoryUsage.rss() / 1_048_576);
  }, 20);
  return { seen, begin: (next: Part) => void (part = next), stop: () => clearInterval(timer) };
}

async function main(): Promise<void> {
  const agents = await HelperProcess.start<AgentsCommand>("agents.ts", join(dir, "agents.sock"));
  const reader = await HelperProcess.start<ReaderCommand>("reader.ts", join(dir, "api.sock"));
  const { store, door, coordinator } = await begin(join(dir, "agents.sock"));
  const backend: Partial<Backend> = {
    world: () => coordinator.worldOf(door.state),
    revision: () => door.revision,
    epoch: () => 1,
    nowMs: () => clock.nowMs(),
    nodeContact: (id) => ({ message: coordinator.messageOf(id), routesBehindMs: coordinator.routesBehindMs(id) }),
    onChange: (listener) => coordinator.onChange(listener),
  };
  const api = serveApi({
    backend: backend as Backend,
    socketPath: join(dir, "api.sock"),
    verifier: verifierOf(() => []),
    signer: signerBy(() => "issuer"),
    log: createLog("api"),
  });
  const watching = watch();
  coordinator.start();
  const ids = [...door.state.node.values()].map((node) => node.id);
  const isAllReady = (): boolean => ids.every((id) => coordinator.isReady(id) && door.state.nodeStatus.has(id));
  const connectedSeconds = await until("every node is in contact", isAllReady);

  const paths = ["/v1/nodes/n1", "/v1/services/st1_s1", "/v1/services"];
  const readAll = (forMs: number): Promise<readonly Reads[]> =>
    Promise.all(paths.map((path) => reader.ask<Reads>({ path, everyMs: 100, forMs })));
  watching.begin("placing");
  await deploy(door);
  const reading = readAll(15_000);
  const placed = (): number => [...door.state.task.values()].filter((task) => task.nodeId !== undefined).length;
  const startedMs = performance.now();
  const placedSeconds = await until("every task has a node", () => placed() >= tasks);
  const running = async (): Promise<number> => (await agents.ask<Count>({ what: "count" })).running;
  const isHealthy = (): number =>
    [...door.state.taskStatus.values()].filter((status) => status.state === "running" && status.healthy === true)
      .length;
  await until("every task is healthy", () => isHealthy() >= tasks);
  const healthySeconds = (performance.now() - startedMs) / 1_000;
  const whilePlacing = await reading;

  await Bun.sleep(10_000);
  watching.begin("resting");
  const before = { cpu: process.cpuUsage(), beats: (await agents.ask<Count>({ what: "count" })).beats };
  await Bun.sleep(REST_MS);
  const spent = process.cpuUsage(before.cpu);
  const beats = (await agents.ask<Count>({ what: "count" })).beats - before.beats;
  const restMicroseconds = spent.user + spent.system;
  const atRest = await readAll(5_000);

  const events = { lost: 0 };
  door.onCommit((changes) => {
    for (const change of changes)
      if (change.op === "put" && change.kind === "nodeStatus" && change.record.unseenSinceMs !== undefined)
        events.lost += 1;
  });
  watching.begin("all connections broken");
  await agents.ask({ what: "storm" });
  const isAnyAway = (): boolean => ids.some((id) => coordinator.messageOf(id) !== "");
  const stormSeconds = await until("every node is back", () => !isAnyAway() && isAllReady());
  await Bun.sleep(8_000);
  const falseLosses = events.lost;

  const lostNodes = Math.min(LOST_NODES, Math.floor(nodes / 4));
  const onLost = [...door.state.task.values()].filter((task) => Number(task.nodeId?.slice(4, 9)) <= lostNodes).length;
  watching.begin("nodes lost");
  await agents.ask({ what: "kill", count: lostNodes });
  const replacedSeconds = await until("what was lost runs again", async () => (await running()) >= tasks);

  const measured: Measured = {
    nodes,
    tasks,
    connectedSeconds,
    placedSeconds,
    healthySeconds,
    beatMicroseconds: restMicroseconds / beats,
    restPercent: (restMicroseconds / 1_000 / REST_MS) * 100,
    whilePlacing,
    atRest,
    ...watching.seen,
    lostNodes,
    replacedTasks: onLost,
    replacedSeconds,
    stormSeconds,
    falseLosses,
  };
  console.log(JSON.stringify(measured));
  watching.stop();
  coordinator.stop("measured");
  await api.stop();
  await door.close("measured");
  await store.close();
  agents.stop();
  reader.stop();
}

try {
  await main();
} finally {
  rmSync(dir, { recursive: true, force: true });
}
process.exit(0);
