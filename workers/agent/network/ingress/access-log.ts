// Requests to a service's routes as the proxy wrote them to the journal, for whoever asks: the last ones, then those that come. The journal is the
// host's own, with its own limits; a line of another service is never told.

import { spawn } from "node:child_process";
import { createInterface } from "node:readline";
import { INGRESS_UNIT } from "./proxy-unit.ts";

/** One request. */
export type AccessLine = {
  /** ISO 8601. */
  readonly at: string;
  readonly text: string;
};

export type AccessQuery = {
  /** Full name. */
  readonly service: string;
  /** Only so many of the last ones. */
  readonly tail: number;
  /** Only later ones; milliseconds since 1970. */
  readonly sinceMs?: number;
  readonly follow: boolean;
};

/** A journal of other services' lines is not read to its beginning for one that has none. */
const MAX_SCANNED = 200_000;

/** As the proxy's log format has it: client, service, host, request, status, bytes, two times, server. */
const LINE = /^(\S+) (\S+) "((?:[^"\\]|\\.)*)" "([^"]*)" (\d+) (\d+) (-?\d+) (-?\d+) (\S+)$/;

/** What a line of the journal (as JSON) tells of a request to this service; undefined when it tells of something else. `cursor`: where it stands. */
export function parseAccessLine(
  json: string,
  service: string,
): (AccessLine & { readonly cursor: string | undefined }) | undefined {
  let entry: Readonly<Record<string, unknown>>;
  try {
    entry = JSON.parse(json) as Readonly<Record<string, unknown>>;
  } catch {
    return undefined;
  }
  const { MESSAGE: message, __REALTIME_TIMESTAMP: micros, __CURSOR: cursor } = entry;
  const match = typeof message === "string" ? LINE.exec(message) : null;
  if (match === null || match[2] !== service) return undefined;
  const [, client, , host, request, status, bytes, firstByte, took, server] = match;
  const times = `${shown(firstByte)}/${shown(took)} ms`;
  const from = /^[\d.]+:\d+$/.test(server ?? "") ? server : "no container";
  return {
    at: new Date(Number(micros) / 1_000).toISOString(),
    text: `${client} ${host} "${request}" ${status} ${bytes} B ${times} ${from}`,
    cursor: typeof cursor === "string" ? cursor : undefined,
  };
}

/** -1: it did not come to it. */
function shown(ms: string | undefined): string {
  return ms === undefined || ms.startsWith("-") ? "-" : ms;
}

/** The last lines, oldest first, then, when following, each as it comes. Resolves at their end, or soon after `signal` aborts. */
export async function readAccessLog(
  query: AccessQuery,
  onLine: (line: AccessLine) => Promise<void>,
  signal: AbortSignal,
): Promise<void> {
  const last: AccessLine[] = [];
  let cursor: string | undefined;
  let scanned = 0;
  const since = query.sinceMs === undefined ? [] : [`--since=@${(query.sinceMs / 1_000).toFixed(3)}`];
  for await (const line of journal(["--reverse", ...since], signal)) {
    scanned += 1;
    if (scanned > MAX_SCANNED) break;
    const parsed = parseAccessLine(line, query.service);
    if (parsed === undefined) continue;
    cursor ??= parsed.cursor;
    if (last.length >= query.tail) break;
    last.push({ at: parsed.at, text: parsed.text });
  }
  for (const line of last.toReversed()) await onLine(line);
  if (!query.follow || signal.aborted) return;
  const from = cursor === undefined ? "--lines=0" : `--after-cursor=${cursor}`;
  for await (const line of journal(["--follow", from], signal)) {
    const parsed = parseAccessLine(line, query.service);
    if (parsed !== undefined) await onLine({ at: parsed.at, text: parsed.text });
  }
}

/** Lines of the proxy's journal; the reader that stops early, or goes, ends the program. */
async function* journal(argv: readonly string[], signal: AbortSignal): AsyncGenerator<string> {
  const program = spawn("journalctl", ["-u", INGRESS_UNIT, "-o", "json", "--no-pager", "--quiet", ...argv], {
    stdio: ["ignore", "pipe", "ignore"],
  });
  const end = (): void => void program.kill();
  signal.addEventListener("abort", end);
  const failed = new Promise<never>((_resolve, reject) => program.once("error", reject));
  failed.catch(() => undefined);
  try {
    const lines = createInterface({ input: program.stdout })[Symbol.asyncIterator]();
    for (;;) {
      const { done, value } = await Promise.race([lines.next(), failed]);
      if (done === true) return;
      yield value;
    }
  } finally {
    signal.removeEventListener("abort", end);
    end();
  }
}
