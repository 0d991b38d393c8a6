// What the coordinator asks of an agent over a connection that ends in the middle of the answer: whoever reads the error learns whose it was.

import { connect, createServer, type Server } from "node:net";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { type AgentCalls, type AgentLogLine, createAgentCalls } from "../../src/coordinator/agent-calls.ts";
import { WorldModel } from "../fakes/world-model.ts";

const world = new WorldModel();
const node = world.state.node.get(world.node("n1")) ?? expect.fail("no node");
const HEAD = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n";
const LINE = JSON.stringify({
  stream: "stdout",
  at: "2026-01-01T00:00:00Z",
  text: "up",
  attempt: 1,
} satisfies AgentLogLine);

let folder: string;
let agent: Server;
let calls: AgentCalls;
/** What the agent sends before its connection ends. */
let begin: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "davit-agent-"));
  const path = join(folder, "agent.sock");
  agent = createServer((socket) => {
    socket.on("error", () => {});
    socket.once("data", () => socket.end(begin));
  });
  await new Promise<void>((resolve) => agent.listen(path, resolve));
  calls = createAgentCalls({
    dial: () => Promise.resolve(connect(path)),
    token: () => Promise.resolve("t"),
  });
});

afterEach(async () => {
  agent.close();
  await rm(folder, { recursive: true });
});

/** One piece of a body that comes in pieces. */
function piece(text: string): string {
  return `${text.length.toString(16)}\r\n${text}\r\n`;
}

const BROKE_OFF = {
  code: "unavailable",
  message: expect.stringMatching(/^call the agent of n1: its answer broke off \(/) as unknown,
};

test("an answer that breaks off is told of with its node", async () => {
  begin = HEAD + piece('{"half":');
  await expect(calls.state(node)).rejects.toMatchObject(BROKE_OFF);
});

test("lines of a log that breaks off are handed on, and its node is named", async () => {
  begin = HEAD + piece(`${LINE}\n`);
  const lines: AgentLogLine[] = [];
  const reading = calls.logs(node, "t1", {}, (line) => void lines.push(line), new AbortController().signal);
  await expect(reading).rejects.toMatchObject(BROKE_OFF);
  expect(lines.map(({ text }) => text)).toEqual(["up"]);
});

test("who stopped reading a log is told nothing", async () => {
  const stop = new AbortController();
  begin = HEAD + piece(`${LINE}\n`);
  await expect(calls.logs(node, "t1", {}, () => stop.abort(), stop.signal)).resolves.toBeUndefined();
});
