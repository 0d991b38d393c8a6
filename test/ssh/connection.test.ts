// Connections, commands and streams against ssh2's own server on loopback.

import { createServer, type Server } from "node:net";
import { mkdtempSync, readFileSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, expect, test } from "vitest";
import { DavitError } from "../../src/core/model/errors.ts";
import { BULK_KEEP_ALIVE, connect, type Connection, type Hop, type KeepAlive } from "../../src/ssh/connection.ts";
import { dialSocket } from "../../src/ssh/dial.ts";
import { HandshakeGates } from "../../src/ssh/gate.ts";
import { SshHostShell } from "../../src/ssh/host-shell.ts";
import type { SshKeyPair } from "../../src/ssh/key-pair.ts";
import { CONTROL_SOCKET } from "../../src/ssh/paths.ts";
import type { HostKeyRule } from "../../src/ssh/target.ts";
import { closeFakeHosts, credentialsOf, type FakeHost, makeKey, startFakeHost, startRelay } from "./fake-host.ts";

const key = makeKey();
const gates = new HandshakeGates();
const opened: Connection[] = [];
const sockets: Server[] = [];

afterEach(() => {
  for (const connection of opened.splice(0)) connection.close();
  for (const server of sockets.splice(0)) server.close();
  closeFakeHosts();
});

const anyKey: HostKeyRule = { kind: "known", knownHosts: [], acceptNew: true };

function hopTo(
  host: FakeHost,
  keys: readonly SshKeyPair[] = [key],
  hostKeyRule: HostKeyRule = { kind: "pinned", hostKey: host.hostKey },
): Hop {
  return { target: host.target, credentials: credentialsOf(...keys), hostKeyRule };
}

async function open(hops: readonly [Hop, ...Hop[]], keepAlive: KeepAlive = BULK_KEEP_ALIVE): Promise<Connection> {
  const connection = await connect(hops, { gates, keepAlive, connectTimeoutMs: 2_000, handshakeTimeoutMs: 5_000 });
  opened.push(connection);
  return connection;
}

async function failureOf(work: Promise<unknown>): Promise<DavitError> {
  const result = await work.then(
    () => new Error("it did not fail"),
    (error: unknown) => error,
  );
  if (!(result instanceof DavitError)) throw result;
  return result;
}

test("a connection with the right key gives the host's key to pin", async () => {
  const host = await startFakeHost({ authorized: [key.publicKey] });
  const connection = await open([hopTo(host, [key], anyKey)]);
  expect(connection.hostKey).toBe(host.hostKey);
});

test("a wrong key is refused with the keys that were tried and a way out", async () => {
  const host = await startFakeHost({ authorized: [makeKey().publicKey] });
  const failure = await failureOf(open([hopTo(host)]));
  expect(failure.code).toBe("ssh_failed");
  expect(failure.message).toMatch(/the server took none of the 1 keys offered: key file ssh-ed25519 SHA256:/);
  expect(failure.wayOut).toContain("authorized_keys");
});

test("keys are offered one after the other until one is taken", async () => {
  const host = await startFakeHost({ authorized: [key.publicKey] });
  await open([hopTo(host, [makeKey(), makeKey(), key])]);
  expect(new Set(host.keysTried).size).toBe(3);
});

test("an unknown host key is refused with its fingerprint before any key is offered", async () => {
  const host = await startFakeHost({ authorized: [key.publicKey] });
  const failure = await failureOf(open([hopTo(host, [key], { kind: "known", knownHosts: [], acceptNew: false })]));
  expect(failure.message).toMatch(/its host key is not known: ssh-ed25519 SHA256:/);
  expect(host.keysTried).toEqual([]);
});

test("a changed host key is refused with both fingerprints, even where new ones are accepted", async () => {
  const host = await startFakeHost({ authorized: [key.publicKey] });
  const other = makeKey().publicKey;
  const failure = await failureOf(open([hopTo(host, [key], { kind: "pinned", hostKey: other })]));
  expect(failure.message).toMatch(/the host key changed: expected SHA256:\S+, got SHA256:/);
  const line = `[127.0.0.1]:${host.target.port} ${other}`;
  const known = await failureOf(open([hopTo(host, [key], { kind: "known", knownHosts: [line], acceptNew: true })]));
  expect(known.message).toMatch(/the host key changed/);
  expect(host.keysTried).toEqual([]);
});

test("a port where nothing listens is told from a host that is down", async () => {
  const host = await startFakeHost({ authorized: [] });
  await host.close();
  const failure = await failureOf(open([hopTo(host)]));
  expect(failure.message).toContain("nothing listens on port");
});

test("without any key the way to give one is told", async () => {
  const host = await startFakeHost({ authorized: [] });
  const failure = await failureOf(open([{ ...hopTo(host), credentials: { identities: [] } }]));
  expect(failure.message).toContain("there is no key to offer");
});

test("a host behind another is reached through it, with both host keys checked", async () => {
  const jump = await startFakeHost({ authorized: [key.publicKey] });
  const host = await startFakeHost({ authorized: [key.publicKey] });
  const connection = await open([hopTo(jump), hopTo(host)]);
  expect(connection.jump.map((hop) => hop.hostKey)).toEqual([jump.hostKey]);
  const result = await new SshHostShell(connection, { rootAccess: "is-root" }).exec(["echo", "there"]);
  expect(result.stdout).toBe("there\n");
});

test("a jump host that forbids forwarding is named", async () => {
  const jump = await startFakeHost({ authorized: [key.publicKey], allowsTcpForwarding: false });
  const host = await startFakeHost({ authorized: [key.publicKey] });
  const failure = await failureOf(open([hopTo(jump), hopTo(host)]));
  expect(failure.message).toContain(`through root@127.0.0.1:${jump.target.port}`);
  expect(failure.wayOut).toContain("AllowTcpForwarding");
});

test("a host that stops answering ends the connection by missed keep-alives", async () => {
  const host = await startFakeHost({ authorized: [key.publicKey] });
  const relay = await startRelay(host.target.port);
  const hop = hopTo(host);
  const connection = await open([{ ...hop, target: { ...hop.target, port: relay.port } }], {
    intervalMs: 20,
    misses: 3,
  });
  const shell = new SshHostShell(connection, { rootAccess: "is-root" });
  const running = failureOf(shell.exec(["sh", "-c", "echo up; sleep 10"], { onOutput: () => relay.cut() }));
  expect(await connection.closed).toBe("the host stopped answering");
  expect((await running).message).toContain("the connection ended: the host stopped answering");
  relay.close();
});

test("a command gives its exit code, its two outputs, and takes its input", async () => {
  const host = await startFakeHost({ authorized: [key.publicKey] });
  const shell = new SshHostShell(await open([hopTo(host)]), { rootAccess: "is-root" });
  const result = await shell.exec(["sh", "-c", "cat; echo bad >&2; exit 7"], { stdin: "a 'b'\n" });
  expect(result).toEqual({ exitCode: 7, stdout: "a 'b'\n", stderr: "bad\n" });
});

test("a command that takes too long is ended with a timeout", async () => {
  const host = await startFakeHost({ authorized: [key.publicKey] });
  const shell = new SshHostShell(await open([hopTo(host)]), { rootAccess: "is-root" });
  const failure = await failureOf(shell.exec(["sleep", "10"], { timeoutMs: 50 }));
  expect(failure.code).toBe("timeout");
});

test("output beyond a mebibyte is dropped", async () => {
  const host = await startFakeHost({ authorized: [key.publicKey] });
  const shell = new SshHostShell(await open([hopTo(host)]), { rootAccess: "is-root" });
  const result = await shell.exec(["sh", "-c", "head -c 3000000 /dev/zero | tr '\\0' x"]);
  expect(result.stdout.length).toBe(1024 * 1024);
});

test("sudo's password is the first line of the input and in no command line", async () => {
  const host = await startFakeHost({ authorized: [key.publicKey], onCommand: (command) => command });
  const shell = new SshHostShell(await open([hopTo(host)]), { rootAccess: "sudo-password", sudoPassword: "geheim" });
  await shell.exec(["id"], { root: true });
  expect(host.commands).toEqual(["sudo -k -S -p '' -- id"]);
});

test("an upload is whole, has its mode, and leaves nothing else behind", async () => {
  const dir = mkdtempSync(join(tmpdir(), "davit-upload-"));
  const host = await startFakeHost({ authorized: [key.publicKey] });
  const shell = new SshHostShell(await open([hopTo(host)]), { rootAccess: "is-root" });
  const path = join(dir, "a file");
  const content = new Uint8Array(300_000).map((_, at) => at % 251);
  await shell.upload(path, content, { mode: 0o640 });
  expect(new Uint8Array(readFileSync(path))).toEqual(content);
  expect(statSync(path).mode & 0o777).toBe(0o640);
  const listed = await shell.exec(["ls", dir]);
  expect(listed.stdout).toBe("a file\n");
  rmSync(dir, { recursive: true });
});

test("a stream to a socket is forwarded where sshd allows it", async () => {
  const dir = mkdtempSync(join(tmpdir(), "davit-dial-"));
  const path = join(dir, "echo.sock");
  const echo = createServer((socket) => socket.pipe(socket));
  sockets.push(echo);
  await new Promise<void>((resolve) => echo.listen(path, resolve));
  const host = await startFakeHost({ authorized: [key.publicKey] });
  const stream = await dialSocket(await open([hopTo(host)]), path);
  const answer = new Promise<string>((resolve) => stream.once("data", (chunk: Buffer) => resolve(chunk.toString())));
  stream.write("hello");
  expect(await answer).toBe("hello");
  stream.destroy();
  rmSync(dir, { recursive: true });
});

test("where sshd forbids forwarding, the agent's own dial command carries the stream", async () => {
  const host = await startFakeHost({
    authorized: [key.publicKey],
    allowsSocketForwarding: false,
    onCommand: () => "from the agent",
  });
  const stream = await dialSocket(await open([hopTo(host)]), CONTROL_SOCKET);
  const said = await new Promise<string>((resolve) =>
    stream.once("data", (chunk: Buffer) => resolve(chunk.toString())),
  );
  expect(said).toBe("from the agent");
  expect(host.commands).toEqual(["/usr/local/lib/davit/davit agent dial control"]);
});

test("a socket that nobody serves is an error with a way out", async () => {
  const host = await startFakeHost({ authorized: [key.publicKey] });
  const failure = await failureOf(dialSocket(await open([hopTo(host)]), "/nowhere/at/all.sock"));
  expect(failure.message).toContain("reach /nowhere/at/all.sock on root@127.0.0.1");
  expect(failure.wayOut).toContain("davit-agent");
});
