// One authenticated SSH connection: through its hops, with the host key judged before any key is offered, kept alive, and with every way to
// fail put into words. What is done with it is in host-shell.ts and node-links.ts.

import { connect as connectTcp, type Socket } from "node:net";
import type { Duplex } from "node:stream";
import { Client, type Algorithms, type ServerHostKeyAlgorithm } from "ssh2";
import { DavitError, reasonOf } from "../core/model/errors.ts";
import { prepareAuthentication } from "./authentication.ts";
import type { HandshakeGates } from "./gate.ts";
import { hostKeyLine, refusalOfHostKey, wantedKeyAlgorithms } from "./host-keys.ts";
import { type Credentials, type HostKeyRule, showTarget, type SshTarget } from "./target.ts";

/** A host on the way, or the last one. */
export type Hop = {
  readonly target: SshTarget;
  readonly credentials: Credentials;
  readonly hostKeyRule: HostKeyRule;
};

export type KeepAlive = { readonly intervalMs: number; readonly misses: number };
/** Control connections notice a dead peer within a lease: the fourth tick, at 6 s, finds three unanswered. */
export const CONTROL_KEEP_ALIVE: KeepAlive = { intervalMs: 1_500, misses: 3 };
/** Bulk connections share a slow link with their own uploads: an answer may wait behind megabytes. */
export const BULK_KEEP_ALIVE: KeepAlive = { intervalMs: 5_000, misses: 6 };

export type ConnectOptions = {
  readonly gates: HandshakeGates;
  readonly keepAlive: KeepAlive;
  /** For TCP alone. */
  readonly connectTimeoutMs: number;
  /** For the handshake and the login after it. */
  readonly handshakeTimeoutMs: number;
  /** A connection to start from, instead of this machine: the second look. */
  readonly through?: Connection;
};

export type Connection = {
  readonly target: SshTarget;
  readonly client: Client;
  /** "type base64", as shown in the handshake and accepted. */
  readonly hostKey: string;
  /** The hops before it, with the keys they showed. */
  readonly jump: readonly Connection[];
  /** The connection of another node that it started from, if it did. */
  readonly through?: Connection;
  /** Resolves once it has ended, with why. */
  readonly closed: Promise<string>;
  close(): void;
};

/** Opens a connection to the last hop through those before it. Rejects with DavitError `ssh_failed`. */
export async function connect(hops: readonly [Hop, ...Hop[]], options: ConnectOptions): Promise<Connection> {
  const opened: Connection[] = [];
  let previous = options.through;
  try {
    for (const hop of hops) {
      previous = await openHop(hop, previous, opened, options);
      opened.push(previous);
    }
  } catch (error) {
    for (const connection of opened.toReversed()) connection.close();
    throw error;
  }
  const last = opened.at(-1);
  if (last === undefined) throw new DavitError("invalid_input", "connect: no host is given");
  return last;
}

async function openHop(
  hop: Hop,
  from: Connection | undefined,
  jump: readonly Connection[],
  options: ConnectOptions,
): Promise<Connection> {
  const { target } = hop;
  const socket =
    from === undefined
      ? await openSocket(target, options.connectTimeoutMs)
      : await forward(from, target, options.connectTimeoutMs);
  try {
    return await options.gates.run(`${target.host}:${target.port}`, () => handshake(hop, socket, [...jump], options));
  } catch (error) {
    socket.destroy();
    throw error;
  }
}

function openSocket(target: SshTarget, timeoutMs: number): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connectTcp({ host: target.host, port: target.port, noDelay: true });
    const timer = setTimeout(() => fail(new Error("timed out")), timeoutMs);
    function fail(error: Error): void {
      clearTimeout(timer);
      socket.destroy();
      reject(unreachable(target, error, timeoutMs));
    }
    socket.once("error", fail);
    socket.once("connect", () => {
      clearTimeout(timer);
      socket.off("error", fail);
      resolve(socket);
    });
  });
}

/** A TCP stream to `target` that starts at another host. */
async function forward(from: Connection, target: SshTarget, timeoutMs: number): Promise<Duplex> {
  const opening = new Promise<Duplex>((resolve, reject) => {
    from.client.forwardOut("127.0.0.1", 0, target.host, target.port, (error, channel) =>
      error ? reject(error) : resolve(channel),
    );
  });
  try {
    return await within(opening, timeoutMs, (late) => late.destroy());
  } catch (error) {
    throw new DavitError(
      "ssh_failed",
      `connect to ${showTarget(target)} through ${showTarget(from.target)}: ${reasonOf(error)}`,
      {
        wayOut: `check that ${target.host} port ${target.port} can be reached from ${from.target.host}, and that its sshd allows it (AllowTcpForwarding)`,
        cause: error,
      },
    );
  }
}

/** Rejects after `timeoutMs`; what comes later is given to `discard`. */
async function within<Value>(
  promise: Promise<Value>,
  timeoutMs: number,
  discard: (value: Value) => void,
): Promise<Value> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const timeout = new Promise<never>((_, reject) => {
    timer = setTimeout(() => {
      promise.then(discard, () => undefined);
      reject(new Error(`no answer within ${timeoutMs / 1000} s`));
    }, timeoutMs);
  });
  try {
    return await Promise.race([promise, timeout]);
  } finally {
    clearTimeout(timer);
  }
}

async function handshake(
  hop: Hop,
  socket: Duplex,
  jump: readonly Connection[],
  options: ConnectOptions,
): Promise<Connection> {
  const { target, hostKeyRule } = hop;
  const authentication = await prepareAuthentication(target, hop.credentials);
  const client = new Client();
  const algorithms = wantedKeyAlgorithms(hostKeyRule, target);
  return await new Promise((resolve, reject) => {
    let hostKey = "";
    let refused: DavitError | undefined;
    let lastError = "the host closed the connection";
    const closed = new Promise<string>((ended) => client.once("close", () => ended(lastError)));
    client.on("error", (error: Error & { level?: string }) => {
      lastError = inWords(error.message);
      const keys = error.level === "client-authentication" || /too many authentication/i.test(error.message);
      reject(refused ?? (keys ? authentication.refusal(target, error.message) : handshakeFailed(target, error)));
      client.destroy();
    });
    client.once("close", () => {
      reject(refused ?? handshakeFailed(target, new Error(lastError)));
      for (const hopBefore of jump.toReversed()) hopBefore.close();
    });
    client.once("ready", () =>
      resolve({
        target,
        client,
        hostKey,
        jump,
        closed,
        close: () => client.end(),
        ...(options.through === undefined ? {} : { through: options.through }),
      }),
    );
    client.connect({
      sock: socket,
      username: target.user,
      authHandler: authentication.handler,
      readyTimeout: options.handshakeTimeoutMs,
      keepaliveInterval: options.keepAlive.intervalMs,
      keepaliveCountMax: options.keepAlive.misses,
      ...(algorithms === undefined
        ? {}
        : {
            algorithms: {
              serverHostKey: algorithms as ServerHostKeyAlgorithm[],
            } satisfies Algorithms,
          }),
      hostVerifier: (blob: Buffer) => {
        refused = refusalOfHostKey(hostKeyRule, target, blob);
        hostKey = hostKeyLine(blob);
        return refused === undefined;
      },
    });
  });
}

function inWords(message: string): string {
  if (/keepalive timeout/i.test(message)) return "the host stopped answering";
  if (/ECONNRESET/.test(message)) return "the host or something on the way cut the connection";
  return message;
}

function unreachable(target: SshTarget, error: Error, timeoutMs: number): DavitError {
  const code = (error as NodeJS.ErrnoException).code ?? "";
  const where = `connect to ${showTarget(target)}`;
  if (code === "ECONNREFUSED") {
    return new DavitError(
      "ssh_failed",
      `${where}: connection refused: the host is up, but nothing listens on port ${target.port}`,
      {
        wayOut: "start its SSH server (systemctl enable --now ssh), or give the right port: user@host:port",
        cause: error,
      },
    );
  }
  if (code === "ENOTFOUND" || code === "EAI_AGAIN") {
    return new DavitError("ssh_failed", `${where}: the name ${target.host} cannot be resolved`, {
      wayOut: "check the spelling, give an address, or add a HostName for it to ~/.ssh/config",
      cause: error,
    });
  }
  const reason = error.message === "timed out" ? `no answer within ${timeoutMs / 1000} s` : error.message;
  return new DavitError("ssh_failed", `${where}: the host cannot be reached: ${reason}`, {
    wayOut: "check that it is switched on, that the address is right and that no firewall drops SSH",
    cause: error,
  });
}

function handshakeFailed(target: SshTarget, error: Error): DavitError {
  if (/no matching host key/i.test(error.message)) {
    return new DavitError(
      "ssh_failed",
      `connect to ${showTarget(target)}: the host no longer shows a host key of the known type`,
      {
        wayOut:
          "either it was installed anew or something else answers in its place; remove the old key (ssh-keygen -R) if you know why",
        cause: error,
      },
    );
  }
  return new DavitError("ssh_failed", `connect to ${showTarget(target)}: ${inWords(error.message)}`, {
    wayOut:
      "look at the SSH server's log on the host (journalctl -u ssh); if it limits logins in parallel (MaxStartups), try again",
    cause: error,
  });
}
