// Commands in containers, over a real socket: an engine whose runtime is stuck, and a command that is over before its terminal has a size.

import { mkdtemp, rm } from "node:fs/promises";
import { createServer, type Server, type ServerResponse } from "node:http";
import type { Duplex } from "node:stream";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { startExec } from "../../workers/agent/engine/exec.ts";
import { EngineHttp } from "../../workers/agent/engine/http-client.ts";

const TERMINAL = { argv: ["true"], tty: true, stdin: false, cols: 80, rows: 24 } as const;

let folder: string;
let server: Server;
let http: EngineHttp;
/** What the engine does when it is to run the command. */
let onStart: (connection: Duplex) => void;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "davit-engine-"));
  server = createServer((request, response) => answer(request.url ?? "", response));
  server.on("upgrade", (_request, connection: Duplex) => onStart(connection));
  const socketPath = join(folder, "engine.sock");
  await new Promise<void>((resolve) => server.listen(socketPath, resolve));
  http = new EngineHttp(socketPath);
});

afterEach(async () => {
  server.closeAllConnections();
  server.close();
  await rm(folder, { recursive: true });
});

/** As engines answer of a command that is over. */
function answer(url: string, response: ServerResponse): void {
  if (url.endsWith("/_ping")) response.setHeader("api-version", "1.41").end("OK");
  else if (url.includes("/resize")) response.writeHead(409).end('{"message":"process already finished"}');
  else if (url.endsWith("/exec/e1/json")) response.end('{"Running":false,"ExitCode":7}');
  else response.writeHead(201).end('{"Id":"e1"}');
}

test("a command for which the engine never opens the connection is given up, by name", async () => {
  onStart = () => {};
  await expect(startExec(http, "c1", TERMINAL, () => {}, 50)).rejects.toMatchObject({
    fault: "timeout",
    message: "run true in c1: the container engine did not answer within 0.05 s",
  });
});

test("a command that is over before its terminal has a size still says what it said, and its exit code", async () => {
  onStart = (connection) => {
    connection.end("HTTP/1.1 101 UPGRADED\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\ndone\r\n");
  };
  let output = "";
  const session = await startExec(http, "c1", TERMINAL, (_, bytes) => {
    output += new TextDecoder().decode(bytes);
  });
  expect(await session.exited).toBe(7);
  expect(output).toBe("done\r\n");
});
