// A command in a task, with its streams and its exit code.

import { Duplex } from "node:stream";
import { describe, expect, test } from "vitest";
import type { TaskExecOptions } from "../../src/api/backend.ts";
import { EXEC_FRAME, encodeExecFrame, ExecFrameDecoder } from "../../src/core/protocol/exec-frames.ts";
import { serve, until } from "../api/serving.ts";
import { serviceOf, stackOf } from "../fakes/stacks.ts";
import { Harness, type HarnessOptions } from "./harness.ts";

/** A service whose containers keep what they are sent, and say what they are told to. */
async function running(options: HarnessOptions = {}) {
  const { backend, client } = await serve();
  backend.model.node("n1");
  await client.deploy(stackOf("shop", [serviceOf("shop", "web")]));
  backend.run(20_000);
  const asked: TaskExecOptions[] = [];
  const received: string[] = [];
  const streams: Duplex[] = [];
  backend.execOf = (exec) => {
    asked.push(exec);
    const decoder = new ExecFrameDecoder();
    const stream = new Duplex({
      read: () => undefined,
      write: (chunk: Buffer, _encoding, done) => {
        for (const { type, payload } of decoder.push(chunk))
          received.push(`${type}:${Buffer.from(payload).toString()}`);
        done();
      },
    });
    streams.push(stream);
    return stream;
  };
  const say = (type: number, text: string): void => void streams.at(-1)?.push(encodeExecFrame(type, Buffer.from(text)));
  const end = (exitCode: number): void => say(EXEC_FRAME.exit, JSON.stringify({ exitCode }));
  return { backend, cli: new Harness({ client, ...options }), asked, received, streams, say, end };
}

describe("a command in a container", () => {
  test("gets its own flags, writes to the two streams, and gives its exit code", async () => {
    const { cli, asked, received, say, end } = await running();
    const done = cli.run("service", "exec", "-u", "root", "-w", "/srv", "shop_web", "ls", "-la", "--json");
    await until(() => received.includes(`${EXEC_FRAME.stdin}:`));
    say(EXEC_FRAME.stdout, "a file\n");
    say(EXEC_FRAME.stderr, "a warning\n");
    end(42);
    expect(await done).toBe(42);
    expect(asked).toMatchObject([{ argv: ["ls", "-la", "--json"], tty: false, user: "root", workingDir: "/srv" }]);
    expect(cli.stdout).toBe("a file\n");
    expect(cli.stderr).toBe("a warning\n");
  });

  test("with -it has the keys as they are pressed and the window's size, and the terminal is given back", async () => {
    const { cli, asked, received, end } = await running({ isTerminal: true, size: { columns: 100, rows: 30 } });
    const done = cli.run("service", "exec", "-it", "shop_web.2", "sh");
    await until(() => cli.onKey !== undefined);
    cli.onKey?.(Buffer.from("\u0003"));
    cli.onResized?.();
    cli.onKeysEnd?.();
    await until(() => received.length === 3);
    expect(received).toEqual([
      `${EXEC_FRAME.stdin}:\u0003`,
      `${EXEC_FRAME.resize}:{"cols":100,"rows":30}`,
      `${EXEC_FRAME.stdin}:`,
    ]);
    end(0);
    expect(await done).toBe(0);
    expect(asked).toMatchObject([{ argv: ["sh"], tty: true, cols: 100, rows: 30 }]);
    expect(cli.terminalEvents).toEqual(["raw on", "input off", "resize off", "raw off"]);
  });

  test("cannot have a terminal where there is none", async () => {
    const { cli, asked } = await running();
    expect(await cli.run("service", "exec", "-it", "shop_web", "sh")).toBe(2);
    expect(cli.stderr).toContain("--tty needs a terminal");
    expect(asked).toEqual([]);
  });

  test("gives the terminal back when the connection breaks", async () => {
    const { cli, streams } = await running({ isTerminal: true });
    const done = cli.run("service", "exec", "-it", "shop_web", "sh");
    await until(() => cli.onKey !== undefined);
    streams[0]?.destroy(new Error("reset"));
    expect(await done).not.toBe(0);
    expect(cli.stderr).toContain("the connection to the node broke: reset");
    expect(cli.terminalEvents.at(-1)).toBe("raw off");
  });

  test("needs a task that runs, and a service or task of that name", async () => {
    const { backend, cli } = await running();
    backend.model.presence.clear();
    for (const task of backend.model.state.task.values()) backend.model.status(task.id, { state: "failed" });
    backend.changed();
    expect(await cli.run("service", "exec", "shop_web", "true")).toBe(5);
    expect(cli.stderr).toContain("none of its tasks runs now\n  way out: davit service ps shop_web shows why");
    expect(await cli.run("service", "exec", "nope", "true")).toBe(3);
  });
});
