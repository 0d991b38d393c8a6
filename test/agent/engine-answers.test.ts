// An engine that begins to answer and then hangs, over a real socket: whoever reads the error must learn what was asked.

import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { EngineHttp } from "../../workers/agent/engine/http-client.ts";

const LIST = { what: "list containers", timeoutMs: 50 } as const;

let folder: string;
let socketPath: string;
let server: ReturnType<typeof Bun.serve> | undefined;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "davit-answers-"));
  socketPath = join(folder, "engine.sock");
});

afterEach(async () => {
  await server?.stop(true);
  await rm(folder, { recursive: true });
});

/** An engine that sends this much of its answer and no more. */
function beginWith(status: number, begin: string): EngineHttp {
  server = Bun.serve({
    unix: socketPath,
    fetch: (request) => {
      if (new URL(request.url).pathname === "/_ping") return new Response("OK", { headers: { "api-version": "1.41" } });
      const body = new ReadableStream({ start: (controller) => controller.enqueue(new TextEncoder().encode(begin)) });
      return new Response(body, { status });
    },
  });
  return new EngineHttp(socketPath);
}

test.each([
  ["an answer", 200, "[{"],
  ["a refusal", 500, '{"mess'],
])("the call is named where the engine hangs in the middle of %s", async (_, status, begin) => {
  await expect(beginWith(status, begin).json("/containers/json", LIST)).rejects.toMatchObject({
    fault: "timeout",
    message: "list containers: the container engine did not answer within 0.05 s",
  });
});
