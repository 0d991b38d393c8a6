// Frames over a stream of bytes: cut anywhere, too long, broken.

import { Duplex } from "node:stream";
import { expect, test } from "vitest";
import type { AgentFrame, CoordinatorFrame } from "../../src/core/protocol/frames.ts";
import { openFrameStream } from "../../src/ssh/frame-stream.ts";

/** A stream whose far side reads when it is told. */
function makeWire(): { duplex: Duplex; written: string[]; readOne: () => void } {
  const written: string[] = [];
  const waiting: (() => void)[] = [];
  const duplex = new Duplex({
    read: () => undefined,
    write: (chunk: Buffer, _encoding, done) => {
      written.push(chunk.toString());
      waiting.push(done);
    },
  });
  return { duplex, written, readOne: () => waiting.shift()?.() };
}

const never = new Promise<string>(() => undefined);
const bye = (length: number): CoordinatorFrame => ({ type: "bye", message: "x".repeat(length) });

test("frames are written in order, the next when the one before is gone", () => {
  const wire = makeWire();
  const stream = openFrameStream(wire.duplex, never, () => undefined);
  stream.send(bye(1));
  stream.send(bye(2));
  expect(wire.written.length).toBe(1);
  wire.readOne();
  expect(wire.written.map((text) => JSON.parse(text) as unknown)).toEqual([bye(1), bye(2)]);
});

test("one frame may be larger than the queue's limit, for only what waits behind it counts", () => {
  const wire = makeWire();
  const stream = openFrameStream(wire.duplex, never, () => undefined);
  const reasons: string[] = [];
  stream.onClose((reason) => reasons.push(reason));
  stream.send(bye(1_000_000));
  stream.send(bye(1_000));
  expect(reasons).toEqual([]);
});

test("one larger than the limit may wait behind another, with small ones after it, and no second one", () => {
  const wire = makeWire();
  const stream = openFrameStream(wire.duplex, never, () => undefined);
  const reasons: string[] = [];
  stream.onClose((reason) => reasons.push(reason));
  for (const length of [200_000, 100_000, 1_000]) stream.send(bye(length));
  expect(reasons).toEqual([]);
  wire.readOne();
  stream.send(bye(100_000));
  expect(reasons).toEqual([]);
  stream.send(bye(100_000));
  expect(reasons).toHaveLength(1);
});

test("a stream whose other side reads no more is closed as stuck", () => {
  const wire = makeWire();
  let released = 0;
  const stream = openFrameStream(wire.duplex, never, () => (released += 1));
  const reasons: string[] = [];
  stream.onClose((reason) => reasons.push(reason));
  for (let count = 0; count < 70; count++) stream.send(bye(1_000));
  expect(reasons).toHaveLength(1);
  expect(reasons[0]).toMatch(/^stuck: \d+ bytes wait/);
  expect(released).toBe(1);
});

test("frames that come are given in order, however the bytes are cut", async () => {
  const wire = makeWire();
  const stream = openFrameStream(wire.duplex, never, () => undefined);
  const frames: AgentFrame[] = [];
  const got = new Promise<void>((resolve) => {
    stream.onFrame((frame) => {
      frames.push(frame);
      if (frames.length === 2) resolve();
    });
  });
  wire.duplex.push('{"type":"beat","se');
  wire.duplex.push('q":1}\n{"type":"beat","seq":2}\n');
  await got;
  expect(frames).toEqual([
    { type: "beat", seq: 1 },
    { type: "beat", seq: 2 },
  ]);
});

test("bytes that are no frames close the stream with the reason", async () => {
  const wire = makeWire();
  const stream = openFrameStream(wire.duplex, never, () => undefined);
  stream.onFrame(() => undefined);
  const reason = new Promise<string>((resolve) => stream.onClose(resolve));
  wire.duplex.push("hello\n");
  expect(await reason).toContain("not JSON");
});

test("the connection's end is the reason that is told", async () => {
  const wire = makeWire();
  const stream = openFrameStream(wire.duplex, Promise.resolve("the host stopped answering"), () => undefined);
  expect(await new Promise<string>((resolve) => stream.onClose(resolve))).toBe("the host stopped answering");
});
