// A host for tests: ssh2's own server on a loopback port, which runs commands with the real /bin/sh and can be told to misbehave.

import { spawn } from "node:child_process";
import { type AddressInfo, connect as connectLocal, createServer, type Socket } from "node:net";
import { type Connection as ServerConnection, Server, type ServerConnectionListener } from "ssh2";
import { publicKeyLine } from "../../src/ssh/authentication.ts";
import { createKeyPair, type SshKeyPair } from "../../src/ssh/key-pair.ts";
import type { Credentials, SshTarget } from "../../src/ssh/target.ts";

export function makeKey(): SshKeyPair {
  return createKeyPair("");
}

export type FakeHostOptions = {
  /** Public key lines that may log in. */
  readonly authorized: readonly string[];
  readonly allowsSocketForwarding?: boolean;
  readonly allowsTcpForwarding?: boolean;
  /** Runs instead of a shell. */
  readonly onCommand?: (command: string) => string;
};

export type FakeHost = {
  readonly target: SshTarget;
  readonly hostKey: string;
  /** Command lines as they came. */
  readonly commands: string[];
  readonly keysTried: string[];
  close(): Promise<void>;
};

const servers = new Set<Server>();

/** Starts a host; `closeFakeHosts` ends all of them. */
export async function startFakeHost(options: FakeHostOptions): Promise<FakeHost> {
  const key = makeKey();
  const commands: string[] = [];
  const keysTried: string[] = [];
  const open = new Set<ServerConnection>();
  const serve: ServerConnectionListener = (client) => {
    open.add(client);
    client.on("error", () => undefined);
    client.on("close", () => open.delete(client));
    authenticate(client, options, keysTried);
    client.on("ready", () => {
      acceptSessions(client, options, commands);
    });
  };
  const server = new Server({ hostKeys: [key.privateKey] }, serve);
  servers.add(server);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address() as AddressInfo;
  return {
    target: { user: "root", host: "127.0.0.1", port: address.port },
    hostKey: publicKeyLine(key.privateKey),
    commands,
    keysTried,
    close: async () => {
      for (const client of open) client.end();
      await new Promise<void>((resolve) => server.close(() => resolve()));
      servers.delete(server);
    },
  };
}

export function closeFakeHosts(): void {
  for (const server of servers) server.close();
  servers.clear();
}

export function credentialsOf(...keys: readonly SshKeyPair[]): Credentials {
  return { identities: keys.map((key) => key.privateKey) };
}

function authenticate(client: ServerConnection, options: FakeHostOptions, keysTried: string[]): void {
  client.on("authentication", (context) => {
    if (context.method !== "publickey") return context.reject(["publickey"]);
    const offered = `${context.key.algo} ${context.key.data.toString("base64")}`;
    keysTried.push(offered);
    const isAuthorized = options.authorized.some((line) => line.startsWith(offered));
    if (isAuthorized) return context.accept();
    return context.reject(["publickey"]);
  });
}

function acceptSessions(client: ServerConnection, options: FakeHostOptions, commands: string[]): void {
  client.on("session", (accept) => {
    const session = accept();
    session.on("exec", (acceptExec, _reject, { command }) => {
      commands.push(command);
      const channel = acceptExec();
      if (options.onCommand !== undefined) {
        channel.write(options.onCommand(command));
        channel.exit(0);
        channel.end();
        return;
      }
      const child = spawn("/bin/sh", ["-c", command]);
      channel.pipe(child.stdin);
      child.stdin.on("error", () => undefined);
      child.stdout.on("data", (chunk) => channel.write(chunk));
      child.stderr.on("data", (chunk) => channel.stderr.write(chunk));
      child.on("close", (code) => {
        channel.exit(code ?? 1);
        channel.end();
      });
    });
  });
  client.on("openssh.streamlocal", (accept, reject, info) => {
    if (options.allowsSocketForwarding === false) return reject();
    const socket = connectLocal(info.socketPath);
    socket.once("error", reject);
    socket.once("connect", () => {
      const channel = accept();
      channel.on("error", () => socket.destroy());
      channel.pipe(socket).pipe(channel);
    });
  });
  client.on("tcpip", (accept, reject, info) => {
    if (options.allowsTcpForwarding === false) return reject();
    const channel = accept();
    const socket = connectLocal(info.destPort, info.destIP);
    socket.on("error", () => channel.close());
    channel.on("error", () => socket.destroy());
    channel.pipe(socket).pipe(channel);
  });
}

export type Relay = {
  readonly port: number;
  /** Passes nothing on any more, in either direction, and closes nothing. */ cut(): void;
  close(): void;
};

/** A wire to a host that can be cut. */
export async function startRelay(port: number, host = "127.0.0.1"): Promise<Relay> {
  const sockets = new Set<Socket>();
  let isCut = false;
  const server = createServer((near) => {
    const far = connectLocal(port, host);
    for (const [from, to] of [
      [near, far],
      [far, near],
    ] as const) {
      sockets.add(from);
      from.on("error", () => undefined);
      from.on("data", (chunk) => {
        if (!isCut) to.write(chunk);
      });
      from.on("close", () => {
        if (!isCut) to.destroy();
      });
    }
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address() as AddressInfo;
  return {
    port: address.port,
    cut: () => {
      isCut = true;
    },
    close: () => {
      for (const socket of sockets) socket.destroy();
      server.close();
    },
  };
}
