// The cap on parallel SSH handshakes.

import { expect, test } from "vitest";
import { Gate, HandshakeGates } from "../../src/ssh/gate.ts";
import { nextReconnectMs } from "../../src/ssh/reconnect.ts";

/** Work that ends when it is told, and counts how many are under way. */
function makeWork(): { start: () => Promise<void>; finishOne: () => void; peak: () => number; running: () => number } {
  const ends: (() => void)[] = [];
  let running = 0;
  let peak = 0;
  return {
    start: async () => {
      running += 1;
      peak = Math.max(peak, running);
      await new Promise<void>((resolve) => ends.push(resolve));
      running -= 1;
    },
    finishOne: () => ends.shift()?.(),
    peak: () => peak,
    running: () => running,
  };
}

async function settle(): Promise<void> {
  for (let turn = 0; turn < 20; turn++) await Promise.resolve();
}

test("no more than four handshakes knock at one sshd at once, and all get their turn", async () => {
  const gates = new HandshakeGates();
  const work = makeWork();
  const all = Promise.all(Array.from({ length: 10 }, () => gates.run("10.0.0.11:22", work.start)));
  for (let turn = 0; turn < 10; turn++) {
    await settle();
    expect(work.running()).toBeLessThanOrEqual(4);
    work.finishOne();
  }
  await all;
  expect(work.peak()).toBe(4);
});

test("no more than sixteen handshakes go on at once over all hosts", async () => {
  const gates = new HandshakeGates();
  const work = makeWork();
  const all = Promise.all(Array.from({ length: 30 }, (_, host) => gates.run(`host-${host}`, work.start)));
  for (let turn = 0; turn < 30; turn++) {
    await settle();
    work.finishOne();
  }
  await all;
  expect(work.peak()).toBe(16);
});

test("a failed holder gives its place back", async () => {
  const gate = new Gate(1);
  await expect(gate.run(() => Promise.reject(new Error("no")))).rejects.toThrow("no");
  expect(gate.tryEnter()).toBe(true);
  expect(gate.tryEnter()).toBe(false);
});

test("the first reconnect is at once, the next within a second each, later ones within fifteen", () => {
  expect(nextReconnectMs(0, 0.99)).toBe(0);
  for (let attempt = 1; attempt <= 8; attempt++) expect(nextReconnectMs(attempt, 0.999)).toBeLessThanOrEqual(1_000);
  expect(nextReconnectMs(40, 0.999)).toBeLessThanOrEqual(15_000);
  expect(nextReconnectMs(40, 0)).toBe(7_500);
});

test("the fraction spreads tries over half of the wait", () => {
  expect(nextReconnectMs(5, 0)).toBe(500);
  expect(nextReconnectMs(5, 0.5)).toBe(750);
});
