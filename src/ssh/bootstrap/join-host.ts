// The whole join of one host, as a story: connect, look, give it an engine, let the cluster in, start the agent, and wait until it answers to
// the cluster's own key. Every step looks first and does only what is missing, so a join that was cut is run again as it is.

import { DavitError, reasonOf } from "../../core/model/errors.ts";
import type { JoinRequest } from "../../core/model/views.ts";
import type { AgentFrame } from "../../core/protocol/frames.ts";
import { BULK_KEEP_ALIVE, connect, type Connection, CONTROL_KEEP_ALIVE, type Hop } from "../connection.ts";
import { CONTROL_SOCKET, dialSocket } from "../dial.ts";
import { openFrameStream } from "../frame-stream.ts";
import type { HandshakeGates } from "../gate.ts";
import { fingerprintOf } from "../host-keys.ts";
import { SshHostShell } from "../host-shell.ts";
import { findRootAccess } from "../root-access.ts";
import { showTarget } from "../target.ts";
import { ensureAccess } from "./access.ts";
import { type AgentBinary, ensureBinary, ensureFiles, ensureRunning } from "./agent.ts";
import { ensureEngine } from "./engine.ts";
import type { HostFacts } from "./facts.ts";
import { authorizeOnHops, type PinnedHop } from "./hops.ts";
import { USER } from "./paths.ts";
import { preflight } from "./preflight.ts";
import { type StepProgress, type Steps, stepsOf } from "./steps.ts";

export type JoinInput = {
  readonly request: Omit<JoinRequest, "name" | "labels">;
  readonly clusterId: string;
  readonly nodeId: string;
  /** The node's name, once the host has said its own: where that is taken or ill-formed, another one. */
  readonly nameOf: (hostName: string) => string;
  readonly addressPool: string;
  /** Names of the cluster's nodes by id. */
  readonly members: ReadonlyMap<string, string>;
  /** Public JWK texts of the issuer. */
  readonly issuerKeys: readonly string[];
  /** OpenSSH public key line and PEM. */
  readonly clusterKey: { readonly publicKey: string; readonly privateKey: string };
  readonly binaryFor: (architecture: "x64" | "arm64") => Promise<AgentBinary>;
  readonly gates: HandshakeGates;
  /** The coordinator's wall clock, milliseconds since 1970. */
  readonly wallNowMs: () => number;
  /** A clock for durations, in milliseconds. */
  readonly nowMs: () => number;
  readonly report: (progress: StepProgress) => void;
};

export type JoinOutcome = {
  readonly nodeName: string;
  readonly hostKey: string;
  /** Public JWK text. */
  readonly agentKey: string;
  /** The hops to pin with the node. */
  readonly jump: readonly PinnedHop[];
  readonly facts: HostFacts;
};

const CONNECT_TIMEOUT_MS = 10_000;
const HANDSHAKE_TIMEOUT_MS = 20_000;
/** From the start of the unit until a challenge comes; the unit itself said before that it is ready. */
const ANSWER_TIMEOUT_MS = 15_000;

/** Makes a host ready to be a node. Rejects with DavitError: `ssh_failed`, `preflight_failed` or `bootstrap_failed`. */
export async function joinHost(input: JoinInput): Promise<JoinOutcome> {
  const steps = stepsOf(input.report, input.nowMs);
  const connection = await connectStep(steps, input);
  let upload: Connection | undefined;
  try {
    const { shell, facts } = await preflightStep(steps, input, connection);
    // a connection of its own: an upload would make everything else wait
    upload = await connect(hopsOf(input, connection), { ...optionsOf(input), keepAlive: BULK_KEEP_ALIVE });
    const uploadShell = new SshHostShell(upload, shell.options);
    const nodeName = input.nameOf(facts.hostName);
    const [, , binaryChanged] = await allOrFirstFailure([
      steps.run("engine", "make sure that Docker runs", (note) => ensureEngine(shell.shell, facts, note)),
      steps.run("access", `let the cluster's key in as ${USER}`, () => ensureAccess(shell.shell, facts, input.clusterKey.publicKey)),
      steps.run("agent", "upload the agent", async () => ensureBinary(uploadShell, facts.installed.binarySha256, await input.binaryFor(architectureOf(facts)))),
    ]);
    const { clusterId, nodeId, issuerKeys } = input;
    const files = await steps.run("files", "write the agent's files", () => ensureFiles(shell.shell, { clusterId, nodeId, nodeName, issuerKeys }));
    await steps.run("start", "start the agent", () => ensureRunning(shell.shell, facts, binaryChanged || files.changed.length > 0));
    const jump = await authorizeOnHops(steps, connection.jump, input.clusterKey.publicKey);
    await steps.run("answer", "wait for the agent's answer to the cluster's key", () => awaitAgent(input, connection.hostKey, jump));
    return { nodeName, hostKey: connection.hostKey, agentKey: files.agentKey, jump, facts };
  } finally {
    upload?.close();
    connection.close();
  }
}

/** Waits for all, so that nothing goes on behind a failure's back, then gives all values or the first failure. */
async function allOrFirstFailure<A, B, C>(work: readonly [Promise<A>, Promise<B>, Promise<C>]): Promise<[A, B, C]> {
  await Promise.allSettled(work);
  return await Promise.all(work);
}

function optionsOf(input: JoinInput): { readonly gates: HandshakeGates; readonly connectTimeoutMs: number; readonly handshakeTimeoutMs: number } {
  return { gates: input.gates, connectTimeoutMs: CONNECT_TIMEOUT_MS, handshakeTimeoutMs: HANDSHAKE_TIMEOUT_MS };
}

/** The way to the host with the user's keys; once connected, with the keys that the hosts showed. */
function hopsOf(input: JoinInput, opened?: Connection): readonly [Hop, ...Hop[]] {
  const { request } = input;
  const { identities, agentSocket, identitiesOnly } = request;
  const credentials = { identities, ...(agentSocket === undefined ? {} : { agentSocket }), ...(identitiesOnly === undefined ? {} : { identitiesOnly }) };
  const shown = opened === undefined ? [] : [...opened.jump, opened];
  const rule = { kind: "known", knownHosts: request.knownHosts, acceptNew: request.acceptNewHostKey } as const;
  const hop = (target: Hop["target"], at: number): Hop => {
    const hostKey = shown[at]?.hostKey;
    return { target, credentials, hostKeyRule: hostKey === undefined ? rule : { kind: "pinned", hostKey } };
  };
  const last = hop({ user: request.user, host: request.host, port: request.port }, request.jump.length);
  const [first, ...rest] = request.jump.map(hop);
  return first === undefined ? [last] : [first, ...rest, last];
}

function connectStep(steps: Steps, input: JoinInput): Promise<Connection> {
  return steps.run("connect", `connect to ${showTarget(input.request)}`, async () => {
    const connection = await connect(hopsOf(input), { ...optionsOf(input), keepAlive: CONTROL_KEEP_ALIVE });
    return { value: connection, message: `connected; its host key is pinned: ${fingerprintOf(connection.hostKey)}` };
  });
}

type RootShell = { readonly shell: SshHostShell; readonly options: ConstructorParameters<typeof SshHostShell>[1] };

function preflightStep(steps: Steps, input: JoinInput, connection: Connection): Promise<{ readonly shell: RootShell; readonly facts: HostFacts }> {
  const { clusterId, addressPool, members, request } = input;
  return steps.run("preflight", "look at the host", async (note) => {
    const root = await findRootAccess(connection, request.sudoPassword);
    const problems = root.access === undefined ? [root.problem] : [];
    const options = { rootAccess: root.access ?? "is-root", ...(request.sudoPassword === undefined ? {} : { sudoPassword: request.sudoPassword }) } as const;
    const shell = new SshHostShell(connection, options);
    const { facts, notes } = await preflight(shell, { clusterId, addressPool, members }, problems, input.wallNowMs);
    for (const finding of notes) note(`${finding.message}; ${finding.wayOut}`);
    return { value: { shell: { shell, options }, facts }, message: `${facts.os.name}, ${facts.machine}, kernel ${facts.kernel}: nothing stands in the way` };
  });
}

function architectureOf(facts: HostFacts): "x64" | "arm64" {
  return facts.machine === "aarch64" ? "arm64" : "x64";
}

/** Opens the control stream as the coordinator will, from outside, with the cluster's key and the pinned host keys. */
async function awaitAgent(input: JoinInput, hostKey: string, jump: readonly PinnedHop[]): Promise<{ readonly value: void; readonly message: string }> {
  const { request, clusterKey } = input;
  const credentials = { identities: [clusterKey.privateKey] };
  const before = jump.map(({ hostKey: key, ...target }): Hop => ({ target, credentials, hostKeyRule: { kind: "pinned", hostKey: key } }));
  const last: Hop = { target: { user: USER, host: request.host, port: request.port }, credentials, hostKeyRule: { kind: "pinned", hostKey } };
  const [first, ...rest] = [...before, last];
  const connection = await connect([first ?? last, ...rest], { ...optionsOf(input), keepAlive: CONTROL_KEEP_ALIVE });
  try {
    const frame = await firstFrame(connection);
    if (frame.type !== "challenge") throw new DavitError("bootstrap_failed", `ask the agent on ${connection.target.host}: it began with ${frame.type}`);
    if (frame.nodeId !== input.nodeId) {
      throw new DavitError("bootstrap_failed", `ask the agent on ${connection.target.host}: it says that it is node ${frame.nodeId}`, { wayOut: "join again" });
    }
    return { value: undefined, message: `agent ${frame.agentVersion} answers to the cluster's key` };
  } finally {
    connection.close();
  }
}

async function firstFrame(connection: Connection): Promise<AgentFrame> {
  const stream = openFrameStream(await dialSocket(connection, CONTROL_SOCKET), connection.closed);
  let timer: ReturnType<typeof setTimeout> | undefined;
  try {
    return await new Promise<AgentFrame>((resolve, reject) => {
      const fail = (reason: string): void => reject(new DavitError("bootstrap_failed", `ask the agent on ${connection.target.host}: ${reason}`, { wayOut: "look at `journalctl -u davit-agent` on the host" }));
      timer = setTimeout(() => fail(`no answer within ${ANSWER_TIMEOUT_MS / 1000} s`), ANSWER_TIMEOUT_MS);
      stream.onClose(fail);
      stream.onFrame(resolve);
    });
  } finally {
    clearTimeout(timer);
    stream.close(reasonOf("asked"));
  }
}
