// Handlers: the coordinator itself, events, audit trail, progress.

import packageJson from "../../../package.json" with { type: "json" };
import { DavitError } from "../../core/model/errors.ts";
import type { DavitEvent } from "../../core/model/records.ts";
import type { ProgressView } from "../../core/model/views.ts";
import { PROTOCOL_VERSION } from "../../core/protocol/frames.ts";
import { type Api, bind, bindRaw } from "../bind.ts";
import type { Parts } from "../context.ts";
import { problemResponse } from "../errors.ts";
import { aborted, type EventSink, eventStream } from "../event-stream.ts";
import * as routes from "../routes/system.ts";
import { Leading } from "../views/leading.ts";
import { progressView } from "../views/progress.ts";
import { auditView, eventView } from "../views/records.ts";

/** Events read from history at once while a reader catches up. */
const EVENT_PAGE = 500;
const MAX_AUDIT = 1_000;
/** Changes within this time are told together: a person sees no difference, and thirty starting tasks make one line of work. */
const PROGRESS_PAUSE_MS = 100;
/** The grace below ends with time alone. */
const PROGRESS_LOOK_MS = 500;
/** What finds no node may find one in a moment: a node that is just back, a port that is just given up. */
const UNPLACEABLE_GRACE_MS = 3_000;

export function bindSystem(api: Api): void {
  const { parts } = api;
  const { backend, options } = parts;
  bind(api, routes.getHealth, () => ({ status: "ok", revision: backend.revision() }));
  bind(api, routes.getVersion, () => {
    const [cluster] = backend.world().state.cluster.values();
    return {
      version: options.version ?? packageJson.version,
      protocol: PROTOCOL_VERSION,
      clusterId: cluster?.id ?? "",
      epoch: backend.epoch(),
      revision: backend.revision(),
      addressPool: cluster?.addressPool ?? "",
    };
  });
  bind(api, routes.getAudit, async ({ query }) =>
    (await backend.audit(query.since ?? 0, Math.min(query.limit ?? MAX_AUDIT, MAX_AUDIT))).map(auditView),
  );
  bindRaw(api, routes.getEvents, async ({ query, actor, c }) => {
    const resumed = Number(c.req.header("last-event-id") ?? Number.NaN);
    const asked = Number.isSafeInteger(resumed) ? resumed : query.since;
    const past = query.past ?? false;
    const page = asked === undefined && !past ? undefined : await backend.events(asked ?? 0, 1);
    // all that are kept begin with the oldest of them
    const since = asked ?? (page === undefined ? undefined : Math.max(0, page.oldestSeq - 1));
    if (since !== undefined && page !== undefined && (since + 1 < page.oldestSeq || since > page.newestSeq)) {
      return problemResponse(
        new DavitError(
          "out_of_sequence",
          `read events after ${since}: kept are ${page.oldestSeq} to ${page.newestSeq}`,
          { wayOut: "read the present state, then events from now on" },
        ),
        410,
      );
    }
    return eventStream(parts, actor, (sink) => sendEvents(parts, sink, { since, past, type: query.type }));
  });
  bindRaw(api, routes.getProgress, ({ query, actor }) => {
    const ids = [...new Set(typeof query.service === "string" ? [query.service] : query.service)];
    return eventStream(parts, actor, (sink) => sendProgress(parts, sink, ids, query.waitMonitor ?? false));
  });
}

/** History first, then, unless only the past is wanted, what comes, without a gap and without a repetition. */
async function sendEvents(
  { backend }: Parts,
  sink: EventSink,
  {
    since,
    past,
    type,
  }: { readonly since: number | undefined; readonly past: boolean; readonly type: string | undefined },
): Promise<void> {
  let sent = since ?? -1;
  const send = (events: readonly DavitEvent[]): void => {
    for (const event of events) {
      if (event.seq <= sent) continue;
      sent = event.seq;
      if (type === undefined || event.type.startsWith(type)) sink.send("event", eventView(event), event.seq);
    }
  };
  let live: DavitEvent[] | undefined = since === undefined ? undefined : [];
  const stop = backend.onEvents((events) => (live === undefined ? send(events) : void live.push(...events)));
  try {
    while (live !== undefined && !sink.signal.aborted) {
      const { events } = await backend.events(sent, EVENT_PAGE);
      send(events);
      if (events.length === EVENT_PAGE) continue;
      send(live);
      live = undefined;
      if (past) return;
    }
    await aborted(sink.signal);
  } finally {
    stop();
  }
}

/** Looks after each change, and now and then; ends when every service is done. */
async function sendProgress(
  { backend }: Parts,
  sink: EventSink,
  ids: readonly string[],
  waitMonitor: boolean,
): Promise<void> {
  const stuckSince = new Map<string, number>();
  const leading = new Leading();
  let last = "";
  const look = (): boolean => {
    const nowMs = backend.nowMs();
    const [world, revision] = [backend.world(), backend.revision()];
    const reached = ids.map((id) => withGrace(progressView(world, id, waitMonitor), stuckSince, nowMs));
    const views = leading.judge({ world, revision, nowMs }, reached);
    const text = JSON.stringify(views);
    if (text !== last) sink.send("progress", views);
    last = text;
    return views.every((view) => view.done);
  };
  const changed = createSignal();
  const stop = backend.onChange(changed.raise);
  const gone = aborted(sink.signal);
  try {
    while (!sink.signal.aborted) {
      if (look()) {
        sink.send("end", {});
        return;
      }
      // no change tells that nodes took over routes
      await Promise.race([changed.wait(leading.isWaiting ? PROGRESS_PAUSE_MS : PROGRESS_LOOK_MS), gone]);
      await pause(PROGRESS_PAUSE_MS);
    }
  } finally {
    stop();
  }
}

/** Not placeable counts as the end only when it stays so for a moment. */
function withGrace(view: ProgressView, stuckSince: Map<string, number>, nowMs: number): ProgressView {
  if (view.state !== "unplaceable") {
    stuckSince.delete(view.serviceId);
    return view;
  }
  const since = stuckSince.get(view.serviceId) ?? nowMs;
  stuckSince.set(view.serviceId, since);
  return view.done && nowMs - since < UNPLACEABLE_GRACE_MS ? { ...view, done: false } : view;
}

type ChangeSignal = { readonly raise: () => void; readonly wait: (timeoutMs: number) => Promise<void> };

/** Something changed since the last wait, or will before the time is over. */
function createSignal(): ChangeSignal {
  let isRaised = false;
  let wake: (() => void) | undefined;
  return {
    raise: () => {
      isRaised = true;
      wake?.();
    },
    wait: async (timeoutMs) => {
      if (!isRaised) {
        await new Promise<void>((resolve) => {
          const timer = setTimeout(resolve, timeoutMs);
          wake = () => {
            clearTimeout(timer);
            resolve();
          };
        });
      }
      wake = undefined;
      isRaised = false;
    },
  };
}

function pause(forMs: number): Promise<void> {
  return new Promise((resolve) => void setTimeout(resolve, forMs));
}
