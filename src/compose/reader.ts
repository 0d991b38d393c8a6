// Reads values out of a tree and notes what is wrong with them. A reader never throws: it notes the problem with its place and gives
// what lets the reading go on, so that all problems of a file come at once.

import type { ComposeNode, MapNode, Place, Problem } from "./node.ts";
import { nearest, parseBytes, parseDuration } from "./values.ts";
import type { KeyVerdict } from "./verdicts.ts";

export class Reader {
  readonly problems: Problem[] = [];
  readonly warnings: Problem[] = [];

  problem(at: Place, path: string, message: string): undefined {
    this.problems.push({ at, path, message });
    return undefined;
  }

  warning(at: Place, path: string, message: string): void {
    this.warnings.push({ at, path, message });
  }

  /** A mapping; nothing for an empty value. */
  map(node: ComposeNode | undefined, path: string): MapNode | undefined {
    if (node === undefined || (node.kind === "scalar" && node.value === null)) return undefined;
    return node.kind === "map" ? node : this.problem(node.at, path, `wants a mapping (key: value), got ${show(node)}`);
  }

  list(node: ComposeNode | undefined, path: string): readonly ComposeNode[] {
    if (node === undefined || (node.kind === "scalar" && node.value === null)) return [];
    if (node.kind === "list") return node.items;
    this.problem(node.at, path, `wants a list (- item), got ${show(node)}`);
    return [];
  }

  /** A text; numbers and booleans as they are written. */
  text(node: ComposeNode | undefined, path: string): string | undefined {
    if (node === undefined || (node.kind === "scalar" && node.value === null)) return undefined;
    return node.kind === "scalar" ? node.text : this.problem(node.at, path, `wants a text, got ${show(node)}`);
  }

  bool(node: ComposeNode | undefined, path: string): boolean | undefined {
    const text = this.text(node, path);
    if (text === undefined || node === undefined) return undefined;
    if (/^(true|yes|on|1)$/i.test(text)) return true;
    if (/^(false|no|off|0)$/i.test(text)) return false;
    return this.problem(node.at, path, `'${text}' is not true or false`);
  }

  number(
    node: ComposeNode | undefined,
    path: string,
    range: { readonly min: number; readonly max: number; readonly whole: boolean },
  ): number | undefined {
    const text = this.text(node, path);
    if (text === undefined || node === undefined) return undefined;
    const value = /^-?\d+(\.\d+)?$/.test(text) ? Number(text) : Number.NaN;
    if (Number.isNaN(value) || (range.whole && !Number.isInteger(value)) || value < range.min || value > range.max) {
      return this.problem(
        node.at,
        path,
        `'${text}' is not a ${range.whole ? "whole number" : "number"} from ${range.min} to ${range.max}`,
      );
    }
    return value;
  }

  /** Milliseconds. */
  duration(node: ComposeNode | undefined, path: string): number | undefined {
    const text = this.text(node, path);
    if (text === undefined || node === undefined) return undefined;
    return parseDuration(text) ?? this.problem(node.at, path, `'${text}' is not a duration: write 10s, 1m30s, 500ms`);
  }

  bytes(node: ComposeNode | undefined, path: string): number | undefined {
    const text = this.text(node, path);
    if (text === undefined || node === undefined) return undefined;
    return (
      parseBytes(text) ?? this.problem(node.at, path, `'${text}' is not a size: write 512m, 1g or a number of bytes`)
    );
  }

  /** One of some words. */
  word<Word extends string>(node: ComposeNode | undefined, path: string, words: readonly Word[]): Word | undefined {
    const text = this.text(node, path);
    if (text === undefined || node === undefined) return undefined;
    return (
      words.find((word) => word === text) ?? this.problem(node.at, path, `'${text}' is not one of ${words.join(", ")}`)
    );
  }

  texts(node: ComposeNode | undefined, path: string): readonly string[] {
    const items = node?.kind === "scalar" && node.value !== null ? [node] : this.list(node, path);
    return items.flatMap((item, at) => this.text(item, `${path}[${at}]`) ?? []);
  }

  /** A mapping of texts, or a list of NAME=value; names without a value come as null. */
  pairs(node: ComposeNode | undefined, path: string, separator = "="): ReadonlyMap<string, string | null> {
    const pairs = new Map<string, string | null>();
    if (node === undefined || (node.kind === "scalar" && node.value === null)) return pairs;
    if (node.kind === "map") {
      for (const [key, entry] of node.entries) pairs.set(key, this.text(entry.node, `${path}.${key}`) ?? null);
      return pairs;
    }
    for (const [at, item] of this.list(node, path).entries()) {
      const text = this.text(item, `${path}[${at}]`) ?? "";
      const cut = text.indexOf(separator);
      pairs.set(cut === -1 ? text : text.slice(0, cut), cut === -1 ? null : text.slice(cut + separator.length));
    }
    return pairs;
  }

  /** Complains about keys that are not in the table, not yet done or refused. Keys that begin with x- are the file's own. */
  keys(map: MapNode, path: string, table: Readonly<Record<string, KeyVerdict>>): void {
    for (const [key, { keyAt }] of map.entries) {
      if (key.startsWith("x-")) continue;
      const where = path === "" ? key : `${path}.${key}`;
      const known = table[key];
      const note = known?.note === undefined || known.note === "" ? "" : `: ${known.note}`;
      if (known === undefined) this.unknown(keyAt, where, key, Object.keys(table));
      else if (known.verdict === "not yet") this.problem(keyAt, where, `is not supported yet${note}`);
      else if (known.verdict === "refused") this.problem(keyAt, where, `is not supported${note}`);
      else if (known.verdict === "ignored") this.warning(keyAt, where, `has no effect${note}`);
    }
  }

  /** Complains about every key outside a short list. */
  only(map: MapNode, path: string, known: readonly string[]): void {
    for (const [key, { keyAt }] of map.entries)
      if (!key.startsWith("x-") && !known.includes(key)) this.unknown(keyAt, `${path}.${key}`, key, known);
  }

  unknown(at: Place, path: string, key: string, known: readonly string[]): void {
    const near = nearest(key, known);
    this.problem(
      at,
      path,
      `is not a key here${near === undefined ? `; known: ${known.slice(0, 12).join(", ")}${known.length > 12 ? ", …" : ""}` : `; did you mean ${near}?`}`,
    );
  }
}

/** The value of a key. */
export function get(map: MapNode | undefined, key: string): ComposeNode | undefined {
  return map?.entries.get(key)?.node;
}

function show(node: ComposeNode): string {
  return node.kind === "scalar" ? `'${node.text.slice(0, 40)}'` : node.kind === "list" ? "a list" : "a mapping";
}
