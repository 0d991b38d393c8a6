// Ways to the coordinator: a socket, a dialled stream, and what is said where nobody answers.

import { connect } from "node:net";
import { Duplex, PassThrough } from "node:stream";
import { describe, expect, test } from "vitest";
import { createClient } from "../../src/client/client.ts";
import type { EventView } from "../../src/core/model/views.ts";
import { EXEC_FRAME, encodeExecFrame } from "../../src/core/protocol/exec-frames.ts";
import { collect, serve, until } from "../api/serving.ts";
import { serviceOf, stackOf } from "../fakes/stacks.ts";

const SHOP = stackOf("shop", [serviceOf("shop", "web")]);

describe("ways to the coordinator", () => {
  test("a dialled stream carries requests, event streams and exec alike", async () => {
    const { backend, socketPath, client } = await serve();
    backend.model.node("n1");
    await client.deploy(SHOP);
    backend.run(3_000);
    const dialled = createClient({ kind: "dial", target: "ssh://root@host", dial: async () => connect(socketPath) });
    expect((await dialled.services()).length).toBe(1);
    const stop = new AbortController();
    const { got } = collect<EventView>(dialled.events({ since: 0 }, stop.signal));
    await until(() => got.length > 0);
    stop.abort();
    const echo = new PassThrough();
    backend.execOf = () => echo;
    const exec = await dialled.exec("shop_web.1", { argv: ["cat"], tty: false });
    echo.write(encodeExecFrame(EXEC_FRAME.exit, Buffer.from('{"exitCode":0}')));
    expect(await exec.exited).toBe(0);
  });

  test("where nobody answers, the error says where it looked and what to start", async () => {
    const nobody = createClient({ kind: "socket", socketPath: "/tmp/davit-nobody/davit.sock" });
    await expect(nobody.version()).rejects.toMatchObject({
      code: "unavailable",
      message: expect.stringContaining("does not answer at /tmp/davit-nobody/davit.sock") as string,
      wayOut: "is `davit up` running there?",
    });
    const refusing = createClient({
      kind: "dial",
      target: "ssh://h",
      dial: () => Promise.reject(new Error("no route")),
    });
    await expect(refusing.version()).rejects.toMatchObject({
      code: "unavailable",
      message: "the coordinator does not answer at ssh://h: no route",
    });
  });

  test("a server that accepts and says nothing is given up after the time allowed", async () => {
    const silent = createClient(
      {
        kind: "dial",
        target: "ssh://h",
        dial: async () => new Duplex({ read: () => undefined, write: (_chunk, _encoding, done) => done() }),
      },
      { connectTimeoutMs: 20 },
    );
    await expect(silent.version()).rejects.toMatchObject({ code: "timeout" });
    const deaf = createClient(
      { kind: "dial", target: "ssh://h", dial: () => new Promise(() => undefined) },
      { connectTimeoutMs: 20 },
    );
    await expect(deaf.version()).rejects.toMatchObject({ code: "timeout" });
  });
});
