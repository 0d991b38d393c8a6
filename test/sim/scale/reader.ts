// A process that asks the API, and does nothing else, so that what it notes is how long answers take.
// Usage: bun reader.ts API-SOCKET; commands come as lines of JSON on its input, answers go as lines to its output.

import { obeyLines } from "./command-lines.ts";
import type { ReaderCommand, Reads } from "./messages.ts";

const [apiPath = ""] = process.argv.slice(2);

/** Reads until told to stop, so many a second whatever the answers take: an answer that is late makes nobody ask less. */
async function read(path: string, everyMs: number, forMs: number): Promise<Reads> {
  const times: number[] = [];
  const failures: string[] = [];
  const asked: Promise<void>[] = [];
  const startedMs = performance.now();
  const ask = async (): Promise<void> => {
    const beganMs = performance.now();
    try {
      const answer = await fetch(`http://api${path}`, { unix: apiPath });
      await answer.arrayBuffer();
      if (!answer.ok) failures.push(`${answer.status}`);
    } catch (error) {
      failures.push(String(error));
    }
    times.push(performance.now() - beganMs);
  };
  while (performance.now() - startedMs < forMs) {
    asked.push(ask());
    await Bun.sleep(everyMs);
  }
  await Promise.all(asked);
  times.sort((a, b) => a - b);
  const at = (part: number): number => times[Math.min(times.length - 1, Math.floor(times.length * part))] ?? 0;
  return { path, count: times.length, failures: failures.length, p50: at(0.5), p99: at(0.99), max: at(1) };
}

obeyLines((command) => {
  const { path, everyMs, forMs } = command as ReaderCommand;
  return read(path, everyMs, forMs);
});
console.log(JSON.stringify({ ready: true }));
