// post_start and pre_stop to a container's lifecycle, which has room for one command each: several are joined by a shell. Pure.

import type { Hook } from "../core/model/service-spec.ts";
import type { ServiceContext } from "./context.ts";
import { someOf, told, type Value } from "./manifest.ts";

export function lifecycleOf({ spec, note }: ServiceContext): Value {
  const { postStart = [], preStop = [] } = spec.template.container;
  const handler = (key: string, hooks: readonly Hook[], glue: string): Value => {
    const users = hooks.flatMap(({ user }) => user ?? []);
    if (users.length > 0)
      note(key, `${told(users)}: a hook runs as the container's user`, "let the command change its user itself");
    if (hooks.some(({ privileged }) => privileged === true))
      note(key, "a hook has the container's rights", "make the service privileged, or use an initContainer");
    return hooks.length === 0 ? undefined : { exec: { command: commandOf(hooks, glue) } };
  };
  // a failing start ends the attempt; before a stop each hook gets its turn
  return someOf({
    postStart: handler("post_start", postStart, " && "),
    preStop: handler("pre_stop", preStop, "; "),
  });
}

function commandOf(hooks: readonly Hook[], glue: string): readonly string[] {
  const [first] = hooks;
  const isPlain = (hook: Hook): boolean => hook.workingDir === undefined && Object.keys(hook.env).length === 0;
  if (first !== undefined && hooks.length === 1 && isPlain(first)) return first.argv;
  return ["/bin/sh", "-c", hooks.map(scriptOf).join(glue)];
}

function scriptOf({ argv, workingDir, env }: Hook): string {
  const variables = Object.entries(env).map(([name, value]) => quote(`${name}=${value}`));
  const command = [...(variables.length === 0 ? [] : ["env", ...variables]), ...argv.map(quote)].join(" ");
  return workingDir === undefined ? command : `(cd ${quote(workingDir)} && ${command})`;
}

function quote(word: string): string {
  return /^[A-Za-z0-9_@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`;
}
