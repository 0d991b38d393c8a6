// The Compose files that a command means: those of -f, or the usual names here, with the override beside them; their problems all at once.

import { existsSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import type { Loaded } from "../compose/load.ts";
import type { BuildSpec } from "../compose/spec/build.ts";
import { textOfFile } from "../compose/tree/disk.ts";
import { parseEnvFile } from "../compose/tree/env-file.ts";
import type { SourceFile } from "../compose/tree/assemble.ts";
import type { Variables } from "../compose/tree/interpolate.ts";
import type { MapNode, Problem } from "../compose/tree/node.ts";
import { DavitError } from "../core/model/errors.ts";
import type { StackSpec } from "../core/model/service-spec.ts";
import { hashBytes, readDiskFile } from "./compose-disk.ts";
import { type CliContext, note } from "./context.ts";

export const COMPOSE_FLAGS = {
  file: {
    kind: "parsed",
    parse: String,
    variadic: true,
    optional: true,
    brief: "Compose file; later ones win; - is standard input (compose.yaml here)",
    placeholder: "FILE",
  },
  name: {
    kind: "parsed",
    parse: String,
    optional: true,
    brief: "the stack's name, over the file's own",
    placeholder: "NAME",
  },
  envFile: {
    kind: "parsed",
    parse: String,
    variadic: true,
    optional: true,
    brief: "variables for the files; later ones win (.env beside the first)",
    placeholder: "FILE",
  },
  profile: {
    kind: "parsed",
    parse: String,
    variadic: true,
    optional: true,
    brief: "take services of this profile too; * takes all",
    placeholder: "NAME",
  },
  projectDirectory: {
    kind: "parsed",
    parse: String,
    optional: true,
    brief: "where relative paths begin (the directory of the first file)",
    placeholder: "DIR",
  },
} as const;
export type ComposeFlags = {
  readonly file?: readonly string[];
  readonly name?: string;
  readonly envFile?: readonly string[];
  readonly profile?: readonly string[];
  readonly projectDirectory?: string;
};

const USUAL = ["compose.yaml", "compose.yml", "docker-compose.yaml", "docker-compose.yml"];
const OVERRIDES = [
  "compose.override.yaml",
  "compose.override.yml",
  "docker-compose.override.yaml",
  "docker-compose.override.yml",
];

/** A stack, the merged file that it was read from, and the images that its services build. */
export type ComposeResult = {
  readonly stack: StackSpec;
  readonly merged: MapNode;
  readonly builds: readonly BuildSpec[];
};

/** Throws `invalid_input` with every problem; warnings go to standard error. */
export async function readCompose(context: CliContext, flags: ComposeFlags): Promise<ComposeResult> {
  const [loaded, { renderWarnings }] = await Promise.all([loadCompose(context, flags), import("../compose/told.ts")]);
  for (const warning of renderWarnings(loaded.warnings)) note(context, `warning: ${warning}`);
  const { stack, merged, builds, problems } = loaded;
  if (stack !== undefined && merged !== undefined && builds !== undefined) return { stack, merged, builds };
  const files = flags.file ?? [];
  throw new DavitError(
    "invalid_input",
    `read ${files.length === 0 ? "the Compose files here" : files.map((file) => (file === "-" ? "stdin" : file)).join(", ")}: ${problems.length} ${problems.length === 1 ? "problem" : "problems"}`,
    { details: problems.map(detailOf), wayOut: "docs/compose.md says what each key does; nothing was changed" },
  );
}

/** What the files come to, problems and all. Throws only when there is nothing to read, or not where it was said to be. */
export async function loadCompose(context: CliContext, flags: ComposeFlags): Promise<Loaded> {
  const { loadStack } = await import("../compose/load.ts");
  const outer = shellOf(context);
  const here = withEnvFiles(context, outer, flags.envFile, flags.projectDirectory ?? ".");
  const names = findFiles(context.cwd, flags.file, here.values["COMPOSE_FILE"]);
  const directory = resolve(context.cwd, flags.projectDirectory ?? dirname(names[0] === "-" ? "." : (names[0] ?? ".")));
  if (flags.projectDirectory !== undefined && readDiskFile(directory).kind !== "directory")
    throw new DavitError("invalid_input", `read ${flags.projectDirectory}: it is no directory`, {
      wayOut: "--project-directory is where relative paths begin",
    });
  const files: SourceFile[] = [];
  for (const name of names) files.push(await readSource(context, name));
  const variables = withEnvFiles(context, outer, flags.envFile, directory);
  const profiles =
    flags.profile ?? (variables.values["COMPOSE_PROFILES"] ?? "").split(",").filter((name) => name !== "");
  return loadStack({
    files,
    directory,
    variables,
    profiles,
    read: readDiskFile,
    hash: hashBytes,
    nextTick: await context.calendar(),
    ...(flags.name === undefined ? {} : { name: flags.name }),
  });
}

function detailOf({ at, path, message }: Problem): DavitError["details"][number] {
  return { at, ...(path === "" ? {} : { where: path }), message };
}

function findFiles(
  cwd: string,
  given: readonly string[] | undefined,
  fromVariable: string | undefined,
): readonly string[] {
  if (given !== undefined && given.length > 0) return given;
  if (fromVariable !== undefined && fromVariable !== "") return fromVariable.split(":").filter((name) => name !== "");
  const base = USUAL.find((name) => existsSync(join(cwd, name)));
  if (base === undefined)
    throw new DavitError("invalid_input", `there is no Compose file here (${USUAL.join(", ")})`, {
      wayOut: "name it with -f",
    });
  const override = OVERRIDES.find((name) => existsSync(join(cwd, name)));
  return override === undefined ? [base] : [base, override];
}

async function readSource(context: CliContext, name: string): Promise<SourceFile> {
  if (name === "-") return { name: "stdin", text: await context.readStdin() };
  const path = resolve(context.cwd, name);
  return { name, path, text: readText(path, name) };
}

function readText(path: string, name: string): string {
  const content = readDiskFile(path);
  const found = textOfFile(content);
  if ("text" in found) return found.text;
  const wayOut =
    content.kind === "directory"
      ? `name a file in it, such as ${join(name, USUAL[0] ?? "")}`
      : content.kind === "file"
        ? "save it as UTF-8"
        : "check the path and its permissions";
  throw new DavitError("invalid_input", `read ${name}: it ${found.fault}`, { wayOut });
}

function shellOf({ env }: CliContext): Variables {
  const values: Record<string, string> = {};
  for (const [name, value] of Object.entries(env)) if (value !== undefined) values[name] = value;
  return { values, origins: Object.fromEntries(Object.keys(values).map((name) => [name, "the shell"])) };
}

/** Variables of the shell go before those of files, later files before earlier ones. */
function withEnvFiles(
  context: CliContext,
  shell: Variables,
  given: readonly string[] | undefined,
  directory: string,
): Variables {
  const usual = join(directory, ".env");
  const names = given ?? (existsSync(resolve(context.cwd, usual)) ? [usual] : []);
  const values: Record<string, string> = {};
  const origins: Record<string, string> = {};
  for (const name of names) {
    const parsed = parseEnvFile(readText(resolve(context.cwd, name), name), { ...values, ...shell.values });
    if (parsed.problems.length > 0)
      throw new DavitError("invalid_input", `read ${name}: ${parsed.problems.length} problems`, {
        details: parsed.problems.map(({ line, message }) => ({ at: { file: name, line, column: 1 }, message })),
      });
    Object.assign(values, parsed.values);
    for (const variable of Object.keys(parsed.values)) origins[variable] = name;
  }
  return { values: { ...values, ...shell.values }, origins: { ...origins, ...shell.origins } };
}
