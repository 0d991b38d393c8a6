// The stream of events, over a real socket: whoever follows it always learns that it is over. An agent that waited for events which
// nobody sends any more would sit there with its engine running and start nothing.

import { afterEach, beforeEach, expect, test } from "vitest";
import { DockerEngine } from "../../workers/agent/engine/docker-engine.ts";
import { type SocketEngine, startSocketEngine } from "./socket-engine.ts";

let stop: AbortController;
/** What ends the stream from the engine's side. */
let hangUp: () => void;
let server: SocketEngine;
let engine: DockerEngine;

beforeEach(async () => {
  stop = new AbortController();
  server = await startSocketEngine(
    () =>
      new Response(
        new ReadableStream({
          start: (controller) => {
            hangUp = () => controller.close();
            controller.enqueue(new TextEncoder().encode(`${JSON.stringify({ Action: "die", Actor: { ID: "c1" } })}\n`));
          },
        }),
      ),
  );
  engine = new DockerEngine(server.socketPath);
});

afterEach(() => server.stop());

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
