// The stream of events, over a real socket: whoever follows it always learns that it is over. An agent that waited for events which
// nobody sends any more would sit there with its engine running and start nothing.

import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { DockerEngine } from "../../workers/agent/engine/docker-engine.ts";

let folder: string;
let socketPath: string;
let stop: AbortController;
/** What ends the stream from the engine's side. */
let hangUp: () => void;
let server: ReturnType<typeof Bun.serve>;
let engine: DockerEngine;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "davit-events-"));
  socketPath = join(folder, "engine.sock");
  stop = new AbortController();
  server = Bun.serve({
    unix: socketPath,
    fetch: (request) => {
      if (new URL(request.url).pathname === "/_ping") return new Response("OK", { headers: { "api-version": "1.41" } });
      return new Response(
        new ReadableStream({
          start: (controller) => {
            hangUp = () => controller.close();
            controller.enqueue(new TextEncoder().encode(`${JSON.stringify({ Action: "die", Actor: { ID: "c1" } })}\n`));
          },
        }),
      );
    },
  });
  engine = new DockerEngine(socketPath);
});

afterEach(async () => {
  await server.stop(true);
  await rm(folder, { recursive: true });
});

/** Follows until the first event, does `next`, and resolves to what the following ended with. */
async function followUntil(next: () => void): Promise<unknown> {
  return engine
    .events(
      "davit.cluster=c",
      stop.signal,
      () => {},
      () => next(),
    )
    .catch((error: unknown) => error);
}

test("is refused where it was given up before it began", async () => {
  stop.abort(new Error("an operation found the engine gone"));
  expect(await followUntil(() => {})).toMatchObject({ fault: "unreachable" });
});

test("ends with an error once it is given up", async () => {
  expect(await followUntil(() => stop.abort(new Error("an operation found the engine gone")))).toMatchObject({
    message: "an operation found the engine gone",
  });
});

test("ends with an error once the engine hangs up", async () => {
  expect(await followUntil(() => hangUp())).toMatchObject({ fault: "unreachable" });
});
