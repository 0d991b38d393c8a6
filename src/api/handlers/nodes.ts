// Handlers: nodes.

import { confirmDead, updateNode } from "../../core/commands/nodes.ts";
import { resolveRef } from "../../core/commands/resolve.ts";
import { DavitError } from "../../core/model/errors.ts";
import { invariant } from "../../core/model/invariant.ts";
import type { Node } from "../../core/model/records.ts";
import type { JoinProgress, NodeView } from "../../core/model/views.ts";
import { type Api, bind, bindRaw, mutate, note } from "../bind.ts";
import type { Actor, Parts } from "../context.ts";
import { asDavitError, problemOf } from "../errors.ts";
import { type EventSink, eventStream } from "../event-stream.ts";
import * as routes from "../routes/nodes.ts";
import { nodeView, peerCheckView, tasksByNode } from "../views/nodes.ts";
import { compareTasks, isPresent, taskView } from "../views/tasks.ts";

const etag = ({ index }: NodeView): number => index;
const byName = (a: NodeView, b: NodeView): number => (a.name < b.name ? -1 : 1);

export function bindNodes(api: Api): void {
  bindRecords(api);
  bindHosts(api);
}

function find({ backend }: Parts, ref: string): Node {
  return resolveRef("node", backend.world().state.node.values(), ref);
}

function view(parts: Parts, node: Node): NodeView {
  const [one] = views(parts, [node]);
  invariant(one !== undefined, `no view of ${node.name}`);
  return one;
}

function views({ backend }: Parts, nodes: readonly Node[]): NodeView[] {
  const world = backend.world();
  const tasks = tasksByNode(world, nodes);
  return nodes.map((node) => nodeView(world, node, backend.nodeContact(node.id), tasks.get(node.id) ?? []));
}

/** What the state alone answers or takes. */
function bindRecords(api: Api): void {
  const { parts } = api;
  const { backend } = parts;
  bind(api, routes.listNodes, () => views(parts, [...backend.world().state.node.values()]).sort(byName), {
    isCached: true,
  });
  bind(api, routes.getNode, ({ params }) => view(parts, find(parts, params.ref)), { isCached: true, etag });
  bind(
    api,
    routes.listNodeTasks,
    ({ params }) => {
      const world = backend.world();
      const { id } = find(parts, params.ref);
      const tasks = [...world.state.task.values()].filter((task) => task.nodeId === id && isPresent(world.state, task));
      return tasks.map((task) => taskView(world, task)).sort(compareTasks);
    },
    { isCached: true },
  );
  bind(api, routes.getNodeState, ({ params }) => backend.nodeState(find(parts, params.ref).id));
  bind(api, routes.checkNode, async ({ params, query }) => {
    const [from, to] = [find(parts, params.ref), find(parts, query.peer)];
    if (from.id === to.id)
      throw new DavitError("invalid_input", `check ${from.name}: it is the same node at both ends`, {
        wayOut: "name two nodes",
      });
    const measured = await backend.measurePeer(from.id, to.id, query.throughput ?? false);
    return peerCheckView(from, to, measured);
  });
  bind(
    api,
    routes.updateNode,
    async ({ params, body, actor, ifMatch }) =>
      view(
        parts,
        (await mutate(parts, actor, "node.update", updateNode({ ref: params.ref, patch: body, ifMatch }))).result,
      ),
    { etag },
  );
  bind(
    api,
    routes.confirmDead,
    async ({ params, actor }) => {
      const { id } = find(parts, params.ref);
      const isInContact = backend.world().presence.get(id) === "ready";
      return view(
        parts,
        (await mutate(parts, actor, "node.confirm_dead", confirmDead({ ref: id, isInContact }))).result,
      );
    },
    { etag },
  );
}

/** What is done on hosts: long, and told step by step. */
function bindHosts(api: Api): void {
  const { parts } = api;
  const { backend } = parts;
  bindRaw(api, routes.joinNode, ({ body, actor }) =>
    stepsOf(parts, actor, async (onProgress, signal) => {
      const id = await backend.join(body, onProgress, signal);
      const node = backend.world().state.node.get(id);
      invariant(node !== undefined, "a joined node has no record");
      await note(parts, actor, "node.join", node.name, `joined ${body.user}@${body.host}:${body.port}`);
      return { node: view(parts, node) };
    }),
  );
  bindRaw(api, routes.removeNode, ({ params, query, actor }) => {
    const node = find(parts, params.ref);
    return stepsOf(parts, actor, async (onProgress, signal) => {
      const last = view(parts, node);
      await backend.removeNode(
        node.id,
        { force: query.force ?? false, volumes: query.volumes ?? false },
        onProgress,
        signal,
      );
      await note(parts, actor, "node.remove", node.name, query.force === true ? "removed by force" : "removed");
      return { node: last };
    });
  });
}

/** A long action on a host: its steps as `progress`, its end as `result`. */
function stepsOf(
  parts: Parts,
  actor: Actor,
  act: (onProgress: (progress: JoinProgress) => void, signal: AbortSignal) => Promise<{ readonly node: NodeView }>,
): Response {
  return eventStream(parts, actor, async (sink: EventSink) => {
    try {
      sink.send("result", await act((progress) => sink.send("progress", progress), sink.signal));
    } catch (error) {
      sink.send("result", { problem: problemOf(asDavitError(error, parts.options.log)) });
    }
  });
}
