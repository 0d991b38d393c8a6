// A YAML file as a tree that remembers where everything stands, so that every later complaint can name file, line and column. Pure.

export type Place = { readonly file: string; readonly line: number; readonly column: number };

/** `!reset` takes a value away when files are merged, `!override` replaces it instead of merging. */
export type MergeTag = "reset" | "override";

/** How a text with variables became what it is: as it was written, and where each variable's value came from. */
export type Origin = { readonly written: string; readonly variables: Readonly<Record<string, string>> };

export type ScalarNode = {
  readonly kind: "scalar";
  readonly at: Place;
  readonly tag?: MergeTag;
  readonly value: string | number | boolean | null;
  /** As it is written, so that 012 or 1.10 stay what they are where a text is wanted. */
  readonly text: string;
  readonly origin?: Origin;
};
export type ListNode = {
  readonly kind: "list";
  readonly at: Place;
  readonly tag?: MergeTag;
  readonly items: readonly ComposeNode[];
};
export type MapEntry = { readonly keyAt: Place; readonly node: ComposeNode };
export type MapNode = {
  readonly kind: "map";
  readonly at: Place;
  readonly tag?: MergeTag;
  readonly entries: ReadonlyMap<string, MapEntry>;
};
export type ComposeNode = ScalarNode | ListNode | MapNode;

export type Problem = { readonly at: Place; readonly path: string; readonly message: string };

/** A place as a key of maps. */
export function placeKey({ file, line, column }: Place): string {
  return `${file}:${line}:${column}`;
}

/** "compose.yaml:14:7 services.web.ports[1]: '99999:80' is not a port range (1–65535)". */
export function renderProblem({ at, path, message }: Problem): string {
  return `${placeKey(at)} ${path === "" ? "" : `${path}: `}${message}`;
}

/** By file, line, column, then text; the same complaint twice is one. */
export function sortProblems(problems: readonly Problem[]): readonly Problem[] {
  const unique = new Map(problems.map((problem) => [renderProblem(problem), problem]));
  return [...unique.values()].sort(
    (a, b) =>
      compare(a.at.file, b.at.file) ||
      a.at.line - b.at.line ||
      a.at.column - b.at.column ||
      compare(a.path, b.path) ||
      compare(a.message, b.message),
  );
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

/** A text as a node, at the place of another one. */
export function textNode(text: string, at: Place): ScalarNode {
  return { kind: "scalar", at, value: text, text };
}

/** The value of a key. */
export function get(map: MapNode | undefined, key: string): ComposeNode | undefined {
  return map?.entries.get(key)?.node;
}

/** The node, unless nothing is written there: `key:` alone is as good as no key. */
export function written(node: ComposeNode | undefined): ComposeNode | undefined {
  return node?.kind === "scalar" && node.value === null ? undefined : node;
}

/** The mapping with one key set. */
export function withEntry(map: MapNode, key: string, node: ComposeNode): MapNode {
  const keyAt = map.entries.get(key)?.keyAt ?? node.at;
  return { ...map, entries: new Map([...map.entries, [key, { keyAt, node }]]) };
}

/** The mapping without one key. */
export function withoutEntry(map: MapNode, key: string): MapNode {
  if (!map.entries.has(key)) return map;
  return { ...map, entries: new Map([...map.entries].filter(([name]) => name !== key)) };
}

/** A tree as a text that is the same for the same values, whatever their order and place. */
export function meaning(node: ComposeNode): string {
  switch (node.kind) {
    case "scalar":
      return JSON.stringify(node.text);
    case "list":
      return `[${node.items.map(meaning).join(",")}]`;
    case "map":
      return `{${[...node.entries]
        .map(([key, entry]) => `${JSON.stringify(key)}:${meaning(entry.node)}`)
        .sort()
        .join(",")}}`;
  }
}
