// An engine that begins to answer and then hangs, over a real socket: whoever reads the error must learn what was asked.

import { afterEach, expect, test } from "vitest";
import { EngineHttp } from "../../workers/agent/engine/http-client.ts";
import { type SocketEngine, startSocketEngine } from "./socket-engine.ts";

const LIST = { what: "list containers", timeoutMs: 50 } as const;

let engine: SocketEngine | undefined;

afterEach(() => engine?.stop());

/** An engine that sends this much of its answer and no more. */
async function beginWith(status: number, begin: string): Promise<EngineHttp> {
  engine = await startSocketEngine(() => {
    const body = new ReadableStream({ start: (controller) => controller.enqueue(new TextEncoder().encode(begin)) });
    return new Response(body, { status });
  });
  return new EngineHttp(engine.socketPath);
}

test.each([
  ["an answer", 200, "[{"],
  ["a refusal", 500, '{"mess'],
])("the call is named where the engine hangs in the middle of %s", async (_, status, begin) => {
  const http = await beginWith(status, begin);
  await expect(http.json("/containers/json", LIST)).rejects.toMatchObject({
    fault: "timeout",
    message: "list containers: the container engine did not answer within 0.05 s",
  });
});
