// A stream to a unix socket of a host. First by forwarding (direct-streamlocal@openssh.com); where sshd forbids that, by running
// `davit agent dial` there. OpenSSH answers "connect failed" in both cases, so the second way is tried whenever the first one fails.

import type { Duplex } from "node:stream";
import type { ClientChannel } from "ssh2";
import { DavitError, reasonOf } from "../core/model/errors.ts";
import type { Connection } from "./connection.ts";
import { Gate } from "./gate.ts";
import { AGENT_BINARY, BULK_SOCKET, CONTROL_SOCKET } from "./paths.ts";
import { quoteArgv } from "./quote.ts";
import { showTarget } from "./target.ts";

/** What `davit agent dial` is given for each socket. */
const DIAL_NAMES: Readonly<Record<string, string>> = {
  [CONTROL_SOCKET]: "control",
  [BULK_SOCKET]: "http",
};

/** sshd's MaxSessions is 10 by default; two are left for short commands. Forwarded streams do not count. */
const MAX_DIAL_SESSIONS = 8;
const sessionGates = new WeakMap<Connection, Gate>();
/** Connections on which forwarding worked once: a failure there is the socket's, not sshd's. */
const forwards = new WeakSet<Connection>();

/** Opens the stream, or rejects with `ssh_failed` (`too_many` when the fallback's sessions are all in use). */
export async function dialSocket(connection: Connection, path: string): Promise<Duplex> {
  try {
    const channel = await forwardTo(connection, path);
    forwards.add(connection);
    return channel;
  } catch (error) {
    const name = DIAL_NAMES[path];
    if (name === undefined || forwards.has(connection)) throw notThere(connection, path, reasonOf(error));
    return await dialByCommand(connection, path, name);
  }
}

function forwardTo(connection: Connection, path: string): Promise<Duplex> {
  return new Promise((resolve, reject) => {
    connection.client.openssh_forwardOutStreamLocal(path, (error, channel) =>
      error ? reject(error) : resolve(channel),
    );
  });
}

async function dialByCommand(connection: Connection, path: string, name: string): Promise<Duplex> {
  const gate = sessionGates.get(connection) ?? new Gate(MAX_DIAL_SESSIONS);
  sessionGates.set(connection, gate);
  if (!gate.tryEnter()) {
    throw new DavitError(
      "too_many",
      `reach ${path} on ${showTarget(connection.target)}: ${MAX_DIAL_SESSIONS} streams are open already`,
      {
        wayOut:
          "close some logs or exec sessions of this node, or allow forwarding in its sshd (AllowStreamLocalForwarding)",
      },
    );
  }
  try {
    const channel = await execDial(connection, name);
    channel.once("close", () => gate.leave());
    return channel;
  } catch (error) {
    gate.leave();
    throw notThere(connection, path, reasonOf(error));
  }
}

/** The channel reports the command's last words as its error if it ends by itself. */
function execDial(connection: Connection, name: string): Promise<ClientChannel> {
  return new Promise((resolve, reject) => {
    connection.client.exec(quoteArgv([AGENT_BINARY, "agent", "dial", name]), (error, channel) => {
      if (error) return reject(error);
      let said = "";
      channel.stderr.on("data", (chunk: Buffer) => {
        said = (said + chunk.toString()).slice(-500);
      });
      // heard at least here: an error that nobody listens to would end the process
      channel.on("error", () => undefined);
      channel.on("exit", (code: number | null) => {
        if (code !== 0) channel.emit("error", new Error(`davit agent dial ended with code ${code}: ${said.trim()}`));
      });
      return resolve(channel);
    });
  });
}

function notThere(connection: Connection, path: string, reason: string): DavitError {
  return new DavitError("ssh_failed", `reach ${path} on ${showTarget(connection.target)}: ${reason}`, {
    wayOut: "check that the agent runs there (systemctl status davit-agent)",
  });
}
