// One YAML text to a tree with places. Hostile input is met with limits: on size, on the number of nodes after aliases are followed, on
// depth; each ends in a problem, never in a crash. Pure.

import { isAlias, isMap, isScalar, isSeq, LineCounter, type Node, parseAllDocuments, type Pair } from "yaml";
import type { ComposeNode, MapEntry, MergeTag, Place, Problem, ScalarNode } from "./node.ts";

/** A file larger than that was not written for people; the specification's largest published examples are under 100 KB. */
export const MAX_FILE_BYTES = 2 * 1024 * 1024;
/** Nodes after aliases and merges are followed: a few hundred services, and the end of any alias bomb. */
export const MAX_NODES = 200_000;
const MAX_DEPTH = 64;

export type ParsedFile = {
  readonly root: ComposeNode | undefined;
  readonly problems: readonly Problem[];
  /** Values in the tree, those behind aliases each time they are used. */
  readonly nodes: number;
};

/** Parses one Compose file. `file` is the name used in problems. */
export function parseFile(file: string, text: string): ParsedFile {
  const start: Place = { file, line: 1, column: 1 };
  const refuse = (message: string): ParsedFile => ({
    root: undefined,
    problems: [{ at: start, path: "", message }],
    nodes: 0,
  });
  if (text.length > MAX_FILE_BYTES) return refuse(`the file is larger than ${MAX_FILE_BYTES / 1_048_576} MiB`);
  if (text.includes("\0")) return refuse("the file holds a NUL byte: it is not a text");
  const lines = new LineCounter();
  const documents = parseAllDocuments(text, {
    lineCounter: lines,
    // both are done by the reader below: the library compares each key with all keys before it
    uniqueKeys: false,
    merge: false,
    version: "1.2",
    logLevel: "silent",
    prettyErrors: false,
    keepSourceTokens: false,
  });
  if (!Array.isArray(documents) || documents.length === 0) return { root: undefined, problems: [], nodes: 0 };
  if (documents.length > 1)
    return refuse("the file holds several documents (---): put each in a file of its own and give them all with -f");
  const [document] = documents;
  const placeOf = (offset: number | undefined): Place => {
    const { line, col } = lines.linePos(offset ?? 0);
    return { file, line, column: col };
  };
  const problems: Problem[] = (document?.errors ?? []).map((error) => ({
    at: placeOf(error.pos[0]),
    path: "",
    message: explain(error.code, error.message),
  }));
  if (problems.length > 0 || document === undefined) return { root: undefined, problems, nodes: 0 };
  const reader = new TreeReader(placeOf, problems);
  const root = reader.read(document.contents, 0);
  return { root: reader.isOver ? undefined : root, problems, nodes: reader.count };
}

function explain(code: string, message: string): string {
  if (code === "TAB_AS_INDENT") return "a tab is used for indentation: YAML wants spaces";
  return `not valid YAML: ${message.split("\n")[0]?.replace(/ at line.*$/, "") ?? message}`;
}

class TreeReader {
  readonly #placeOf: (offset: number | undefined) => Place;
  readonly #problems: Problem[];
  readonly #anchors = new Map<string, Node>();
  readonly #open = new Set<Node>();
  count = 0;
  isOver = false;

  constructor(placeOf: (offset: number | undefined) => Place, problems: Problem[]) {
    this.#placeOf = placeOf;
    this.#problems = problems;
  }

  read(node: Node | null, depth: number): ComposeNode {
    const at = this.#placeOf(node?.range?.[0]);
    if (node === null) return { kind: "scalar", at, value: null, text: "" };
    this.count += 1;
    if (this.count > MAX_NODES || depth > MAX_DEPTH) return this.#stop(at);
    if (isAlias(node)) return this.#readAlias(node.source, at, depth);
    const { anchor } = node as { anchor?: string };
    if (anchor !== undefined) this.#anchors.set(anchor, node);
    this.#open.add(node);
    const read = this.#readPlain(node, at, depth);
    this.#open.delete(node);
    return read;
  }

  #readPlain(node: Node, at: Place, depth: number): ComposeNode {
    const tag = this.#tagOf(node, at);
    const tagged = tag === undefined ? {} : { tag };
    if (isMap(node))
      return { kind: "map", at, entries: this.#readEntries(node.items as Pair<Node, Node | null>[], depth), ...tagged };
    if (isSeq(node))
      return {
        kind: "list",
        at,
        items: node.items.map((item) => this.read(item as Node | null, depth + 1)),
        ...tagged,
      };
    if (isScalar(node)) return { ...scalar(node.value, node.source, at), ...tagged };
    return { kind: "scalar", at, value: null, text: "" };
  }

  #tagOf(node: Node, at: Place): MergeTag | undefined {
    const { tag } = node as { tag?: string };
    if (tag === "!reset") return "reset";
    if (tag === "!override") return "override";
    if (tag !== undefined && !/^tag:yaml\.org,2002:(str|int|float|bool|null|map|seq)$/.test(tag))
      this.#complain(at, `tag ${tag.replace("tag:yaml.org,2002:", "!!")} is not known: !reset and !override are`);
    return undefined;
  }

  #readAlias(name: string, at: Place, depth: number): ComposeNode {
    const target = this.#anchors.get(name);
    if (target === undefined) return this.#complain(at, `there is no anchor &${name} before this alias`);
    if (this.#open.has(target))
      return this.#complain(at, `alias *${name} stands inside its own anchor: that never ends`);
    return this.read(target, depth + 1);
  }

  #readEntries(pairs: readonly Pair<Node, Node | null>[], depth: number): ReadonlyMap<string, MapEntry> {
    const own = new Map<string, MapEntry>();
    const merged = new Map<string, MapEntry>();
    for (const pair of pairs) {
      const keyAt = this.#placeOf(pair.key?.range?.[0]);
      const key = isScalar(pair.key)
        ? typeof pair.key.value === "string"
          ? pair.key.value
          : (pair.key.source ?? String(pair.key.value))
        : undefined;
      if (key === undefined) {
        this.#complain(keyAt, "a key must be a plain text");
      } else if (key === "<<") {
        for (const [name, entry] of this.#readMerge(pair.value, depth)) if (!merged.has(name)) merged.set(name, entry);
      } else if (own.has(key)) {
        this.#complain(keyAt, `key '${key}' stands twice in the same mapping`);
      } else {
        own.set(key, { keyAt, node: this.read(pair.value, depth + 1) });
      }
      if (this.isOver) break;
    }
    // own keys win over merged ones, and stand where the merge stood otherwise
    return new Map([...merged, ...own]);
  }

  #readMerge(value: Node | null, depth: number): ReadonlyMap<string, MapEntry> {
    const node = this.read(value, depth + 1);
    if (node.kind === "map") return node.entries;
    if (node.kind === "list") {
      const all = new Map<string, MapEntry>();
      for (const item of node.items) {
        if (item.kind === "map") for (const [name, entry] of item.entries) if (!all.has(name)) all.set(name, entry);
      }
      return all;
    }
    this.#complain(node.at, "<< wants a mapping, or a list of mappings");
    return new Map();
  }

  #complain(at: Place, message: string): ComposeNode {
    this.#problems.push({ at, path: "", message });
    return { kind: "scalar", at, value: null, text: "" };
  }

  #stop(at: Place): ComposeNode {
    if (!this.isOver)
      this.#complain(
        at,
        `the file grows to more than ${MAX_NODES} values, or nests deeper than ${MAX_DEPTH}, when its aliases are followed`,
      );
    this.isOver = true;
    return { kind: "scalar", at, value: null, text: "" };
  }
}

function scalar(value: unknown, source: string | undefined, at: Place): ScalarNode {
  if (typeof value === "string") return { kind: "scalar", at, value, text: value };
  if (typeof value === "number" || typeof value === "boolean")
    return { kind: "scalar", at, value, text: source ?? String(value) };
  if (value === null || value === undefined) return { kind: "scalar", at, value: null, text: "" };
  // timestamps and the like: the text as it is written is the value
  return { kind: "scalar", at, value: source ?? "", text: source ?? "" };
}
