// Server-sent events from a response body, as the WHATWG standard parses them (https://html.spec.whatwg.org/multipage/server-sent-events.html),
// as far as the API uses it: event, data, id; comments keep the line alive and are dropped.

import type { IncomingMessage } from "node:http";
import { DavitError, reasonOf } from "../core/model/errors.ts";
import type { Problem } from "../core/model/views.ts";
import { problemError } from "./transport.ts";

export type ServerEvent = { readonly event: string; readonly data: unknown; readonly id?: string };

/** A stream without a keep-alive comment for three of its intervals is dead. */
const SILENCE_MS = 45_000;
/** One event: the progress of a thousand tasks. */
const MAX_EVENT_CHARS = 32 * 1024 * 1024;

/** Collects text and gives whole events. Pure but for its own buffer. */
export class EventParser {
  #rest = "";

  push(text: string): ServerEvent[] {
    this.#rest += text;
    if (this.#rest.length > MAX_EVENT_CHARS) throw new DavitError("too_large", "read events: one of them is too large");
    const blocks = this.#rest.split("\n\n");
    this.#rest = blocks.pop() ?? "";
    return blocks.flatMap(parseBlock);
  }
}

function parseBlock(block: string): ServerEvent[] {
  let event = "message";
  let id: string | undefined;
  const data: string[] = [];
  for (const line of block.split("\n")) {
    if (line.startsWith("event: ")) event = line.slice(7);
    else if (line.startsWith("data: ")) data.push(line.slice(6));
    else if (line.startsWith("id: ")) id = line.slice(4);
  }
  if (data.length === 0) return [];
  return [{ event, data: JSON.parse(data.join("\n")) as unknown, ...(id === undefined ? {} : { id }) }];
}

/** The events of a response until it ends; an abort ends it quietly, an event `problem` and a broken connection throw. */
export async function* readEvents(
  message: IncomingMessage,
  signal: AbortSignal | undefined,
): AsyncGenerator<ServerEvent> {
  const parser = new EventParser();
  message.setEncoding("utf8");
  let silence = watch(message);
  try {
    for await (const chunk of message) {
      clearTimeout(silence);
      silence = watch(message);
      for (const event of parser.push(String(chunk))) {
        if (event.event === "problem") throw problemError(event.data as Problem);
        yield event;
      }
    }
  } catch (error) {
    if (signal?.aborted === true) return;
    if (error instanceof DavitError) throw error;
    throw new DavitError("unavailable", `the connection to the coordinator broke: ${reasonOf(error)}`, {
      wayOut: "what was begun goes on without it; look again when it answers",
      cause: error,
    });
  } finally {
    clearTimeout(silence);
    message.destroy();
  }
}

function watch(message: IncomingMessage): ReturnType<typeof setTimeout> {
  return setTimeout(() => message.destroy(new Error(`silent for ${SILENCE_MS / 1_000} s`)), SILENCE_MS);
}
