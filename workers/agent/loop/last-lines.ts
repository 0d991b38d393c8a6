// The last words of a container, bounded: what a failure's report carries.

import type { ContainerEngine } from "../../../src/ports/container-engine.ts";
import { EngineError } from "../../../src/ports/container-engine.ts";

const LINES = 20;
/** What a status may carry over the control stream: a screenful. */
export const MAX_OUTPUT_BYTES = 4 * 1024;
/** Lines may be long: no more of them is read than this. */
const MAX_READ_BYTES = 64 * 1024;

/** At most LINES lines and MAX_OUTPUT_BYTES, the newest kept; empty when the engine keeps no logs of it. */
export async function lastLines(engine: ContainerEngine, containerId: string, tty: boolean): Promise<string> {
  const parts: Uint8Array[] = [];
  let bytes = 0;
  const reading = new AbortController();
  try {
    for await (const chunk of engine.logs(
      containerId,
      { follow: false, tail: LINES, timestamps: false, tty },
      reading.signal,
    )) {
      parts.push(chunk.bytes);
      bytes += chunk.bytes.length;
      if (bytes > MAX_READ_BYTES) break;
    }
  } catch (error) {
    if (!(error instanceof EngineError)) throw error;
  } finally {
    reading.abort();
  }
  return endOfText(parts.map((part) => new TextDecoder().decode(part)).join(""));
}

/** The newest MAX_OUTPUT_BYTES of a text, beginning at a line where it can. */
export function endOfText(text: string): string {
  const trimmed = text.trimEnd();
  const bytes = new TextEncoder().encode(trimmed);
  if (bytes.length <= MAX_OUTPUT_BYTES) return trimmed;
  const cut = new TextDecoder().decode(bytes.slice(-MAX_OUTPUT_BYTES));
  const line = cut.indexOf("\n");
  return line === -1 ? cut.replace(/^\uFFFD+/, "") : cut.slice(line + 1);
}
