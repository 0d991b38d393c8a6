// davit events: what happened, and with -f what happens.

import { buildCommand } from "@stricli/core";
import { type CliContext, say } from "../context.ts";

type Flags = { readonly follow: boolean; readonly since?: number; readonly type?: string; readonly json: boolean };

/** Without -f the stream is read until it has been silent for so long. */
const SILENCE_MS = 500;

export const events = buildCommand<Flags, [], CliContext>({
  docs: { brief: "show what happened" },
  parameters: {
    aliases: { f: "follow" },
    flags: {
      follow: { kind: "boolean", brief: "go on with new events until Ctrl-C", default: false },
      since: {
        kind: "parsed",
        parse: Number,
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
  let silence: ReturnType<typeof setTimeout> | undefined;
  const watch = (): void => {
    clearTimeout(silence);
    if (!flags.follow) silence = setTimeout(() => abort.abort(), SILENCE_MS);
  };
  const since = flags.since ?? (flags.follow ? undefined : 0);
  try {
    watch();
    for await (const event of client.events(
      {
        reconnect: flags.follow,
        ...(since === undefined ? {} : { since }),
        ...(flags.type === undefined ? {} : { type: flags.type }),
      },
      abort.signal,
    )) {
      watch();
      say(this, flags.json ? JSON.stringify(event) : `${event.seq}  ${event.at}  ${event.type}  ${event.message}`);
    }
  } catch (error) {
    if (!abort.signal.aborted) throw error;
  } finally {
    clearTimeout(silence);
    release();
  }
}
