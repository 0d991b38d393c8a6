// Server-sent events: one writer, keep-alive comments while nothing happens, and an end for readers that do not keep up. What waits for a
// reader is counted in bytes; beyond the limit the connection is cut, and the reader can resume where it was.

import { asDavitError, problemOf } from "./errors.ts";
import type { Actor, Parts } from "./context.ts";

/** Behind by more than this a reader is cut: some thousand events. */
const MAX_WAITING_BYTES = 1024 * 1024;
const KEEP_ALIVE_MS = 15_000;

export type EventSink = {
  /** `id` lets a reader resume after it. */
  readonly send: (event: string, data: unknown, id?: number) => void;
  /** Aborts when the reader is gone or was cut. */
  readonly signal: AbortSignal;
};

/** An event stream that `run` writes; it ends when `run` resolves. What `run` throws is sent as event `problem`. */
export function eventStream(
  parts: Parts,
  actor: Actor,
  run: (sink: EventSink) => Promise<void>,
  maxWaitingBytes: number = MAX_WAITING_BYTES,
): Response {
  const release = parts.streams.take(actor.name);
  const gone = new AbortController();
  const encoder = new TextEncoder();
  let keepAlive: ReturnType<typeof setInterval> | undefined;
  const finish = (): void => {
    clearInterval(keepAlive);
    release();
    gone.abort();
  };
  const body = new ReadableStream<Uint8Array>(
    {
      start(controller) {
        const write = (text: string): void => {
          if (gone.signal.aborted) return;
          controller.enqueue(encoder.encode(text));
          if ((controller.desiredSize ?? 0) >= 0) return;
          finish();
          controller.error(new Error("the reader does not keep up"));
        };
        keepAlive = setInterval(() => write(": alive\n\n"), parts.options.keepAliveMs ?? KEEP_ALIVE_MS);
        write(": open\n\n");
        const sink: EventSink = {
          send: (event, data, id) =>
            write(`${id === undefined ? "" : `id: ${id}\n`}event: ${event}\ndata: ${JSON.stringify(data)}\n\n`),
          signal: gone.signal,
        };
        void run(sink)
          .catch((error: unknown) => sink.send("problem", problemOf(asDavitError(error, parts.options.log))))
          .then(() => {
            if (gone.signal.aborted) return;
            finish();
            controller.close();
          });
      },
      cancel: finish,
    },
    new ByteLengthQueuingStrategy({ highWaterMark: maxWaitingBytes }),
  );
  return new Response(body, {
    headers: { "content-type": "text/event-stream", "cache-control": "no-store", "x-accel-buffering": "no" },
  });
}

/** Resolves when the signal aborts. */
export function aborted(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.resolve();
  return new Promise((resolve) => signal.addEventListener("abort", () => resolve(), { once: true }));
}
