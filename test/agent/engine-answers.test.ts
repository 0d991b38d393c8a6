// An engine that begins to answer and then hangs or is killed, over a real socket: whoever reads the error must learn what was asked.

import { afterEach, expect, test } from "vitest";
import { DockerEngine } from "../../workers/agent/engine/docker-engine.ts";
import { EngineHttp } from "../../workers/agent/engine/http-client.ts";
import { lastLines } from "../../workers/agent/loop/last-lines.ts";
import { type SocketEngine, startSocketEngine } from "./socket-engine.ts";

const LIST = { what: "list containers", timeoutMs: 50 } as const;

let engine: SocketEngine | undefined;

afterEach(() => engine?.stop());

/** An engine that sends this much of its answer and no more. */
async function beginWith(status: number, begin: string): Promise<SocketEngine> {
  engine = await startSocketEngine(() => {
    const body = new ReadableStream({ start: (controller) => controller.enqueue(new TextEncoder().encode(begin)) });
    return new Response(body, { status });
  });
  return engine;
}

test.each([
  ["an answer", 200, "[{"],
  ["a refusal", 500, '{"mess'],
])("the call is named where the engine hangs in the middle of %s", async (_, status, begin) => {
  const { socketPath } = await beginWith(status, begin);
  const http = new EngineHttp(socketPath);
  await expect(http.json("/containers/json", LIST)).rejects.toMatchObject({
    fault: "timeout",
    message: "list containers: the container engine did not answer within 0.05 s",
  });
});

test("the call is named where the engine is killed in the middle of a pull", async () => {
  const { socketPath, kill } = await beginWith(200, '{"status":"Downloading"}\n');
  const docker = new DockerEngine(socketPath);
  await expect(docker.pullImage("web:v1", undefined, () => void kill())).rejects.toMatchObject({
    fault: "unreachable",
    message: expect.stringMatching(/^pull image web:v1: the answer broke off \(/) as unknown,
  });
});

test("the call is named where the engine is killed in the middle of its events", async () => {
  const { socketPath, kill } = await beginWith(200, '{"Action":"die","Actor":{"ID":"c1"}}\n');
  const docker = new DockerEngine(socketPath);
  const { signal } = new AbortController();
  const following = docker.events(
    "davit.cluster=c",
    signal,
    () => {},
    () => void kill(),
  );
  await expect(following).rejects.toMatchObject({
    fault: "unreachable",
    message: expect.stringMatching(/^follow the engine's events: the answer broke off \(/) as unknown,
  });
});

test("what was read of a container's last lines counts where the engine is killed in the middle of them", async () => {
  const { socketPath, kill } = await beginWith(200, "out of memory\n");
  const docker = new DockerEngine(socketPath);
  const logs: DockerEngine["logs"] = async function* (...asked) {
    for await (const chunk of docker.logs(...asked)) {
      yield chunk;
      await kill();
    }
  };
  expect(await lastLines({ logs } as DockerEngine, "c1", true)).toBe("out of memory");
});
