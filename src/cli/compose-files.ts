// The Compose files that a command means: those of -f, or the usual names here, with the override beside them; their problems all at once.

import { existsSync, readFileSync } from "node:fs";
import { basename, dirname, join, resolve } from "node:path";
import { parseEnvFile } from "../compose/env-file.ts";
import { DavitError, reasonOf } from "../core/model/errors.ts";
import type { StackSpec } from "../core/model/service-spec.ts";
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
    optional: true,
    brief: "variables for the files (.env beside the first)",
    placeholder: "FILE",
  },
  profile: {
    kind: "parsed",
    parse: String,
    variadic: true,
    optional: true,
    brief: "take services of this profile too",
    placeholder: "NAME",
  },
} as const;
export type ComposeFlags = {
  readonly file?: readonly string[];
  readonly name?: string;
  readonly envFile?: string;
  readonly profile?: readonly string[];
};

const USUAL = ["compose.yaml", "compose.yml", "docker-compose.yaml", "docker-compose.yml"];
const OVERRIDES = [
  "compose.override.yaml",
  "compose.override.yml",
  "docker-compose.override.yaml",
  "docker-compose.override.yml",
];

export type ComposeResult = { readonly stack: StackSpec; readonly printed: string };

/** Throws `invalid_input` with every problem; warnings go to standard error. */
export async function readCompose(context: CliContext, flags: ComposeFlags): Promise<ComposeResult> {
  const [{ loadStack }, { renderProblem }, { renderCompose }] = await Promise.all([
    import("../compose/load.ts"),
    import("../compose/node.ts"),
    import("../compose/render.ts"),
  ]);
  const paths = findFiles(context.cwd, flags.file);
  const directory = dirname(resolve(context.cwd, paths[0] ?? "."));
  const environment = readEnvironment(context, flags.envFile, directory);
  const loaded = loadStack({
    files: await Promise.all(
      paths.map(async (path) => ({
        path,
        text: path === "-" ? await context.readStdin() : readText(resolve(context.cwd, path)),
      })),
    ),
    environment,
    fallbackName: basename(directory),
    profiles: flags.profile ?? (context.env["COMPOSE_PROFILES"] ?? "").split(",").filter((name) => name !== ""),
    readFile: (path) => {
      const full = resolve(directory, path);
      return existsSync(full) ? readText(full) : undefined;
    },
    ...(flags.name === undefined ? {} : { name: flags.name }),
  });
  for (const warning of loaded.warnings) note(context, `warning: ${renderProblem(warning)}`);
  if (loaded.stack === undefined || loaded.merged === undefined) {
    const count = loaded.problems.length;
    throw new DavitError(
      "invalid_input",
      `read ${paths.join(", ")}: ${count} ${count === 1 ? "problem" : "problems"}`,
      {
        details: loaded.problems.map((problem) => ({ message: renderProblem(problem) })),
        wayOut: "docs/compose.md says what each key does; nothing was changed",
      },
    );
  }
  return { stack: loaded.stack, printed: renderCompose(loaded.merged) };
}

function findFiles(cwd: string, given: readonly string[] | undefined): readonly string[] {
  if (given !== undefined && given.length > 0) return given;
  const base = USUAL.find((name) => existsSync(join(cwd, name)));
  if (base === undefined)
    throw new DavitError("invalid_input", `there is no Compose file here (${USUAL.join(", ")})`, {
      wayOut: "name it with -f",
    });
  const override = OVERRIDES.find((name) => existsSync(join(cwd, name)));
  return override === undefined ? [base] : [base, override];
}

function readText(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch (error) {
    const reason = existsSync(path) ? reasonOf(error) : "there is no such file";
    throw new DavitError("invalid_input", `read ${path}: ${reason}`, { cause: error });
  }
}

/** Variables of the shell go before those of the file. */
function readEnvironment(
  context: CliContext,
  envFile: string | undefined,
  directory: string,
): Readonly<Record<string, string>> {
  const own: Record<string, string> = {};
  for (const [name, value] of Object.entries(context.env)) if (value !== undefined) own[name] = value;
  const path = envFile === undefined ? join(directory, ".env") : resolve(context.cwd, envFile);
  if (envFile === undefined && !existsSync(path)) return own;
  const { values, problems } = parseEnvFile(readText(path), own);
  if (problems.length > 0)
    throw new DavitError("invalid_input", `read ${path}: ${problems.length} problems`, {
      details: problems.map(({ line, message }) => ({ where: `line ${line}`, message })),
    });
  return { ...values, ...own };
}
