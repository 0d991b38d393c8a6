// .env files: NAME=value lines, comments, quotes, `export`, and values that use names set before. Pure.

import { type Environment, interpolateText } from "./interpolate.ts";

export type EnvFile = {
  readonly values: Environment;
  readonly problems: readonly { readonly line: number; readonly message: string }[];
};

const LINE = /^\s*(?:export\s+)?([A-Za-z_][A-Za-z0-9_.-]*)\s*(?:=\s*(.*))?$/s;

/** Reads a .env text. `known`: names that values may use. A name without `=` takes its value from `known`, if it has one there. */
export function parseEnvFile(text: string, known: Environment): EnvFile {
  const values: Record<string, string> = {};
  // grows with the lines: to put it together anew for each of them would take the square of their number
  const scope: Record<string, string> = { ...known };
  const problems: { line: number; message: string }[] = [];
  const lines = text.replace(/^\uFEFF/, "").split(/\r?\n/);
  for (let at = 0; at < lines.length; at++) {
    const line = lines[at] ?? "";
    if (/^\s*(#|$)/.test(line)) continue;
    const match = LINE.exec(line);
    if (match === null) {
      problems.push({ line: at + 1, message: `'${line.slice(0, 60)}' is not NAME=value` });
      continue;
    }
    const [, name = "", written] = match;
    if (written === undefined) {
      const inherited = known[name];
      if (inherited !== undefined) values[name] = scope[name] = inherited;
      continue;
    }
    const quoted = takeQuoted(written, lines, at);
    if (quoted === undefined && /^["']/.test(written)) {
      problems.push({ line: at + 1, message: `the quote that ${name} begins with does not end` });
      continue;
    }
    if (quoted !== undefined) at = quoted.lastLine;
    const raw = quoted?.text ?? written.replace(/\s+#.*$/, "").trimEnd();
    try {
      values[name] = scope[name] = quoted?.isLiteral === true ? raw : interpolateText(raw, scope).text;
    } catch (error) {
      problems.push({ line: at + 1, message: error instanceof Error ? error.message : String(error) });
    }
  }
  return { values, problems };
}

/** Reads lines of NAME=value as they stand: no quotes, no variables, no comments behind values. */
export function parseRawEnvFile(text: string): EnvFile {
  const values: Record<string, string> = {};
  const problems: { line: number; message: string }[] = [];
  for (const [at, line] of text
    .replace(/^\uFEFF/, "")
    .split(/\r?\n/)
    .entries()) {
    if (/^\s*(#|$)/.test(line)) continue;
    const cut = line.indexOf("=");
    if (cut > 0) values[line.slice(0, cut).trim()] = line.slice(cut + 1);
    else problems.push({ line: at + 1, message: `'${line.slice(0, 60)}' is not NAME=value` });
  }
  return { values, problems };
}

/** A quoted value may go over several lines. Undefined if it is not quoted, or the quote never ends. */
function takeQuoted(
  written: string,
  lines: readonly string[],
  from: number,
): { readonly text: string; readonly isLiteral: boolean; readonly lastLine: number } | undefined {
  const quote = written[0];
  if (quote !== '"' && quote !== "'") return undefined;
  let body = written.slice(1);
  for (let at = from; at < lines.length; at++) {
    if (at > from) body += `\n${lines[at] ?? ""}`;
    const end = endOf(body, quote);
    if (end !== -1) {
      const inner = body.slice(0, end);
      const text =
        quote === "'"
          ? inner.replaceAll("\\'", "'")
          : inner.replace(
              /\\([nrt"\\$])/g,
              (_, escaped: string) => ({ n: "\n", r: "\r", t: "\t", $: "$$" })[escaped] ?? escaped,
            );
      return { text, isLiteral: quote === "'", lastLine: at };
    }
  }
  return undefined;
}

function endOf(body: string, quote: string): number {
  for (let at = 0; at < body.length; at++) {
    if (body[at] === "\\" && (quote === '"' || body[at + 1] === quote)) at += 1;
    else if (body[at] === quote) return at;
  }
  return -1;
}
