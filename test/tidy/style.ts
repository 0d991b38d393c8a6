// What a text of the house looks like: rules that a regular expression can hold. oxlint holds the others (.oxlintrc.json).

import type { Source } from "./sources.ts";
import { isCode } from "./sources.ts";

const MAX_LINES = 400;
const MAX_HEADER_LINES = 8;
/** Time, chance and the machine come into core as values. */
const IMPURE =
  /\b(Date\.now|Math\.random|performance\.now|process\.|Bun\.|setTimeout|setInterval|setImmediate|queueMicrotask|fetch\(|crypto\.|console\.)|new Date\(\)/;
/** What the simulator will run: it waits for ports only. */
const SIMULATED = /^(src\/core\/|src\/coordinator\/|workers\/agent\/(plan|session|loop|lease)\/)/;
/** Adapters and composition roots that live among it. */
const NOT_SIMULATED = /^src\/coordinator\/(main|agent-calls|agent-binary|options|secret-key)\.ts$/;
const UNSIMULATED =
  /\b(Date\.now|Math\.random|performance\.now|setTimeout|setInterval|setImmediate|crypto\.subtle|randomBytes|randomUUID)\b|new Date\(\)/;

type Rule = {
  readonly name: string;
  readonly on: (path: string) => boolean;
  /** What is wrong with the text; undefined if nothing. */
  readonly fault: (text: string, path: string) => string | undefined;
};

/** A rule that a line may not fit. Comments are left out where prose may say the word. */
function never(name: string, pattern: RegExp, on: (path: string) => boolean = isCode, inProse = false): Rule {
  return {
    name,
    on: (path) => on(path) && !isTidyItself(path),
    fault: (text) => {
      const lines = (inProse ? text : withoutComments(text)).split("\n");
      const at = lines.findIndex((line) => pattern.test(line));
      return at === -1 ? undefined : `line ${at + 1}: ${lines[at]?.trim()}`;
    },
  };
}

function withoutComments(text: string): string {
  return text
    .replaceAll(/\/\*[\s\S]*?\*\//g, (comment) => comment.replaceAll(/[^\n]/g, ""))
    .replaceAll(/(^|\s)\/\/.*$/gm, "$1");
}

/** It holds what the rules forbid, as patterns and as planted violations. */
function isTidyItself(path: string): boolean {
  return path === "test/tidy.test.ts" || path.startsWith("test/tidy/");
}

const LATER = /\b(TODO|FIXME|XXX)\b/;

export const RULES: readonly Rule[] = [
  {
    name: "opens with one to eight lines of comment",
    on: (path) => isCode(path),
    fault: (text) => {
      const lines = text.replace(/^#!.*\n/, "").split("\n");
      const header = lines.findIndex((line) => !line.startsWith("//"));
      return header >= 1 && header <= MAX_HEADER_LINES ? undefined : `${header} lines of comment`;
    },
  },
  {
    name: "has at most 400 lines",
    on: isCode,
    fault: (text) => (text.split("\n").length > MAX_LINES + 1 ? `${text.split("\n").length} lines` : undefined),
  },
  {
    name: "has a kebab-case name",
    on: isCode,
    fault: (_, path) => (/(^|\/)[a-z0-9]+(-[a-z0-9]+)*(\.test)?\.ts$/.test(path) ? undefined : path),
  },
  never("leaves nothing to do later", LATER, (path) => isCode(path) || path.endsWith(".sql"), true),
  never("has no any", /(:|\bas|<|,)\s*any\b(?!\w)\s*([;,)=>[\]|&]|$)/),
  never(
    "has no enum, namespace or decorator",
    /^\s*(export\s+)?(declare\s+)?(const\s+enum|enum|namespace)\s+\w|^\s*@\w+(\(.*\))?$/,
  ),
  never("has no default export", /^export default\b/),
  never("imports with the file's ending", /from "\.[^"]*(?<!\.(ts|sql|json))"/),
  never("is pure in core", IMPURE, (path) => path.startsWith("src/core/")),
  never(
    "waits for ports only where the simulator runs it",
    UNSIMULATED,
    (path) => SIMULATED.test(path) && !NOT_SIMULATED.test(path),
  ),
  never("skips no test", /\b(test|it|describe)\.(skip|todo|only|skipIf|runIf)\b/, (path) => path.endsWith(".test.ts")),
  never(
    "names no path or registry of a workplace",
    /(^|[\s"'`(=])\/(work|workspace|builds)\/|\/home\/runner|\bregistry\.npm[a-z]*\.\w+|artifactory|\bnexus\b/i,
    () => true,
    true,
  ),
];

/** "path: rule: what is wrong", for each rule that a file breaks. */
export function styleFaults({ path, text }: Source): readonly string[] {
  return RULES.filter((rule) => rule.on(path)).flatMap((rule) => {
    const fault = rule.fault(text, path);
    return fault === undefined ? [] : [`${path}: ${rule.name}: ${fault}`];
  });
}
