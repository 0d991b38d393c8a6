// Handlers: tasks.

import { resolveRef, resolveService, resolveTask } from "../../core/commands/resolve.ts";
import { DavitError } from "../../core/model/errors.ts";
import type { Task } from "../../core/model/records.ts";
import { type Api, bind, bindRaw, note, requireStack } from "../bind.ts";
import type { TaskExecOptions } from "../backend.ts";
import { bridgeExec } from "../exec-bridge.ts";
import { logStream } from "../log-stream.ts";
import * as routes from "../routes/tasks.ts";
import { compareTasks, isPresent, taskView } from "../views/tasks.ts";

/** Arguments of one command. */
const MAX_ARGUMENTS = 1_000;

export function bindTasks(api: Api): void {
  const { parts } = api;
  const { backend } = parts;
  const find = (ref: string): Task => resolveTask(backend.world().state, ref);

  bind(
    api,
    routes.listTasks,
    ({ query }) => {
      const world = backend.world();
      const { state } = world;
      const nodeId = query.node === undefined ? undefined : resolveRef("node", state.node.values(), query.node).id;
      const serviceId = query.service === undefined ? undefined : resolveService(state, query.service).id;
      return [...state.task.values()]
        .filter(
          (task) =>
            (nodeId === undefined || task.nodeId === nodeId) &&
            (serviceId === undefined || task.serviceId === serviceId),
        )
        .filter((task) => query.all === true || isPresent(state, task))
        .map((task) => taskView(world, task))
        .filter((view) => query.stack === undefined || view.stack === query.stack)
        .sort(compareTasks);
    },
    { isCached: true },
  );
  bind(api, routes.getTask, ({ params }) => taskView(backend.world(), find(params.ref)), { isCached: true });
  bindRaw(api, routes.getTaskLogs, ({ params, query, actor }) => {
    const { id } = find(params.ref);
    return logStream(parts, actor, query, (task) => task.id === id);
  });
  bindRaw(api, routes.execInTask, async ({ params, query, actor, c }) => {
    const task = find(params.ref);
    const view = taskView(backend.world(), task);
    requireStack(parts, actor, "task.exec", view.stack);
    if (c.req.header("upgrade")?.toLowerCase() !== "websocket")
      throw new DavitError("invalid_input", "exec: this needs a websocket");
    const { argv: _argv, workdir, ...rest } = query;
    const argv = argumentsOf(query.argv);
    const options: TaskExecOptions = {
      ...rest,
      argv,
      tty: query.tty ?? false,
      ...(workdir === undefined ? {} : { workingDir: workdir }),
    };
    await note(parts, actor, "task.exec", view.name, `runs ${argv[0] ?? ""} on ${view.node ?? "no node"}`);
    return await bridgeExec(parts, actor, c, () => backend.openExec(task.id, options));
  });
}

function argumentsOf(text: string): readonly string[] {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    value = undefined;
  }
  if (
    Array.isArray(value) &&
    value.length > 0 &&
    value.length <= MAX_ARGUMENTS &&
    value.every((item) => typeof item === "string")
  )
    return value;
  throw new DavitError("invalid_input", `exec: argv must be a JSON list of 1 to ${MAX_ARGUMENTS} texts`);
}
