// post_start and pre_stop to hooks. Pure.

import type { Hook } from "../../core/model/service-spec.ts";
import { type ComposeNode, get, written } from "../tree/node.ts";
import type { Environment } from "../tree/interpolate.ts";
import type { Reader } from "./reader.ts";
import { readWords } from "./words.ts";

/** Undefined when there are none. `environment`: for entries without a value. */
export function readHooks(
  reader: Reader,
  node: ComposeNode | undefined,
  path: string,
  key: "post_start" | "pre_stop",
  environment: Environment,
): readonly Hook[] | undefined {
  if (written(node) === undefined) return undefined;
  const hooks = reader.list(node, path).flatMap((item, at): readonly Hook[] => {
    const where = `${path}[${at}]`;
    const map = reader.section(item, where, `services.*.${key}`);
    if (map === undefined) return reader.problem(item.at, where, "wants a mapping with command:") ?? [];
    const argv = readWords(reader, get(map, "command"), `${where}.command`);
    if (argv === undefined || argv.length === 0) return reader.problem(map.at, where, "lacks command") ?? [];
    const user = reader.text(get(map, "user"), `${where}.user`);
    const workingDir = reader.text(get(map, "working_dir"), `${where}.working_dir`);
    const privileged = reader.bool(get(map, "privileged"), `${where}.privileged`) === true;
    const env: Record<string, string> = {};
    for (const [name, value] of reader.pairs(get(map, "environment"), `${where}.environment`)) {
      const given = value ?? environment[name];
      if (given !== undefined) env[name] = given;
    }
    return [
      {
        argv,
        env,
        ...(user === undefined ? {} : { user }),
        ...(workingDir === undefined ? {} : { workingDir }),
        ...(privileged ? { privileged } : {}),
      },
    ];
  });
  return hooks.length === 0 ? undefined : hooks;
}
