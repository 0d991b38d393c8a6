// Compose texts loaded from a directory that is in memory: what every test of this room begins with.

import { createHash } from "node:crypto";
import { posix } from "node:path";
import { type Loaded, loadStack } from "../../src/compose/load.ts";
import type { FileContent } from "../../src/compose/tree/disk.ts";
import { renderProblem } from "../../src/compose/tree/node.ts";
import { MAX_FILE_BYTES } from "../../src/compose/tree/parse.ts";
import { createCalendar } from "../../src/system/calendar.ts";
import type { ServiceSpec } from "../../src/core/model/service-spec.ts";

export type Options = {
  readonly environment?: Record<string, string>;
  readonly name?: string;
  readonly profiles?: readonly string[];
  /** Other files, by their path from the project's directory. "executable:" in front of a text marks one that anyone may run. */
  readonly files?: Record<string, string | Uint8Array>;
};

const nextTick = createCalendar();
const DIRECTORY = "/projects/Shop";

/** Loads one text, or several as if each was given with -f. */
export function load(texts: string | readonly string[], options: Options = {}): Loaded {
  const list = typeof texts === "string" ? [texts] : texts;
  const environment = options.environment ?? {};
  return loadStack({
    files: list.map((text, at) => {
      const name = at === 0 ? "compose.yaml" : `more-${at}.yaml`;
      return { name, path: posix.join(DIRECTORY, name), text };
    }),
    directory: DIRECTORY,
    variables: {
      values: environment,
      origins: Object.fromEntries(Object.keys(environment).map((name) => [name, "the shell"])),
    },
    profiles: options.profiles ?? [],
    read: diskOf(options.files ?? {}),
    hash: sha256,
    nextTick,
    ...(options.name === undefined ? {} : { name: options.name }),
  });
}

function diskOf(files: Readonly<Record<string, string | Uint8Array>>): (path: string) => FileContent {
  const byPath = new Map(Object.entries(files).map(([name, content]) => [posix.resolve(DIRECTORY, name), content]));
  return (path) => {
    const content = byPath.get(path);
    if (content === undefined)
      return [...byPath.keys()].some((file) => file.startsWith(`${path}/`))
        ? { kind: "directory" }
        : { kind: "missing" };
    const isExecutable = typeof content === "string" && content.startsWith("executable:");
    const bytes = typeof content === "string" ? new TextEncoder().encode(content.replace(/^executable:/, "")) : content;
    return bytes.length > MAX_FILE_BYTES
      ? { kind: "large", size: bytes.length }
      : { kind: "file", bytes, isExecutable };
  };
}

export function sha256(bytes: Uint8Array): string {
  return createHash("sha256").update(bytes).digest("hex");
}

/** As a person reads them. */
export function problems(loaded: Loaded): string[] {
  return loaded.problems.map(renderProblem);
}

export function warnings(loaded: Loaded): string[] {
  return loaded.warnings.map(renderProblem);
}

/** The services by their short names; throws when the files have problems. */
export function services(loaded: Loaded): Record<string, ServiceSpec> {
  const { stack } = loaded;
  if (stack === undefined) throw new Error(problems(loaded).join("\n"));
  return Object.fromEntries(stack.services.map((service) => [service.name.slice(stack.name.length + 1), service]));
}

/** The one service of a file that has `image: nginx` and these keys. */
export function web(keys: string, options: Options = {}): ServiceSpec {
  const service = services(load(`services:\n  web:\n    image: nginx\n${keys.replace(/^/gm, "    ")}`, options))["web"];
  if (service === undefined) throw new Error("no service web");
  return service;
}
