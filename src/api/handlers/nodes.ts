// Handlers: nodes.

import { confirmDead, updateNode } from "../../core/commands/nodes.ts";
import { resolveRef } from "../../core/commands/resolve.ts";
import { invariant } from "../../core/model/invariant.ts";
import type { Node } from "../../core/model/records.ts";
import type { JoinProgress, NodeView } from "../../core/model/views.ts";
import { type Api, bind, bindRaw, mutate, note } from "../bind.ts";
import type { Actor, Parts } from "../context.ts";
import { asDavitError, problemOf } from "../errors.ts";
import { type EventSink, eventStream } from "../event-stream.ts";
import * as routes from "../routes/nodes.ts";
import { nodeView } from "../views/nodes.ts";
import { compareTasks, isPresent, taskView } from "../views/tasks.ts";

const etag = (view: NodeView): number => view.index;

export function bindNodes(api: Api): void {
  const { parts } = api;
  const { backend } = parts;
  const find = (ref: string): Node => resolveRef("node", backend.world().state.node.values(), ref);
  const view = (node: Node): NodeView => nodeView(backend.world(), node, backend.nodeMessage(node.id));
  const byName = (a: NodeView, b: NodeView): number => (a.name < b.name ? -1 : 1);

  bind(api, routes.listNodes, () => [...backend.world().state.node.values()].map(view).sort(byName), {
    isCached: true,
  });
  bind(api, routes.getNode, ({ params }) => view(find(params.ref)), { isCached: true, etag });
  bind(
    api,
    routes.listNodeTasks,
    ({ params }) => {
      const world = backend.world();
      const { id } = find(params.ref);
      const tasks = [...world.state.task.values()].filter((task) => task.nodeId === id && isPresent(world.state, task));
      return tasks.map((task) => taskView(world, task)).sort(compareTasks);
    },
    { isCached: true },
  );
  bind(api, routes.getNodeState, ({ params }) => backend.nodeState(find(params.ref).id));
  bind(
    api,
    routes.updateNode,
    async ({ params, body, actor, ifMatch }) =>
      view((await mutate(parts, actor, "node.update", updateNode({ ref: params.ref, patch: body, ifMatch }))).result),
    { etag },
  );
  bind(
    api,
    routes.confirmDead,
    async ({ params, actor }) => {
      const { id } = find(params.ref);
      const isInContact = backend.world().presence.get(id) === "ready";
      return view((await mutate(parts, actor, "node.confirm_dead", confirmDead({ ref: id, isInContact }))).result);
    },
    { etag },
  );
  bindRaw(api, routes.joinNode, ({ body, actor }) =>
    stepsOf(parts, actor, async (onProgress, signal) => {
      const id = await backend.join(body, onProgress, signal);
      const node = backend.world().state.node.get(id);
      invariant(node !== undefined, "a joined node has no record");
      await note(parts, actor, "node.join", node.name, `joined ${body.user}@${body.host}:${body.port}`);
      return { node: view(node) };
    }),
  );
  bindRaw(api, routes.removeNode, ({ params, query, actor }) => {
    const node = find(params.ref);
    return stepsOf(parts, actor, async (onProgress, signal) => {
      const last = view(node);
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
