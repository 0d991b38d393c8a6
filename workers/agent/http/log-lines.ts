// Pieces of a container's output, each line led by the engine's timestamp, as lines with time and stream. Pure but for its buffers.

import type { LogChunk } from "../../../src/ports/container-engine.ts";

export type LogLine = { readonly stream: "stdout" | "stderr"; readonly at: string; readonly text: string };

/** A line without an end is cut here: nobody reads it, and it must not fill the memory. */
export const MAX_LINE_CHARS = 64 * 1024;

export class LogLines {
  readonly #rest = { stdout: "", stderr: "" };
  readonly #decoders = { stdout: new TextDecoder(), stderr: new TextDecoder() };

  push(chunk: LogChunk): LogLine[] {
    const { stream } = chunk;
    const text = this.#rest[stream] + this.#decoders[stream].decode(chunk.bytes, { stream: true });
    const parts = text.split("\n");
    const rest = parts.pop() ?? "";
    this.#rest[stream] = rest.length > MAX_LINE_CHARS ? "" : rest;
    if (rest.length > MAX_LINE_CHARS) parts.push(rest);
    return parts.map((line) => readLine(stream, line));
  }

  /** What came without a newline at the end. */
  end(): LogLine[] {
    const streams = ["stdout", "stderr"] as const;
    return streams.filter((stream) => this.#rest[stream] !== "").map((stream) => readLine(stream, this.#rest[stream]));
  }
}

function readLine(stream: "stdout" | "stderr", line: string): LogLine {
  const space = line.indexOf(" ");
  const at = space === -1 ? line : line.slice(0, space);
  const text = space === -1 ? "" : line.slice(space + 1);
  return /^\d{4}-\d\d-\d\dT/.test(at)
    ? { stream, at, text: text.replace(/\r$/, "") }
    : { stream, at: "", text: line.replace(/\r$/, "") };
}
