// The whole join of one host, as a story: connect, look, give it an engine, let the cluster in, start the agent, and wait until it answers to
// the cluster's own key. Every step looks first and does only what is missing, so a join that was cut is run again as it is.

import { DavitError } from "../../core/model/errors.ts";
import type { AgentFrame } from "../../core/protocol/frames.ts";
import { BULK_KEEP_ALIVE, connect, type Connection, CONTROL_KEEP_ALIVE, type Hop } from "../connection.ts";
import { dialSocket } from "../dial.ts";
import { openFrameStream } from "../frame-stream.ts";
import type { HandshakeGates } from "../gate.ts";
import { SshHostShell } from "../host-shell.ts";
import { ensureAccess } from "./access.ts";
import { type AgentBinary, ensureBinary, ensureFiles, ensureRunning } from "./agent.ts";
import { architectureOf } from "./architecture.ts";
import { ensureEngine } from "./engine.ts";
import type { HostFacts } from "./facts.ts";
import { ensureFirewall } from "./host-firewall.ts";
import { authorizeOnHops, type PinnedHop } from "./hops.ts";
import type { MeshSettings } from "./network-plan.ts";
import { CONTROL_SOCKET, USER } from "../paths.ts";
import { preflight } from "./preflight.ts";
import { type StepProgress, type Steps, stepsOf } from "./steps.ts";
import {
  connectAsUser,
  connectStep,
  JOIN_TIMEOUTS,
  openRootShell,
  type RootShell,
  type UserAccess,
} from "./user-connection.ts";

export type JoinInput = {
  readonly request: UserAccess;
  readonly clusterId: string;
  readonly nodeId: string;
  /** The node's name, once the host has said its own: where that is taken or ill-formed, another one. */
  readonly nameOf: (hostName: string) => string;
  readonly addressPool: string;
  readonly mesh: MeshSettings;
  /** Names of the services by the ports that every node answers on for them: "tcp/8100". */
  readonly published: ReadonlyMap<string, string>;
  /** Where its peers reach it, if that is not where it is joined: a name or an address. */
  readonly meshHost?: string;
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

/** From the start of the unit until a challenge comes; the unit itself said before that it is ready. */
const ANSWER_TIMEOUT_MS = 15_000;

/** Makes a host ready to be a node. Rejects with DavitError: `ssh_failed`, `preflight_failed` or `bootstrap_failed`. */
export async function joinHost(input: JoinInput): Promise<JoinOutcome> {
  const steps = stepsOf(input.report, input.nowMs);
  const connection = await connectStep(steps, input.request, input.gates);
  let upload: Connection | undefined;
  try {
    const { root, facts } = await preflightStep(steps, input, connection);
    // a connection of its own: an upload would make everything else wait
    upload = await connectAsUser(input.request, input.gates, BULK_KEEP_ALIVE, connection);
    const uploadShell = new SshHostShell(upload, root.options);
    const nodeName = input.nameOf(facts.hostName);
    const [, prepared] = await allOrFirstFailure([
      steps.run("engine", "make sure that Docker runs", (note) => ensureEngine(root.shell, facts, note)),
      prepareAgent(steps, input, { shell: root.shell, uploadShell, facts, nodeName }),
    ]);
    await steps.run("firewall", "open the host's own firewall", () => ensureFirewall(root.shell, facts, input.mesh));
    await steps.run("start", "start the agent", () => ensureRunning(root.shell, facts, prepared.changed));
    const jump = await authorizeOnHops(steps, connection.jump, input.clusterKey.publicKey);
    await steps.run("answer", "wait for the agent's answer to the cluster's key", () =>
      awaitAgent(input, connection.hostKey, jump),
    );
    return { nodeName, hostKey: connection.hostKey, agentKey: prepared.agentKey, jump, facts };
  } finally {
    upload?.close();
    connection.close();
  }
}

/** Waits for both, so that nothing goes on behind a failure's back, then gives both values or the first failure. */
async function allOrFirstFailure<A, B>(work: readonly [Promise<A>, Promise<B>]): Promise<[A, B]> {
  await Promise.allSettled(work);
  return await Promise.all(work);
}

type Preparation = {
  readonly shell: SshHostShell;
  readonly uploadShell: SshHostShell;
  readonly facts: HostFacts;
  readonly nodeName: string;
};

/** All that the agent needs but a running engine: done while packages are installed. */
async function prepareAgent(
  steps: Steps,
  input: JoinInput,
  { shell, uploadShell, facts, nodeName }: Preparation,
): Promise<{ readonly agentKey: string; readonly changed: boolean }> {
  const { clusterId, nodeId, issuerKeys, clusterKey } = input;
  const [, uploaded] = await allOrFirstFailure([
    steps.run("access", `let the cluster's key in as ${USER}`, () => ensureAccess(shell, facts, clusterKey.publicKey)),
    steps.run("agent", "upload the agent", async () =>
      ensureBinary(uploadShell, facts.installed.binarySha256, await input.binaryFor(architectureOf(facts))),
    ),
  ]);
  const files = await steps.run("files", "write the agent's files", () =>
    ensureFiles(shell, { clusterId, nodeId, nodeName, issuerKeys }),
  );
  return { agentKey: files.agentKey, changed: uploaded || files.changed.length > 0 };
}

function preflightStep(
  steps: Steps,
  input: JoinInput,
  connection: Connection,
): Promise<{ readonly root: RootShell; readonly facts: HostFacts }> {
  const { clusterId, addressPool, mesh, published, members, request } = input;
  return steps.run("preflight", "look at the host", async (note) => {
    const root = await openRootShell(connection, request.sudoPassword);
    const { facts, notes } = await preflight(
      root.shell,
      { clusterId, addressPool, mesh, published, host: input.meshHost ?? request.host, members },
      root.problems,
      input.wallNowMs,
    );
    for (const finding of notes) note(`${finding.message}; ${finding.wayOut}`);
    const message = `${facts.os.name}, ${facts.machine}, kernel ${facts.kernel}: nothing stands in the way`;
    return { value: { root, facts }, message };
  });
}

/** Opens the control stream as the coordinator will, from outside, with the cluster's key and the pinned host keys. */
async function awaitAgent(
  input: JoinInput,
  hostKey: string,
  jump: readonly PinnedHop[],
): Promise<{ readonly value: void; readonly message: string }> {
  const { request, clusterKey } = input;
  const credentials = { identities: [clusterKey.privateKey] };
  const before = jump.map(({ hostKey: key, ...target }): Hop => ({
    target,
    credentials,
    hostKeyRule: { kind: "pinned", hostKey: key },
  }));
  const last: Hop = {
    target: { user: USER, host: request.host, port: request.port },
    credentials,
    hostKeyRule: { kind: "pinned", hostKey },
  };
  const [first, ...rest] = [...before, last];
  const connection = await connect([first ?? last, ...rest], {
    gates: input.gates,
    ...JOIN_TIMEOUTS,
    keepAlive: CONTROL_KEEP_ALIVE,
  });
  try {
    const frame = await firstFrame(connection);
    if (frame.type !== "challenge")
      throw new DavitError(
        "bootstrap_failed",
        `ask the agent on ${connection.target.host}: it began with ${frame.type}`,
      );
    if (frame.nodeId !== input.nodeId) {
      throw new DavitError(
        "bootstrap_failed",
        `ask the agent on ${connection.target.host}: it says that it is node ${frame.nodeId}`,
        { wayOut: "join again" },
      );
    }
    return {
      value: undefined,
      message: `agent ${frame.agentVersion} answers to the cluster's key`,
    };
  } finally {
    connection.close();
  }
}

async function firstFrame(connection: Connection): Promise<AgentFrame> {
  const stream = openFrameStream(await dialSocket(connection, CONTROL_SOCKET), connection.closed, () =>
    connection.close(),
  );
  let timer: ReturnType<typeof setTimeout> | undefined;
  try {
    return await new Promise<AgentFrame>((resolve, reject) => {
      const fail = (reason: string): void =>
        reject(
          new DavitError("bootstrap_failed", `ask the agent on ${connection.target.host}: ${reason}`, {
            wayOut: "look at `journalctl -u davit-agent` on the host",
          }),
        );
      timer = setTimeout(() => fail(`no answer within ${ANSWER_TIMEOUT_MS / 1000} s`), ANSWER_TIMEOUT_MS);
      stream.onClose(fail);
      stream.onFrame(resolve);
    });
  } finally {
    clearTimeout(timer);
    stream.close("asked");
  }
}
