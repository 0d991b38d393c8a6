// Streams of the API: events, progress, joins, logs, and their limits.

import { connect } from "node:net";
import { Duplex } from "node:stream";
import { describe, expect, test } from "vitest";
import { DavitError } from "../../src/core/model/errors.ts";
import type { EventView, LogMessage, ProgressView } from "../../src/core/model/views.ts";
import { EXEC_FRAME, encodeExecFrame, ExecFrameDecoder } from "../../src/core/protocol/exec-frames.ts";
import { serviceOf, stackOf } from "../fakes/stacks.ts";
import { UNTIL_DONE } from "../fakes/world-model.ts";
import { collect, serve, until } from "./serving.ts";

const SHOP = stackOf("shop", [serviceOf("shop", "web")]);

describe("events", () => {
  test("history after a number comes first, then what happens, each once", async () => {
    const { client, backend } = await serve();
    await client.deploy(SHOP);
    await client.scale("shop_web", 3);
    const stop = new AbortController();
    const { got, ended } = collect<EventView>(client.events({ since: 0 }, stop.signal));
    await until(() => got.length === 2);
    await client.scale("shop_web", 4);
    await until(() => got.length === 3);
    expect(got.map((event) => event.seq)).toEqual([1, 2, 3]);
    expect(got.map((event) => event.message)).toEqual([
      "service shop_web created: web:v1, 2 replicas",
      "service shop_web scaled: replicas 2 → 3",
      "service shop_web scaled: replicas 3 → 4",
    ]);
    stop.abort();
    expect(await ended).toBe("ended");
    expect(backend.history.length).toBe(3);
  });

  test("a filter by type lets others pass, and a stream from now on has no history", async () => {
    const { client } = await serve();
    await client.deploy(SHOP);
    const stop = new AbortController();
    const { got } = collect<EventView>(client.events({ type: "service.scaled" }, stop.signal));
    await until(() => true);
    await new Promise((resolve) => setTimeout(resolve, 50));
    await client.updateService("shop_web", { image: "web:v2" });
    await client.scale("shop_web", 5);
    await until(() => got.length > 0);
    expect(got.map((event) => event.type)).toEqual(["service.scaled"]);
    stop.abort();
  });

  test("what is no longer kept is gone, and said to be", async () => {
    const { client, backend, socketPath } = await serve();
    for (let replicas = 1; replicas < 6; replicas++)
      await client.deploy(stackOf("shop", [serviceOf("shop", "web", { replicas })]));
    backend.forgottenUpTo = 3;
    const response = await fetch("http://localhost/v1/events", { unix: socketPath, headers: { "last-event-id": "1" } });
    expect(response.status).toBe(410);
    const { ended } = collect(client.events({ since: 1_000 }));
    expect(await ended).toMatchObject({ code: "out_of_sequence" });
  });

  test("the past is all that is kept, and ends", async () => {
    const { client, backend } = await serve();
    for (let replicas = 1; replicas < 6; replicas++)
      await client.deploy(stackOf("shop", [serviceOf("shop", "web", { replicas })]));
    const all = backend.history.map(({ seq }) => seq);
    expect((await Array.fromAsync(client.events({ past: true }))).map(({ seq }) => seq)).toEqual(all);
    backend.forgottenUpTo = 3;
    expect((await Array.fromAsync(client.events({ past: true }))).map(({ seq }) => seq)).toEqual(all.slice(3));
    expect((await Array.fromAsync(client.events({ past: true, since: 4 }))).map(({ seq }) => seq)).toEqual(
      all.slice(4),
    );
    expect(await Array.fromAsync(client.events({ past: true, type: "node." }))).toEqual([]);
  });

  test("an idle stream stays alive by comments", async () => {
    const { socketPath } = await serve({ keepAliveMs: 10 });
    const response = await fetch("http://localhost/v1/events", { unix: socketPath });
    const reader = (response.body as ReadableStream<Uint8Array>).getReader();
    let text = "";
    while (!text.includes(": alive\n\n: alive\n\n")) text += new TextDecoder().decode((await reader.read()).value);
    await reader.cancel();
    expect(text.startsWith(": open\n\n")).toBe(true);
  });

  test("a reader that does not keep up is cut, and its place is given back", async () => {
    const { backend, socketPath, client } = await serve();
    await client.deploy(SHOP);
    const socket = connect(socketPath);
    socket.write("GET /v1/events HTTP/1.1\r\nhost: localhost\r\n\r\n");
    socket.pause();
    await new Promise((resolve) => setTimeout(resolve, 50));
    let isClosed = false;
    socket.on("close", () => (isClosed = true));
    const text = "x".repeat(64 * 1024);
    const subject = { kind: "test", id: "1", name: "1" };
    for (let at = 0; at < 64; at++)
      await backend.mutate(() => ({
        changes: [],
        guards: [],
        events: [{ type: "test", subject, message: text }],
        audit: [],
        result: undefined,
      }));
    await new Promise((resolve) => setTimeout(resolve, 50));
    socket.resume();
    await until(() => isClosed);
    expect(isClosed).toBe(true);
  });

  test("a caller may hold 64 streams, and the next is refused", async () => {
    const { socketPath, client } = await serve();
    const stop = new AbortController();
    const open = Array.from({ length: 64 }, () =>
      fetch("http://localhost/v1/events", { unix: socketPath, signal: stop.signal }),
    );
    const answers = await Promise.all(open);
    expect(answers.every((answer) => answer.status === 200)).toBe(true);
    expect((await fetch("http://localhost/v1/events", { unix: socketPath })).status).toBe(429);
    expect((await client.health()).status).toBe("ok");
    stop.abort();
  });
});

describe("progress", () => {
  test("a deploy is followed until every task is healthy; watching goes on without it", async () => {
    const { client, backend } = await serve();
    backend.model.node("n1");
    await client.deploy(SHOP);
    const { id } = await client.service("shop_web");
    const { got, ended } = collect<readonly ProgressView[]>(client.progress([id]));
    await until(() => got.length > 0);
    expect(got[0]?.[0]).toMatchObject({
      service: "shop_web",
      state: "converging",
      done: false,
      message: "0 of 2 tasks are healthy",
    });
    backend.run(2_500);
    expect(await ended).toBe("ended");
    expect(got.at(-1)?.[0]).toMatchObject({
      state: "watching",
      done: true,
      ok: true,
      desired: 2,
      healthy: 2,
      updated: 2,
    });
  });

  test("a deploy is not done before all nodes in reach have its routes; says for which it waits, and does not wait for ever", async () => {
    const { client, backend } = await serve();
    for (const name of ["n1", "n2"]) backend.model.node(name);
    backend.behind.add("n2");
    await client.deploy(SHOP);
    const { id } = await client.service("shop_web");
    const { got, ended } = collect<readonly ProgressView[]>(client.progress([id]));
    backend.run(2_500);
    await until(() => got.at(-1)?.[0]?.state === "watching");
    expect(got.at(-1)?.[0]).toMatchObject({ done: false, healthy: 2 });
    backend.run(2_000);
    await until(() => got.at(-1)?.[0]?.message.endsWith("; waiting for the routes of n2") === true);
    backend.behind.delete("n2");
    expect(await ended).toBe("ended");
    expect(got.at(-1)?.[0]).toMatchObject({ done: true, ok: true });
    backend.behind.add("n2");
    await client.scale("shop_web", 3);
    const again = collect<readonly ProgressView[]>(client.progress([id]));
    backend.run(1_500);
    await until(() => again.got.at(-1)?.[0]?.healthy === 3);
    backend.run(15_000);
    expect(await again.ended).toBe("ended");
    expect(again.got.at(-1)?.[0]).toMatchObject({
      done: true,
      ok: true,
      message: expect.stringContaining("; n2 did not take over the routes to it in 10 s") as string,
    });
  });

  test("waiting for the monitor ends when the watching is over", async () => {
    const { client, backend } = await serve();
    backend.model.node("n1");
    await client.deploy(SHOP);
    const { id } = await client.service("shop_web");
    const { got, ended } = collect<readonly ProgressView[]>(client.progress([id], { waitMonitor: true }));
    backend.run(2_500);
    await until(() => got.at(-1)?.[0]?.state === "watching");
    backend.run(6_000);
    expect(await ended).toBe("ended");
    expect(got.at(-1)?.[0]).toMatchObject({ state: "converged", done: true, ok: true });
  });

  test("what fits nowhere ends with the reason in words", async () => {
    const { client, backend } = await serve();
    backend.model.node("n1");
    const picky = serviceOf("shop", "web", {
      template: {
        placement: {
          constraints: [{ attribute: "node.labels.disk", operator: "==", value: "ssd" }],
          spreadOver: [],
          maxPerNode: 0,
          platforms: [],
        },
      },
    });
    await client.deploy(stackOf("shop", [picky]));
    const { id } = await client.service("shop_web");
    backend.run(1_000);
    const { got, ended } = collect<readonly ProgressView[]>(client.progress([id]));
    await until(() => got.length > 0);
    expect(got[0]?.[0]).toMatchObject({ state: "unplaceable", done: false });
    backend.run(4_000);
    expect(await ended).toBe("ended");
    expect(got.at(-1)?.[0]).toMatchObject({ state: "unplaceable", done: true, ok: false });
    expect(got.at(-1)?.[0]?.message).toContain("disk");
  });

  test("a failed update that rolls itself back is no success, one that was asked for is", async () => {
    const { client, backend } = await serve();
    backend.model.node("n1");
    const web = serviceOf("shop", "web");
    const withRollback = { ...web, update: { ...web.update, failureAction: "rollback" as const } };
    await client.deploy(stackOf("shop", [withRollback]));
    backend.run(10_000);
    backend.model.broken.add("web:bad");
    await client.updateService("shop_web", { image: "web:bad" });
    const { id } = await client.service("shop_web");
    backend.run(30_000);
    const { got, ended } = collect<readonly ProgressView[]>(client.progress([id]));
    expect(await ended).toBe("ended");
    expect(got.at(-1)?.[0]).toMatchObject({ state: "rolled_back", done: true, ok: false });
    await client.updateService("shop_web", { image: "web:v3" });
    backend.run(20_000);
    await client.rollback("shop_web");
    backend.run(20_000);
    const asked = collect<readonly ProgressView[]>(client.progress([id]));
    expect(await asked.ended).toBe("ended");
    expect(asked.got.at(-1)?.[0]).toMatchObject({ state: "rolled_back", done: true, ok: true });
  });

  test("scaling down is done when the tasks that are not wanted have stopped", async () => {
    const { client, backend } = await serve();
    backend.model.node("n1");
    await client.deploy(SHOP);
    backend.run(10_000);
    const { id } = await client.scale("shop_web", 1);
    const { got, ended } = collect<readonly ProgressView[]>(client.progress([id]));
    await until(() => got.length > 0);
    expect(got[0]?.[0]).toMatchObject({
      state: "converging",
      done: false,
      message: expect.stringContaining("not wanted any more") as string,
    });
    backend.run(20_000);
    expect(await ended).toBe("ended");
    expect(got.at(-1)?.[0]).toMatchObject({ state: "converged", ok: true, desired: 1, healthy: 1 });
  });

  test("a service whose tasks end as they should converges", async () => {
    const { client, backend } = await serve();
    backend.model.node("n1");
    await client.deploy(
      stackOf("shop", [serviceOf("shop", "web", { replicas: 1, template: { restart: UNTIL_DONE } })]),
    );
    backend.run(500);
    const { id } = await client.service("shop_web");
    for (const task of backend.model.live(id))
      backend.model.status(task.id, { state: "complete", exitCode: 0, exhausted: true, healthy: false });
    backend.run(2_000);
    const { got, ended } = collect<readonly ProgressView[]>(client.progress([id]));
    expect(await ended).toBe("ended");
    expect(got.at(-1)?.[0]).toMatchObject({ done: true, ok: true, updated: 1 });
  });

  test("a removed service is followed by its id until its tasks have stopped", async () => {
    const { client, backend } = await serve();
    backend.model.node("n1");
    await client.deploy(SHOP);
    backend.run(5_000);
    const { id } = await client.removeService("shop_web");
    const { got, ended } = collect<readonly ProgressView[]>(client.progress([id]));
    await until(() => got.length > 0);
    expect(got[0]?.[0]).toMatchObject({ service: "shop_web", state: "removing", done: false });
    backend.run(20_000);
    expect(await ended).toBe("ended");
    expect(got.at(-1)?.[0]).toMatchObject({ state: "removed", done: true, ok: true });
  });
});

describe("logs and exec", () => {
  test("a node that cannot be reached is a note among the lines of the others", async () => {
    const { client, backend } = await serve();
    backend.model.node("n1");
    backend.model.node("n2");
    await client.deploy(SHOP);
    backend.run(3_000);
    backend.logsOf = (id) => {
      const task = backend.model.state.task.get(id);
      if (task?.nodeId === "n2") return { lines: [], fails: "the agent of n2 does not answer" };
      return { lines: [{ stream: "stdout", at: "2026-01-01T00:00:00Z", text: "hello" }] };
    };
    const { got, ended } = collect<LogMessage>(client.serviceLogs("shop_web", { tail: 5 }));
    expect(await ended).toBe("ended");
    expect(got.filter((message) => message.kind === "line")).toMatchObject([
      { node: "n1", text: "hello", stream: "stdout" },
    ]);
    expect(got.filter((message) => message.kind === "note").map((message) => message.message)).toEqual([
      expect.stringMatching(/^shop_web\.\d on n2: no log: the agent of n2 does not answer$/) as string,
    ]);
  });

  test("following takes up tasks that appear later", async () => {
    const { client, backend } = await serve();
    backend.model.node("n1");
    await client.deploy(stackOf("shop", [serviceOf("shop", "web", { replicas: 1 })]));
    backend.run(3_000);
    backend.logsOf = (id) => ({
      lines: [{ stream: "stdout", at: "2026-01-01T00:00:00Z", text: `from ${backend.model.state.task.get(id)?.slot}` }],
    });
    const stop = new AbortController();
    const { got } = collect<LogMessage>(client.serviceLogs("shop_web", { follow: true }, stop.signal));
    await until(() => got.length === 1);
    await client.scale("shop_web", 2);
    backend.run(3_000);
    await until(() => got.length === 2);
    expect(got.map((message) => (message.kind === "line" ? message.text : message.message))).toEqual([
      "from 1",
      "from 2",
    ]);
    stop.abort();
  });

  test("exec carries input, output, resizes and the exit code", async () => {
    const { client, backend } = await serve();
    backend.model.node("n1");
    await client.deploy(SHOP);
    backend.run(3_000);
    const resizes: string[] = [];
    backend.execOf = (options) => {
      const input = new ExecFrameDecoder();
      const reply = (type: number, text: string): void => void stream.push(encodeExecFrame(type, Buffer.from(text)));
      const take = (chunk: Buffer): void => {
        for (const { type, payload } of input.push(chunk)) {
          const text = Buffer.from(payload).toString();
          if (type === EXEC_FRAME.resize) resizes.push(text);
          else if (text !== "") reply(EXEC_FRAME.stdout, `${options.argv.join(" ")}: ${text}`);
          else {
            reply(EXEC_FRAME.stderr, "bye");
            reply(EXEC_FRAME.exit, JSON.stringify({ exitCode: 3 }));
            stream.push(null);
          }
        }
      };
      const stream = new Duplex({
        read: () => undefined,
        write: (chunk: Buffer, _encoding, done) => {
          take(chunk);
          done();
        },
      });
      return stream;
    };
    const exec = await client.exec("shop_web.1", { argv: ["sh", "-c", "cat"], tty: true, cols: 80, rows: 24 });
    const output: string[] = [];
    exec.onOutput((stream, bytes) => output.push(`${stream} ${Buffer.from(bytes).toString()}`));
    exec.resize(100, 40);
    exec.write(Buffer.from("hé"));
    await until(() => output.length === 1);
    exec.end();
    expect(await exec.exited).toBe(3);
    expect(output).toEqual(["stdout sh -c cat: hé", "stderr bye"]);
    expect(resizes).toEqual(['{"cols":100,"rows":40}']);
    expect(backend.entries.at(-1)).toMatchObject({ action: "task.exec", subject: "shop_web.1" });
  });

  test("an exec that the node refuses is a plain error", async () => {
    const { client, backend } = await serve();
    backend.model.node("n1");
    await client.deploy(SHOP);
    backend.run(3_000);
    backend.execOf = () => {
      throw new DavitError("unavailable", "the agent of n1 does not answer");
    };
    await expect(client.exec("shop_web.1", { argv: ["sh"], tty: false })).rejects.toMatchObject({
      code: "unavailable",
      message: "the agent of n1 does not answer",
    });
    await expect(client.exec("shop_web.1", { argv: [], tty: false })).rejects.toMatchObject({ code: "invalid_input" });
  });
});
