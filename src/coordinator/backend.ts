// The coordinator as the HTTP API sees it: the Backend interface over the door, the loops and the ways to nodes.

import { inspectCertificate } from "../certificates/inspect.ts";
import type { Backend, TaskExecOptions, TaskLogLine, TaskLogOptions } from "../api/backend.ts";
import type { CommandContext } from "../core/commands/command.ts";
import { removeNode, updateNode } from "../core/commands/nodes.ts";
import { DavitError, reasonOf } from "../core/model/errors.ts";
import { ID_BYTES, idFromBytes, idSourceFrom, type NodeId, type TaskId, type TokenId } from "../core/model/ids.ts";
import type { Node, Task } from "../core/model/records.ts";
import type { JoinProgress } from "../core/model/views.ts";
import { isOver } from "../core/schedule/ledger.ts";
import type { Clock } from "../ports/clock.ts";
import type { NextTick } from "../core/model/job.ts";
import type { Hasher } from "../ports/hasher.ts";
import type { HostShell } from "../ports/host-shell.ts";
import type { Log } from "../ports/log.ts";
import type { Random } from "../ports/random.ts";
import type { Store } from "../ports/store.ts";
import { removeHost } from "../ssh/bootstrap/remove-host.ts";
import type { AgentCalls } from "./agent-calls.ts";
import type { CommitDoor } from "./commit-door.ts";
import type { Coordinator } from "./coordinator.ts";
import type { Joins } from "./join.ts";

export type BackendInput = {
  readonly door: CommitDoor;
  readonly store: Store;
  readonly coordinator: Coordinator;
  readonly joins: Joins;
  readonly calls: AgentCalls;
  readonly shell: (node: Node) => Promise<HostShell>;
  readonly seal: (text: string) => string;
  readonly unitOf: (name: string) => number;
  /** Names can be proved by DNS. */
  readonly provesByDns: boolean;
  readonly epoch: number;
  readonly clock: Clock;
  readonly random: Random;
  readonly hasher: Hasher;
  readonly nextTick: NextTick;
  readonly log: Log;
};

/** What the API needs, on the real coordinator. */
export function createBackend(input: BackendInput): Backend {
  const { door, store, coordinator, clock, random, hasher, log } = input;
  const lastUsed = new Map<TokenId, number>();
  const context = (): CommandContext => ({
    nowMs: clock.nowMs(),
    newId: idSourceFrom(idFromBytes(random.bytes(ID_BYTES))),
    hash: (text) => hasher.hash(text),
    hashBytes: (bytes) => hasher.hashBytes(bytes),
    nextTick: input.nextTick,
    provesByDns: input.provesByDns,
  });
  return {
    world: () => coordinator.worldOf(door.state),
    revision: () => door.revision,
    epoch: () => input.epoch,
    nowMs: () => clock.nowMs(),
    mutate: (command) => door.commit((state) => command(state, context())),
    dryRun: (command) => command(door.state, context()).result,
    refused: (entry) => {
      door
        .commit(() => ({ changes: [], audit: [entry], result: undefined }))
        .catch((error: unknown) => log.error("audit entry lost", { reason: String(error) }));
    },
    onChange: (listener) => coordinator.onChange(listener),
    events: (sinceSeq, limit) => store.events(sinceSeq, limit),
    onEvents: (listener) =>
      door.onCommit((_changes, _revision, events) => {
        if (events.length > 0) listener(events);
      }),
    audit: (sinceSeq, limit) => store.audit(sinceSeq, limit),
    join: (request, onProgress, signal) => input.joins.join(request, onProgress, signal),
    removeNode: (id, options, onProgress) => remove(input, context, id, options, onProgress),
    taskLogs: (id, options, onLine, signal) => taskLogs(input, id, options, onLine, signal),
    openExec: async (id, options) => {
      const { node } = placedTask(input, id);
      return await input.calls.exec(node, id, execQuery(options));
    },
    nodeState: (id) => input.calls.state(nodeOf(input, id)),
    ingressFigures: (id) => input.calls.ingressFigures(nodeOf(input, id)),
    accessLog: (id, service, options, onLine, signal) =>
      input.calls.accessLog(nodeOf(input, id), { service, ...logQuery(options) }, onLine, signal),
    measurePeer: (id, peer, withStream) => input.calls.measurePeer(nodeOf(input, id), peer, withStream),
    nodeContact: (id) => ({ message: coordinator.messageOf(id), routesBehindMs: coordinator.routesBehindMs(id) }),
    seal: input.seal,
    sealCertificate: (name, certificatePem, keyPem) => {
      const { pem, ...rest } = inspectCertificate(name, certificatePem, keyPem, clock.nowMs());
      return { ...rest, sealedPem: input.seal(pem) };
    },
    unitOf: input.unitOf,
    tokenUsed: (id) => void lastUsed.set(id, clock.nowMs()),
    tokenLastUsedMs: (id) => lastUsed.get(id),
  };
}

function nodeOf({ door }: BackendInput, id: NodeId): Node {
  const node = door.state.node.get(id);
  if (node === undefined) throw new DavitError("not_found", `find node ${id}: it was removed`);
  return node;
}

function placedTask(input: BackendInput, id: TaskId): { readonly task: Task; readonly node: Node } {
  const task = input.door.state.task.get(id);
  if (task === undefined) throw new DavitError("not_found", `find task ${id}: its record is gone`);
  if (task.nodeId === undefined) {
    throw new DavitError("unavailable", `reach task ${id}: it has no node yet: ${task.waiting ?? "it waits"}`, {
      wayOut: "davit service ps shows what it waits for",
    });
  }
  return { task, node: nodeOf(input, task.nodeId) };
}

async function taskLogs(
  input: BackendInput,
  id: TaskId,
  options: TaskLogOptions,
  onLine: (line: TaskLogLine) => void,
  signal: AbortSignal,
): Promise<void> {
  const { node } = placedTask(input, id);
  await input.calls.logs(node, id, logQuery(options), onLine, signal);
}

function logQuery({ follow, tail, since }: TaskLogOptions): Record<string, string> {
  return {
    follow: follow ? "1" : "0",
    ...(tail === undefined ? {} : { tail: String(tail) }),
    ...(since === undefined ? {} : { since }),
  };
}

function execQuery(options: TaskExecOptions): Record<string, string> {
  const query: Record<string, string> = { argv: JSON.stringify(options.argv), tty: options.tty ? "1" : "0" };
  if (options.cols !== undefined) query["cols"] = String(options.cols);
  if (options.rows !== undefined) query["rows"] = String(options.rows);
  if (options.user !== undefined) query["user"] = options.user;
  if (options.workingDir !== undefined) query["workdir"] = options.workingDir;
  return query;
}

/** How long nothing may leave a node that is to be emptied before its removal gives up: tasks go a few at a time. */
const EMPTY_TIMEOUT_MS = 120_000;
const EMPTY_LOOK_MS = 100;

/** Empties the node and cleans the host first, so that a failure leaves the record to try again with; --force does not wait and takes the record alone if it must. */
async function remove(
  input: BackendInput,
  context: () => CommandContext,
  id: NodeId,
  options: { readonly force: boolean; readonly volumes: boolean },
  report: (progress: JoinProgress) => void,
): Promise<void> {
  const { door, clock } = input;
  const node = nodeOf(input, id);
  const command = removeNode(id);
  // what forbids the removal is said before the host is touched
  command(door.state, context());
  await door.commit((state) => updateNode({ ref: id, patch: { availability: "drain" } })(state, context()));
  try {
    if (!options.force) await untilEmpty(input, node, report);
    const mode = options.volumes ? "with-volumes" : "keep-volumes";
    await removeHost({ shell: await input.shell(node), mode, nowMs: () => clock.bootMs(), report });
  } catch (error) {
    if (!options.force) throw error;
    const message = `${node.name} was not cleaned: ${reasonOf(error)}`;
    report({ step: "remove", state: "skipped", message, elapsedMs: 0 });
  }
  await door.commit((state) => command(state, context()));
}

async function untilEmpty(
  { door, clock }: BackendInput,
  node: Node,
  report: (progress: JoinProgress) => void,
): Promise<void> {
  const startedMs = clock.bootMs();
  let fewest = Number.POSITIVE_INFINITY;
  let leftLastMs = startedMs;
  report({ step: "drain", state: "started", message: "move its tasks elsewhere", elapsedMs: 0 });
  for (;;) {
    const left = [...door.state.task.values()].filter((task) => task.nodeId === node.id && !isOver(door.state, task));
    const elapsedMs = clock.bootMs() - startedMs;
    if (left.length === 0) return report({ step: "drain", state: "done", message: "no task is left on it", elapsedMs });
    if (left.length < fewest) {
      fewest = left.length;
      leftLastMs = clock.bootMs();
    }
    if (clock.bootMs() - leftLastMs > EMPTY_TIMEOUT_MS) {
      throw new DavitError(
        "timeout",
        `remove ${node.name}: ${left.length} of its tasks are left, and none has ended for ${EMPTY_TIMEOUT_MS / 1_000} s`,
        {
          wayOut: `davit ps --node ${node.name} shows them; --force removes the node all the same`,
        },
      );
    }
    await clock.sleep(EMPTY_LOOK_MS);
  }
}
