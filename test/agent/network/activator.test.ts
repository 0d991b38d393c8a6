// Holding connections for a service that is asleep, over real sockets of this machine: what is held and joined, what wakes and what does not, who
// gives up, and that a service that has just come is not run over.

import { connect, createServer, type Server, type Socket } from "node:net";
import { afterEach, describe, expect, test } from "vitest";
import type { ServiceId } from "../../../src/core/model/ids.ts";
import type { Log } from "../../../src/ports/log.ts";
import { Activator } from "../../../workers/agent/network/activator/activator.ts";
import { FakeClock } from "../../fakes/fake-clock.ts";
import { endpoint, service, viewOf } from "../firewall/views.ts";

const SILENT = {
  warn: () => undefined,
  info: () => undefined,
  debug: () => undefined,
  error: () => undefined,
} as unknown as Log;
const cleanups: (() => void)[] = [];
afterEach(() => {
  for (const cleanup of cleanups.splice(0)) cleanup();
});

/** The service's program: says in upper case what it hears, on a port of its own. */
class Program {
  readonly sockets = new Set<Socket>();
  /** Whether it answers what it is asked. */
  isAnswering = true;
  readonly #server: Server;

  private constructor() {
    this.#server = createServer({ allowHalfOpen: true }, (socket) => {
      this.sockets.add(socket);
      socket.on("data", (data) => this.isAnswering && socket.write(data.toString().toUpperCase()));
      socket.on("end", () => socket.end());
      socket.on("error", () => socket.destroy());
    });
  }

  static async start(): Promise<Program> {
    const program = new Program();
    await new Promise<void>((resolve) => program.#server.listen({ host: "127.0.0.1", port: 0 }, resolve));
    cleanups.push(
      () => program.#server.close(),
      () => program.sockets.forEach((socket) => socket.destroy()),
    );
    return program;
  }

  get port(): number {
    const address = this.#server.address();
    return typeof address === "object" ? (address?.port ?? 0) : 0;
  }
}

/** An activator for one service whose program is at a port of this machine, as if it were the node's bridge. */
async function asleep(port: number): Promise<{
  readonly clock: FakeClock;
  readonly waiting: (readonly ServiceId[])[];
  readonly activator: Activator;
  readonly follow: (endpoints: readonly string[]) => void;
  readonly at: number;
}> {
  const clock = new FakeClock();
  const activator = new Activator({ clock, log: SILENT });
  cleanups.push(() => activator.stop());
  const waiting: (readonly ServiceId[])[] = [];
  const follow = (addresses: readonly string[]) => {
    const sleeper = service(
      1,
      "web",
      addresses.map((address) => endpoint(address)),
      { waking: [port] },
    );
    const view = viewOf([sleeper]);
    return activator.follow({ ...view, node: { ...view.node, subnet: "127.0.0.0/24" } });
  };
  const opened = new Promise<void>((resolve) =>
    activator.begin({ onDoors: resolve, onWaiting: (services) => waiting.push(services) }),
  );
  follow([]);
  await opened;
  const at = [...follow([]).values()][0]?.ports.get(port) ?? 0;
  return { clock, waiting, activator, follow: (endpoints) => void follow(endpoints), at };
}

/** A caller; `heard` resolves with all that it was told once the other side ends or cuts it. */
async function call(
  at: number,
  says: string | undefined,
): Promise<{ readonly socket: Socket; readonly heard: Promise<string> }> {
  const socket = connect({ host: "127.0.0.1", port: at, allowHalfOpen: true });
  cleanups.push(() => socket.destroy());
  await new Promise((resolve) => socket.once("connect", resolve));
  let text = "";
  socket.on("data", (data) => (text += data.toString()));
  const heard = new Promise<string>((resolve) => {
    socket.once("end", () => resolve(text));
    socket.once("error", () => resolve("cut"));
    socket.once("close", () => resolve(text));
  });
  if (says !== undefined) socket.end(says);
  return { socket, heard };
}

async function until(isSo: () => boolean): Promise<void> {
  for (let looks = 0; looks < 400 && !isSo(); looks++) await new Promise((resolve) => setTimeout(resolve, 5));
  expect(isSo()).toBe(true);
}

describe("a call of a service that is asleep", () => {
  test("is held, told, and joined to an endpoint with all that it has said", async () => {
    const program = await Program.start();
    const { follow, waiting, at, activator } = await asleep(program.port);
    const { heard } = await call(at, "hello");
    await until(() => waiting.length > 0);
    expect(waiting[0]).toEqual(["s1"]);
    expect(activator.active).toEqual(["s1"]);
    follow(["127.0.0.1"]);
    expect(await heard).toBe("HELLO");
  });

  test("is told again every second for as long as it waits, and no longer", async () => {
    const program = await Program.start();
    const { follow, waiting, at, clock } = await asleep(program.port);
    const { heard } = await call(at, "hello");
    await until(() => waiting.length === 1);
    await clock.advance(2_500);
    expect(waiting).toHaveLength(3);
    follow(["127.0.0.1"]);
    await heard;
    await clock.advance(5_000);
    expect(waiting).toHaveLength(3);
  });

  test("wakes nobody when it says nothing and ends at once, and does when it stays", async () => {
    const { waiting, at, clock } = await asleep(1);
    const { heard } = await call(at, "");
    await heard;
    await clock.advance(10_000);
    expect(waiting).toEqual([]);
    await call(at, undefined);
    await new Promise((resolve) => setTimeout(resolve, 20));
    await clock.advance(101);
    expect(waiting).toEqual([["s1"]]);
  });

  test("is cut after a minute in which nobody came", async () => {
    const { at, waiting, clock } = await asleep(1);
    const { heard } = await call(at, "hello");
    await until(() => waiting.length > 0);
    await clock.advance(60_001);
    expect(await heard).toBe("cut");
  });

  test("goes to another endpoint when the first refuses", async () => {
    const program = await Program.start();
    const { follow, waiting, at } = await asleep(program.port);
    const { heard } = await call(at, "hello");
    await until(() => waiting.length > 0);
    follow(["127.0.0.2", "127.0.0.1"]);
    expect(await heard).toBe("HELLO");
  });
});

test("of many held calls some are let go at a time: the next once one was answered, or a second later", async () => {
  const program = await Program.start();
  program.isAnswering = false;
  const { follow, waiting, at, clock } = await asleep(program.port);
  const calls = await Promise.all(Array.from({ length: 50 }, () => call(at, undefined)));
  for (const { socket } of calls) socket.write("hello");
  await until(() => waiting.length > 0);
  await new Promise((resolve) => setTimeout(resolve, 50));
  follow(["127.0.0.1"]);
  await until(() => program.sockets.size === 32);
  await new Promise((resolve) => setTimeout(resolve, 50));
  expect(program.sockets.size).toBe(32);
  await clock.advance(1_001);
  await until(() => program.sockets.size === 50);
  expect(calls).toHaveLength(50);
});

test("a service that may not fall asleep any more is listened for no longer", async () => {
  const { at, activator } = await asleep(1);
  const view = viewOf([service(1, "web", [])]);
  expect(activator.follow({ ...view, node: { ...view.node, subnet: "127.0.0.0/24" } }).size).toBe(0);
  const socket = connect({ host: "127.0.0.1", port: at });
  expect(
    await new Promise((resolve) => socket.once("error", (error: NodeJS.ErrnoException) => resolve(error.code))),
  ).toBe("ECONNREFUSED");
});
