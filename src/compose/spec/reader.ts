// Reads values out of a tree and notes what is wrong with them. A reader never throws: it notes the problem with its place and gives
// what lets the reading go on, so that all problems of a file come at once.

import { nearest } from "../../core/model/nearest.ts";
import { keysAt, keysBelow } from "../keys/table.ts";
import { type ComposeNode, type MapEntry, type MapNode, type Place, type Problem, written } from "../tree/node.ts";
import { parseBytes, parseDuration } from "./values.ts";

const EXTENSION = "x-davit";
/** A file with more faults than that is no file with slips: what was meant is then not looked for, which is what takes time. */
const MAX_SLIPS = 1_000;
/** All keys of a mapping are told if they are no more than that, else the first few. */
const MAX_NAMES = 32;
const SOME_NAMES = 12;
/** A key with a meaning in more places says nothing of what was meant. */
const MAX_PLACES = 3;

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
    if (node === undefined || written(node) === undefined) return undefined;
    return node.kind === "map" ? node : this.problem(node.at, path, `wants a mapping (key: value), got ${show(node)}`);
  }

  list(node: ComposeNode | undefined, path: string): readonly ComposeNode[] {
    if (node === undefined || written(node) === undefined) return [];
    if (node.kind === "list") return node.items;
    this.problem(node.at, path, `wants a list (- item), got ${show(node)}`);
    return [];
  }

  /** A text; numbers and booleans as they are written. */
  text(node: ComposeNode | undefined, path: string): string | undefined {
    if (node === undefined || written(node) === undefined) return undefined;
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
    if (/^-?0\d/.test(text))
      return this.problem(
        node.at,
        path,
        `'${text}' is octal for some readers and decimal for others: write it without the leading 0`,
      );
    const value = /^-?(\d+(\.\d*)?|\.\d+)$/.test(text) ? Number(text) : Number.NaN;
    if (Number.isNaN(value) || (range.whole && !Number.isInteger(value)) || value < range.min || value > range.max) {
      return this.problem(
        node.at,
        path,
        `'${text}' is not a ${range.whole ? "whole number" : "number"} from ${range.min} to ${range.max}`,
      );
    }
    return value;
  }

  /** Permission bits, written in octal: 0444, 0o444. */
  mode(node: ComposeNode | undefined, path: string): number | undefined {
    const text = this.text(node, path);
    if (text === undefined || node === undefined) return undefined;
    const digits = /^0o?([0-7]{1,4})$/.exec(text)?.[1];
    if (digits !== undefined) return Number.parseInt(digits, 8);
    const hint = /^[0-7]{3,4}$/.test(text) ? `: write 0${text}` : "";
    return this.problem(node.at, path, `'${text}' is not a mode in octal, such as 0444${hint}`);
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
    // nothing, as a variable that is not set leaves it
    if (text === undefined || text === "" || node === undefined) return undefined;
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
    if (node === undefined || written(node) === undefined) return pairs;
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

  /** A mapping of texts, or a list of NAME=value, as a plain object; a name without a value has an empty one. */
  textMap(node: ComposeNode | undefined, path: string): Readonly<Record<string, string>> {
    return Object.fromEntries([...this.pairs(node, path)].map(([name, value]) => [name, value ?? ""]));
  }

  /** A mapping whose keys are those that the tables have under `pattern`; complains about all others. */
  section(node: ComposeNode | undefined, path: string, pattern: string): MapNode | undefined {
    const map = this.map(node, path);
    if (map !== undefined) this.keys(map, path, pattern);
    return map;
  }

  /** Complains about keys that are not in the tables, not yet done or refused. Keys that begin with x- are the file's own. */
  keys(map: MapNode, path: string, pattern: string): void {
    const known = keysAt(pattern);
    for (const [key, { keyAt }] of map.entries) {
      if (key.startsWith("x-")) {
        this.#checkOwn(keyAt, path, key, pattern === "" || pattern === "services.*");
        continue;
      }
      const where = path === "" ? key : `${path}.${key}`;
      const verdict = known.get(key);
      const note = verdict === undefined || verdict.note === "" ? "" : `: ${verdict.note}`;
      if (verdict === undefined) this.unknown(keyAt, where, key, [...known.keys()], pattern);
      else if (verdict.verdict === "not yet") this.problem(keyAt, where, `is not supported yet${note}`);
      else if (verdict.verdict === "refused") this.problem(keyAt, where, `is not supported${note}`);
      else if (verdict.verdict === "ignored") this.warning(keyAt, where, `has no effect${note}`);
    }
  }

  /** The end of a sentence about a name that is not there: "; did you mean web?", or nothing. */
  near(name: string, known: Iterable<string>): string {
    const lower = name.toLowerCase();
    const names = [...known];
    const same = names.find((one) => one.toLowerCase() === lower);
    const near = same ?? (this.#hasOnlySlips ? nearest(name, names) : undefined);
    return near === undefined ? "" : `; did you mean ${near}?`;
  }

  /** Fields of the file's own mean nothing to davit; one that should have meant something must not be passed over. */
  #checkOwn(at: Place, path: string, key: string, isPlace: boolean): void {
    const where = path === "" ? key : `${path}.${key}`;
    if (key === EXTENSION) {
      if (!isPlace) this.problem(at, where, "has no meaning here: it stands at a service, or at the top of the file");
    } else if (nearest(key, [EXTENSION]) !== undefined) {
      this.warning(at, where, `is a field of the file's own, and does nothing; did you mean ${EXTENSION}?`);
    }
  }

  get #hasOnlySlips(): boolean {
    return this.problems.length <= MAX_SLIPS;
  }

  /** `pattern`: the mapping's place in the tables, if it has one: a key may have been meant for a mapping below it, or around it. */
  unknown(at: Place, path: string, key: string, known: readonly string[], pattern?: string): void {
    const meant = this.#hasOnlySlips ? meantBy(key, known, pattern) : undefined;
    const around = meant === undefined && pattern !== undefined ? placeAround(path, key, pattern) : undefined;
    const hint = meant === undefined ? `known: ${shortened(known)}` : `did you mean ${meant}?`;
    this.problem(at, path, `is not a key here${around === undefined ? "" : `, ${around} is one`}; ${hint}`);
  }
}

/** A name that is exact below the mapping is a better guess than one that is two letters away in it. */
function meantBy(key: string, known: readonly string[], pattern: string | undefined): string | undefined {
  const slip = nearest(key, known, 1);
  if (slip !== undefined) return slip;
  const below = pattern === undefined ? [] : keysBelow(pattern, key);
  return below.length > 0 && below.length <= MAX_PLACES ? either(below) : nearest(key, known);
}

/** The path of a key one level too deep: `services.web.ports` for `services.web.deploy.ports`. */
function placeAround(path: string, key: string, pattern: string): string | undefined {
  const cut = pattern.lastIndexOf(".");
  const end = `${pattern.slice(Math.max(0, cut))}.${key}`;
  const isOne = cut !== -1 && path.endsWith(end) && keysAt(pattern.slice(0, cut)).has(key);
  return isOne ? `${path.slice(0, -end.length)}.${key}` : undefined;
}

/** "a, b or c". */
function either(names: readonly string[]): string {
  const last = names.at(-1) ?? "";
  return names.length < 2 ? last : `${names.slice(0, -1).join(", ")} or ${last}`;
}

function shortened(names: readonly string[]): string {
  return names.length > MAX_NAMES ? `${names.slice(0, SOME_NAMES).join(", ")}, …` : names.join(", ");
}

/** The entries of a mapping of names, but not the file's own that begin with x-. */
export function named(map: MapNode | undefined): readonly (readonly [string, MapEntry])[] {
  return [...(map?.entries ?? [])].filter(([key]) => !key.startsWith("x-"));
}

function show(node: ComposeNode): string {
  return node.kind === "scalar" ? `'${node.text.slice(0, 40)}'` : node.kind === "list" ? "a list" : "a mapping";
}
