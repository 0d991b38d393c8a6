// Requests to a service's routes from the logs of all nodes, in one stream. What was there before comes in the order of time; then each as it comes. A
// node that cannot be reached is a note.

import { reasonOf } from "../core/model/errors.ts";
import { versionKey } from "../core/model/world.ts";
import type { Node, Service } from "../core/model/records.ts";
import type { TaskLogLine } from "./backend.ts";
import type { Actor, Parts } from "./context.ts";
import { type EventSink, eventStream } from "./event-stream.ts";
import type { LogQuery } from "./log-stream.ts";

/** As of a task's log: disks are faster than the reader's line. */
const MAX_WAITING_BYTES = 16 * 1024 * 1024;

/** The log of one service. */
export function accessLogStream(parts: Parts, actor: Actor, service: Service, query: LogQuery): Response {
  return eventStream(parts, actor, (sink) => read(parts, sink, service, query), MAX_WAITING_BYTES);
}

async function read({ backend }: Parts, sink: EventSink, service: Service, query: LogQuery): Promise<void> {
  const { state } = backend.world();
  const routes = state.serviceVersion.get(versionKey(service.id, service.version))?.spec.ingress ?? [];
  if (!routes.some(({ accessLog }) => accessLog === true)) {
    sink.send("note", { message: `no route of ${service.name} is logged: give one access_log: true` });
    return;
  }
  const { follow = false, tail, since } = query;
  const options = { follow, ...(tail === undefined ? {} : { tail }), ...(since === undefined ? {} : { since }) };
  const send = (node: Node, { at, text, stream }: TaskLogLine): void =>
    sink.send("log", { task: service.name, node: node.name, stream, at, text });
  const found: { readonly node: Node; readonly line: TaskLogLine }[] = [];
  await Promise.all(
    [...state.node.values()].map(async (node) => {
      const onLine = (line: TaskLogLine): void => {
        if (follow) send(node, line);
        else found.push({ node, line });
      };
      try {
        await backend.accessLog(node.id, service.name, options, onLine, sink.signal);
      } catch (error) {
        sink.send("note", { message: `${node.name}: no log: ${reasonOf(error)}` });
      }
    }),
  );
  const sorted = found.toSorted((a, b) => (a.line.at < b.line.at ? -1 : 1));
  const last = tail === undefined ? sorted : sorted.slice(Math.max(0, sorted.length - tail));
  for (const { node, line } of last) send(node, line);
}
