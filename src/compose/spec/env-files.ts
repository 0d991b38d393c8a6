// env_file and label_file of a service: files of NAME=value lines beside the Compose file, read where the command runs. Pure but for
// the files that it reads.

import { type EnvFile, parseEnvFile, parseRawEnvFile } from "../tree/env-file.ts";
import { type ReadFile, textOfFile } from "../tree/disk.ts";
import type { Environment } from "../tree/interpolate.ts";
import { type ComposeNode, get, type MapNode, written } from "../tree/node.ts";
import { absolutePath } from "../tree/paths.ts";
import type { Reader } from "./reader.ts";

/** Characters of env and label files that one stack may read, each time a service names one: what is sent cannot be larger anyway. */
export const MAX_ENV_CHARS = 16 * 1024 * 1024;

export type EnvFileContext = {
  readonly reader: Reader;
  readonly read: ReadFile;
  readonly directory: string;
  /** What values may use, and names without a value take theirs from. */
  readonly environment: Environment;
  /** What may still be read of MAX_ENV_CHARS, by all services. */
  readonly envChars: { left: number };
};

/** The values of all files, the later ones winning. */
export function readEnvFiles(context: EnvFileContext, node: ComposeNode | undefined, path: string): Environment {
  const { reader } = context;
  const values: Record<string, string> = {};
  for (const [at, item] of itemsOf(node).entries()) {
    const where = `${path}[${at}]`;
    const map = item.kind === "map" ? reader.section(item, where, "services.*.env_file") : undefined;
    const isRequired = reader.bool(get(map, "required"), `${where}.required`) ?? true;
    const format = reader.word(get(map, "format"), `${where}.format`, ["raw"]);
    const file = reader.text(map === undefined ? item : get(map, "path"), where);
    const parse = (text: string): EnvFile =>
      format === "raw" ? parseRawEnvFile(text) : parseEnvFile(text, { ...context.environment, ...values });
    if (file === undefined) reader.problem(item.at, where, "lacks path");
    else Object.assign(values, readOne(context, item, where, file, isRequired, parse));
  }
  return values;
}

/** Labels of all files, the later ones winning. */
export function readLabelFiles(context: EnvFileContext, node: ComposeNode | undefined, path: string): Environment {
  const labels: Record<string, string> = {};
  for (const [at, item] of itemsOf(node).entries()) {
    const where = `${path}[${at}]`;
    const file = context.reader.text(item, where);
    if (file !== undefined) Object.assign(labels, readOne(context, item, where, file, true, parseRawEnvFile));
  }
  return labels;
}

function itemsOf(node: ComposeNode | undefined): readonly ComposeNode[] {
  if (node === undefined || written(node) === undefined) return [];
  return node.kind === "list" ? node.items : [node];
}

function readOne(
  { reader, read, directory, environment, envChars }: EnvFileContext,
  item: ComposeNode | MapNode,
  where: string,
  file: string,
  isRequired: boolean,
  parse: (text: string) => EnvFile,
): Environment {
  // that it is too much was said
  if (envChars.left < 0) return {};
  const content = read(absolutePath(file, directory, environment["HOME"]));
  if (content.kind === "missing" && !isRequired) return {};
  const found = textOfFile(content);
  if ("fault" in found) {
    const wayOut =
      content.kind === "missing" && where.includes(".env_file[")
        ? `: make it, or write {path: ${file}, required: false}`
        : "";
    reader.problem(item.at, where, `'${file}' ${found.fault}${wayOut}`);
    return {};
  }
  envChars.left -= found.text.length;
  if (envChars.left < 0) {
    reader.problem(
      item.at,
      where,
      `'${file}': the env files of all services are larger than ${MAX_ENV_CHARS / 1_048_576} MiB together: mount a config instead`,
    );
    return {};
  }
  const parsed = parse(found.text);
  for (const { line, message } of parsed.problems) reader.problem({ file, line, column: 1 }, where, message);
  return parsed.values;
}
