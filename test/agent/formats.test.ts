// What the agent reads and writes byte by byte: the engine's output stream, exec frames, log lines, names of images, ports in an engine's words.

import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { encodeExecFrame, ExecFrameDecoder } from "../../src/core/protocol/exec-frames.ts";
import { registryOf, splitReference } from "../../workers/agent/engine/image-reference.ts";
import { LogFrameDecoder } from "../../workers/agent/engine/log-frames.ts";
import { readJsonLines } from "../../workers/agent/engine/json-lines.ts";
import { LogLines, MAX_LINE_CHARS } from "../../workers/agent/http/log-lines.ts";
import { endOfText, MAX_OUTPUT_BYTES } from "../../workers/agent/loop/last-lines.ts";
import { takenPort } from "../../workers/agent/plan/reasons.ts";
import { workOf } from "./agent-world.ts";

function cut(bytes: Uint8Array, at: readonly number[]): readonly Uint8Array[] {
  const places = [...at.map((place) => place % (bytes.length + 1)), bytes.length].toSorted((a, b) => a - b);
  let from = 0;
  return places.map((to) => {
    const part = bytes.slice(from, to);
    from = to;
    return part;
  });
}

function engineFrame(stream: "stdout" | "stderr", payload: Uint8Array): Uint8Array {
  const frame = new Uint8Array(8 + payload.length);
  frame[0] = stream === "stdout" ? 1 : 2;
  new DataView(frame.buffer).setUint32(4, payload.length);
  frame.set(payload, 8);
  return frame;
}

const anyChunks = fc.array(
  fc.record({
    stream: fc.constantFrom("stdout" as const, "stderr" as const),
    bytes: fc.uint8Array({ maxLength: 300 }),
  }),
);

describe("the engine's output stream", () => {
  test("comes out as it went in, wherever the network cut it", () => {
    fc.assert(
      fc.property(anyChunks, fc.array(fc.nat()), (chunks, cuts) => {
        const wire = Buffer.concat(chunks.map((chunk) => engineFrame(chunk.stream, chunk.bytes)));
        const decoder = new LogFrameDecoder();
        const read = cut(wire, cuts).flatMap((part) => decoder.push(part));
        expect(read.map((each) => ({ stream: each.stream, bytes: [...each.bytes] }))).toEqual(
          chunks.map((each) => ({ stream: each.stream, bytes: [...each.bytes] })),
        );
      }),
    );
  });

  test("that is no such stream is refused instead of being waited for", () => {
    expect(() => new LogFrameDecoder().push(new TextEncoder().encode("plain text"))).toThrow("not the engine's stream");
  });
});

describe("exec frames", () => {
  test("come out as they went in, wherever the network cut them", () => {
    const anyFrames = fc.array(fc.record({ type: fc.nat(5), payload: fc.uint8Array({ maxLength: 300 }) }));
    fc.assert(
      fc.property(anyFrames, fc.array(fc.nat()), (frames, cuts) => {
        const wire = Buffer.concat(frames.map((frame) => encodeExecFrame(frame.type, frame.payload)));
        const decoder = new ExecFrameDecoder();
        const read = cut(wire, cuts).flatMap((part) => decoder.push(part));
        expect(read.map((frame) => ({ type: frame.type, payload: [...frame.payload] }))).toEqual(
          frames.map((frame) => ({ type: frame.type, payload: [...frame.payload] })),
        );
      }),
    );
  });

  test("beyond the largest payload end the stream", () => {
    expect(() => new ExecFrameDecoder().push(Uint8Array.of(0, 255, 255, 255, 255))).toThrow("larger than");
  });
});

describe("log lines", () => {
  const AT = "2026-01-02T03:04:05.678901234Z";

  test("carry their time and stream, whatever pieces they came in", () => {
    const text = `${AT} héllo\r\n${AT} \n${AT} two words\n`;
    fc.assert(
      fc.property(fc.array(fc.nat()), (cuts) => {
        const lines = new LogLines();
        const read = cut(new TextEncoder().encode(text), cuts).flatMap((bytes) =>
          lines.push({ stream: "stderr", bytes }),
        );
        expect([...read, ...lines.end()]).toEqual([
          { stream: "stderr", at: AT, text: "héllo" },
          { stream: "stderr", at: AT, text: "" },
          { stream: "stderr", at: AT, text: "two words" },
        ]);
      }),
    );
  });

  test("of two streams do not mix, and one without an end is given at the end", () => {
    const lines = new LogLines();
    const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
    expect(lines.push({ stream: "stdout", bytes: bytes(`${AT} be`) })).toEqual([]);
    expect(lines.push({ stream: "stderr", bytes: bytes(`${AT} oops\n`) })).toHaveLength(1);
    lines.push({ stream: "stdout", bytes: bytes("gun") });
    expect(lines.end()).toEqual([{ stream: "stdout", at: AT, text: "begun" }]);
  });

  test("that never end are cut and do not fill the memory", () => {
    const lines = new LogLines();
    const bytes = new Uint8Array(MAX_LINE_CHARS + 1).fill(120);
    expect(lines.push({ stream: "stdout", bytes })).toHaveLength(1);
    expect(lines.end()).toEqual([]);
  });

  test("kept of a failure are the last that fit, from a line's beginning", () => {
    const text = Array.from({ length: 1_000 }, (_, line) => `line ${line}`).join("\n");
    const kept = endOfText(`${text}\n\n`);
    expect(new TextEncoder().encode(kept).length).toBeLessThanOrEqual(MAX_OUTPUT_BYTES);
    expect(kept).toMatch(/^line \d+\n/);
    expect(kept.endsWith("line 999")).toBe(true);
    expect(endOfText("é".repeat(MAX_OUTPUT_BYTES))).not.toContain("\uFFFD");
  });
});

describe("JSON lines", () => {
  test("are read one by one, the last one without a newline too", async () => {
    const read: unknown[] = [];
    const lines = new Blob(['{"a":1}\n\n{"b":"é"}\r\n[2]']);
    for await (const value of readJsonLines(lines.stream())) read.push(value);
    expect(read).toEqual([{ a: 1 }, { b: "é" }, [2]]);
  });
});

describe("names of images", () => {
  test.each([
    ["web", "docker.io", "web", "latest"],
    ["web:v1", "docker.io", "web", "v1"],
    ["team/web", "docker.io", "team/web", "latest"],
    ["localhost/web:v1", "localhost", "localhost/web", "v1"],
    ["10.0.0.1:5000/web", "10.0.0.1:5000", "10.0.0.1:5000/web", "latest"],
    ["10.0.0.1:5000/team/web:v1", "10.0.0.1:5000", "10.0.0.1:5000/team/web", "v1"],
    ["registry.lab/web@sha256:abc", "registry.lab", "registry.lab/web", "sha256:abc"],
    ["registry.lab/web:v1@sha256:abc", "registry.lab", "registry.lab/web", "sha256:abc"],
  ])("%s comes from %s", (reference, registry, repository, tag) => {
    expect(registryOf(reference)).toBe(registry);
    expect(splitReference(reference)).toEqual({ repository, tag });
  });
});

describe("host ports", () => {
  test("that an engine's message names are found among the task's own", () => {
    const work = workOf(1, {
      hostPorts: [
        { published: 8080, target: 80, protocol: "tcp" },
        { published: 5353, target: 53, protocol: "udp" },
      ],
    });
    expect(takenPort("Bind for 0.0.0.0:5353 failed: port is already allocated", work)).toBe("5353/udp");
    expect(takenPort("listen tcp4 10.0.0.1:9: address in use", work)).toBeUndefined();
    expect(takenPort("address in use", { ...work, hostPorts: work.hostPorts.slice(0, 1) })).toBe("8080/tcp");
  });
});
