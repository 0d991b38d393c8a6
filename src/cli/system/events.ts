// davit events: what happened, and with -f what happens.

import { buildCommand } from "@stricli/core";
import { DavitError } from "../../core/model/errors.ts";
import type { EventView } from "../../core/model/views.ts";
import { type CliContext, say } from "../context.ts";

type Flags = { readonly follow: boolean; readonly since?: number; readonly type?: string; readonly json: boolean };

export const events = buildCommand<Flags, [], CliContext>({
  docs: { brief: "show what happened" },
  parameters: {
    aliases: { f: "follow" },
    flags: {
      follow: { kind: "boolean", brief: "show new events as they come, until Ctrl-C", default: false },
      since: {
        kind: "parsed",
        parse: parseSequence,
        optional: true,
        brief: "only events after this number",
        placeholder: "SEQ",
      },
      type: {
        kind: "parsed",
        parse: String,
        optional: true,
        brief: "only types that begin so, such as node.",
        placeholder: "TYPE",
      },
      json: { kind: "boolean", brief: "a JSON text per line", default: false },
    },
  },
  func: showEvents,
});

async function showEvents(this: CliContext, flags: Flags): Promise<void> {
  const client = await this.client();
  const abort = new AbortController();
  const release = this.onInterrupt(() => abort.abort());
  const options = {
    ...(flags.follow ? { reconnect: true } : { past: true as const }),
    ...(flags.since === undefined ? {} : { since: flags.since }),
    ...(flags.type === undefined ? {} : { type: flags.type }),
  };
  try {
    for await (const event of client.events(options, abort.signal))
      say(this, flags.json ? JSON.stringify(event) : renderEvent(event));
  } catch (error) {
    if (!abort.signal.aborted) throw error;
  } finally {
    release();
  }
}

function renderEvent({ seq, at, type, message }: EventView): string {
  return `${seq}  ${at}  ${type}  ${message}`;
}

function parseSequence(text: string): number {
  if (!/^\d{1,15}$/.test(text)) throw new DavitError("invalid_input", `'${text}' is not the number of an event`);
  return Number(text);
}
