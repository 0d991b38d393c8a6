// The connection of a join: with the user's own keys, through the user's own hops, as root or through sudo.

import type { DavitError } from "../../core/model/errors.ts";
import type { JoinRequest } from "../../core/model/views.ts";
import { connect, type Connection, CONTROL_KEEP_ALIVE, type Hop, type KeepAlive } from "../connection.ts";
import type { HandshakeGates } from "../gate.ts";
import { fingerprintOf } from "../host-keys.ts";
import { type ShellOptions, SshHostShell } from "../host-shell.ts";
import { findRootAccess } from "../root-access.ts";
import { showTarget } from "../target.ts";
import type { Steps } from "./steps.ts";

/** Whom to connect to and with what; a JoinRequest is one. */
export type UserAccess = Omit<JoinRequest, "name" | "labels">;

/** A user waits for it: longer than the coordinator gives a node that it knows. */
export const JOIN_TIMEOUTS = { connectTimeoutMs: 10_000, handshakeTimeoutMs: 20_000 } as const;

/** Connects with the user's keys. `like`: a connection made before, whose host keys must be shown again. */
export function connectAsUser(
  access: UserAccess,
  gates: HandshakeGates,
  keepAlive: KeepAlive,
  like?: Connection,
): Promise<Connection> {
  return connect(hopsOf(access, like), { gates, keepAlive, ...JOIN_TIMEOUTS });
}

/** Step: connects and says which host key is pinned. */
export function connectStep(steps: Steps, access: UserAccess, gates: HandshakeGates): Promise<Connection> {
  return steps.run("connect", `connect to ${showTarget(access)}`, async () => {
    const connection = await connectAsUser(access, gates, CONTROL_KEEP_ALIVE);
    return { value: connection, message: `connected; its host key is pinned: ${fingerprintOf(connection.hostKey)}` };
  });
}

/** `problems`: why root cannot be reached; the shell then runs as the user. */
export type RootShell = {
  readonly shell: SshHostShell;
  readonly options: ShellOptions;
  readonly problems: readonly DavitError[];
};

/** A shell that reaches root as the host allows. */
export async function openRootShell(connection: Connection, sudoPassword: string | undefined): Promise<RootShell> {
  const root = await findRootAccess(connection, sudoPassword);
  const options = {
    rootAccess: root.access ?? "is-root",
    ...(sudoPassword === undefined ? {} : { sudoPassword }),
  } as const;
  return {
    shell: new SshHostShell(connection, options),
    options,
    problems: root.access === undefined ? [root.problem] : [],
  };
}

function hopsOf(access: UserAccess, like: Connection | undefined): readonly [Hop, ...Hop[]] {
  const { identities, agentSocket, identitiesOnly } = access;
  const credentials = {
    identities,
    ...(agentSocket === undefined ? {} : { agentSocket }),
    ...(identitiesOnly === undefined ? {} : { identitiesOnly }),
  };
  const shown = like === undefined ? [] : [...like.jump, like];
  const rule = { kind: "known", knownHosts: access.knownHosts, acceptNew: access.acceptNewHostKey } as const;
  const hop = (target: Hop["target"], index: number): Hop => {
    const hostKey = shown[index]?.hostKey;
    return { target, credentials, hostKeyRule: hostKey === undefined ? rule : { kind: "pinned", hostKey } };
  };
  const last = hop({ user: access.user, host: access.host, port: access.port }, access.jump.length);
  const [first, ...rest] = access.jump.map((target, index) => hop(target, index));
  return first === undefined ? [last] : [first, ...rest, last];
}
